"""How long choosing 500 images takes, and how much memory, as the pool grows.

Every pool is chosen from in a fresh process with one thread; seconds are that thread's processor
time, which other work on the machine changes little. What counts is the default strategy on
arrays that are in memory already: features of 256 numbers in single precision, scores of a
detector that finds most images empty, and 2,000 images that were read before.
"""

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.pool import BoxTable, ScoredPool, pool_from_boxes
from backend.domain.acquisition.strategies import DEFAULT_STRATEGY, STRATEGIES
from backend.domain.findings import Finding

SEED = 11
CHOSEN, READ, FEATURES = 500, 2000, 256
POOLS, QUICK_POOLS = (100_000, 300_000, 1_000_000), (20_000, 100_000)
EMPTY_SHARE = 0.6
BOXES_PER_IMAGE = 4
AT_ONCE = 50_000


def made_up(images: int, rng: np.random.Generator) -> tuple[ScoredPool, Evidence]:
    """Return a pool of a size, and what was read before."""
    is_marked = rng.random(images) > EMPTY_SHARE
    rows = np.repeat(np.flatnonzero(is_marked), BOXES_PER_IMAGE)
    boxes = BoxTable(
        rows,
        rng.integers(0, len(Finding), len(rows)),
        rng.beta(0.6, 3.0, len(rows)),
        rng.random(len(rows)),
    )
    names = np.char.mod("image-%08d", np.arange(images))
    patients = np.char.mod("patient-%08d", rng.integers(0, images, images))
    features = np.empty((images, FEATURES), dtype=np.float32)
    for start in range(0, images, AT_ONCE):
        part = features[start : start + AT_ONCE]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32)
    part = features[:READ] + 0.5
    evidence = Evidence(
        positive_images=rng.integers(3, 300, len(Finding)),
        features=part,
        is_positive=rng.random(READ) < 0.3,
    )
    return replace(pool_from_boxes(names, patients, boxes), features=features), evidence


def measured(images: int) -> dict[str, float]:
    """Choose once, in this process."""
    rng = np.random.default_rng(SEED)
    pool, evidence = made_up(images, rng)
    started, wall_started = time.process_time(), time.perf_counter()
    choices = STRATEGIES[DEFAULT_STRATEGY](pool, evidence, CostModel(), size=CHOSEN, rng=rng)
    seconds, wall = time.process_time() - started, time.perf_counter() - wall_started
    if len(choices) != CHOSEN:
        raise RuntimeError(f"expected {CHOSEN} choices, got {len(choices)}")
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "wall_seconds": wall, "peak_mb": peak_kib * 1024 / 1e6}


def in_a_fresh_process(images: int) -> dict[str, float]:
    """Measure where nothing else was ever loaded."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(  # noqa: S603 - this module
        [sys.executable, "-m", "benchmarks.queue_scale", "--images", str(images)],
        env={**os.environ, **threads},  # noqa: TID251 - passed on
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    """Measure, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 and 100,000 images only")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--images", type=int, help="measure one pool, in this process")
    chosen = parser.parse_args()
    if chosen.images:
        sys.stdout.write(json.dumps(measured(chosen.images)) + "\n")
        return
    pools = QUICK_POOLS if chosen.quick else POOLS
    found = {images: in_a_fresh_process(images) for images in pools}
    growth = math.log(found[pools[-1]]["seconds"] / found[pools[0]]["seconds"])
    figures = {
        "seconds_100k": found[100_000]["seconds"],
        "peak_mb_100k": found[100_000]["peak_mb"],
        "growth_exponent": growth / math.log(pools[-1] / pools[0]),
    }
    if chosen.json:
        conditions = {
            "chosen": CHOSEN, "read": READ, "features": f"{FEATURES} in single precision",
            "pools": {str(images): one for images, one in found.items()},
            "growth_over": [pools[0], pools[-1]],
            "strategy": DEFAULT_STRATEGY, "threads": 1, "seed": SEED,
            "load_average": os.getloadavg()[0],
            "processor": platform.machine(), "python": platform.python_version(),
            "numpy": np.__version__,
        }  # fmt: skip
        result = {
            "name": "queue_scale",
            "quick": chosen.quick,
            "conditions": conditions,
            "figures": figures,
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for images, one in found.items():
        sys.stdout.write(f"{images:>9,} images {one['seconds']:8.2f} s {one['peak_mb']:8.0f} MB\n")
    for name, figure in figures.items():
        sys.stdout.write(f"{name:20} {figure:.3f}\n")


if __name__ == "__main__":
    main()
