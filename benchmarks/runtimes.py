"""The same trained network on every runtime of this CPU: how fast, and how equal."""

import argparse
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from backend.demo.sample import WEIGHTS
from backend.domain.consensus.logistic import sigmoid
from benchmarks import processor
from benchmarks.made_up_radiographs import radiograph
from ml_backend.runtimes.choice import UnavailableRuntimeError, choose_runtime, open_runtime
from ml_backend.runtimes.raw_output import Runtime

_CPU = "cpu"
_NAMES = ("torch", "onnxruntime", "openvino", "openvino-bf16")


def opened(weights: Path, folder: Path) -> dict[str, Runtime]:
    """Return the runtimes that there are."""
    runtimes = {}
    for name in _NAMES:
        try:
            chosen = choose_runtime(name, _CPU)
        except UnavailableRuntimeError:
            continue
        runtimes[name], _ = open_runtime(chosen, weights, device=_CPU, exports_dir=folder)
    return runtimes


def seconds_per_image(runtime: Runtime, frame: np.ndarray, passes: int) -> tuple[float, float]:
    """Return wall and processor seconds per image, with as many passes at once as serve."""
    wall, busy = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(runtime.workers) as pool:
        list(pool.map(lambda _: runtime.forward(frame), range(passes)))
    return (time.perf_counter() - wall) / passes, (time.process_time() - busy) / passes


def scores(runtime: Runtime, frame: np.ndarray) -> np.ndarray:
    """Return the score of every finding at every place that a runtime takes for a candidate."""
    found = runtime.look(frame, -20.0)
    scores = np.zeros((found.shape[1], frame[0].size // 8**2 * 2))  # as many places at most
    scores[found.findings, found.places] = sigmoid(found.logits)
    return scores


def measure(weights: Path, size_px: int, *, rounds: int, passes: int) -> dict[str, float]:
    """Return speed-ups over torch, all runtimes by turns."""
    frame = radiograph(0, scale=size_px / 1024, is_square=True)[None]
    with tempfile.TemporaryDirectory() as folder:
        runtimes = opened(weights, Path(folder))
        wall: dict[str, list[float]] = {name: [] for name in runtimes}
        busy: dict[str, list[float]] = {name: [] for name in runtimes}
        exact = scores(runtimes["torch"], frame)
        figures: dict[str, float] = {}
        for name, runtime in runtimes.items():
            difference = np.abs(scores(runtime, frame) - exact).max()
            figures[f"score_difference_{_short(name)}"] = float(difference)
        for _ in range(rounds):
            for name, runtime in runtimes.items():
                seconds, processor_seconds = seconds_per_image(runtime, frame, passes)
                wall[name].append(seconds)
                busy[name].append(processor_seconds)
    for name in runtimes:
        ratios = [one / other for one, other in zip(wall["torch"], wall[name], strict=True)]
        cpu = [one / other for one, other in zip(busy["torch"], busy[name], strict=True)]
        figures[f"speedup_{_short(name)}"] = statistics.median(ratios)
        figures[f"cpu_speedup_{_short(name)}"] = statistics.median(cpu)
        figures[f"cpu_ms_{_short(name)}"] = statistics.median(busy[name]) * 1e3
    return figures


def _short(name: str) -> str:
    return name.replace("-", "_")


def main() -> None:
    """Run, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within a minute")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--size", type=int, default=640, help="side of the frame in pixels")
    chosen = parser.parse_args()
    rounds, passes = (3, 4) if chosen.quick else (9, 12)
    figures = measure(chosen.weights, chosen.size, rounds=rounds, passes=passes)
    if chosen.json:
        conditions = {
            "weights": chosen.weights.name,
            "size_px": chosen.size,
            "rounds": rounds,
            "passes": passes,
            "processor": processor.shown(),
            "torch": torch.__version__,
        }
        result = {
            "name": "runtimes",
            "quick": chosen.quick,
            "conditions": conditions,
            "figures": figures,
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, figure in figures.items():
        sys.stdout.write(f"{name:36} {figure:.4f}\n")


if __name__ == "__main__":
    main()
