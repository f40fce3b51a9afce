"""How long the queue's commands take on a large store, and how much memory, end to end.

A store is filled with made-up rows: images, one model version's boxes and features (256 numbers
an image) on all of them, 2,000 images that two readers have read, twenty readers. Then the
commands run as people run them, each in a fresh process: its seconds on the clock and of the
processor, and its peak memory. Label Studio does not run, so that nothing is pushed; how long
that takes does not depend on the pool.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.images import Image
from backend.domain.models import ModelState, ModelVersion
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import ReadBox, Reading
from backend.settings import Settings
from backend.store import schema
from backend.store.readers import ReaderProject
from backend.store.reading_rows import Receipt
from backend.store.unit_of_work import Store
from backend.workflow.reach_consensus import reach_consensus
from benchmarks.queue_scale import BOXES_PER_IMAGE, CHOSEN, EMPTY_SHARE, FEATURES, READ, SEED
from benchmarks.reading_room import running_postgresql

IMAGES, QUICK_IMAGES = 100_000, 5_000
READERS = tuple(f"R{number:02d}" for number in range(20))
WORKLIST_SIZE = 100
MODEL = "m1"
MARKED_SHARE, ALONE_SHARE = 0.3, 1 / 3
AT_ONCE = 5_000
FILLED_AT = datetime(2026, 1, 1, tzinfo=UTC)
COMMANDS = {
    "dry_run": ("queue", "refill", "--dry-run", "--size", str(CHOSEN), "--json"),
    "refill": ("queue", "refill", "--size", str(CHOSEN), "--json"),
    "show": ("queue", "show"),
}


def fill(store: Store, images: int) -> None:
    """Fill a store."""
    rng = np.random.default_rng(SEED)
    with store.transaction() as unit:
        unit.models.add(ModelVersion(MODEL, ModelState.CHALLENGER, "none", "0" * 64, FILLED_AT))
        unit.models.crown(MODEL, now=FILLED_AT)
        unit.readers.ensure(READERS, now=FILLED_AT)
        for number, name in enumerate(READERS, start=1):
            unit.readers.add_project(
                ReaderProject(name, f"{name.lower()}@example.org", number, number)
            )
    for start in range(0, images, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, images))
        predictions = [predicted(number, rng) for number in numbers]
        with store.transaction() as unit:
            unit.images.add([registered(number) for number in numbers], now=FILLED_AT)
            unit.predictions.add(predictions, now=FILLED_AT)
    read = [one for number in range(min(READ, images)) for one in readings(number, rng)]
    with store.transaction() as unit:
        unit.readings.add(read, Receipt(FILLED_AT))
        reach_consensus(unit, {one.image_id for one in read}, now=FILLED_AT + timedelta(days=1))


def registered(number: int) -> Image:
    """Return an image; each is a patient's only one."""
    name = f"image-{number:08d}"
    return Image(
        id=name, source="made up", uri=f"/none/{name}.png", sha256="0" * 64,
        pixel_hash=f"pixels-{number}", width_px=2048, height_px=2048, patient_key=name,
    )  # fmt: skip


def predicted(number: int, rng: np.random.Generator) -> Prediction:
    """Return what the model says of an image; mostly nothing."""
    found = BOXES_PER_IMAGE if rng.random() > EMPTY_SHARE else 0
    return Prediction(
        registered(number).id, MODEL,
        tuple(
            PredictedBox(Finding(int(finding)), somewhere(rng), float(score), spread_px=9.0)
            for finding, score in zip(
                rng.integers(0, len(Finding), found), rng.beta(0.6, 3.0, found), strict=True
            )
        ),
        features=rng.standard_normal(FEATURES).astype("<f2").tobytes(),
    )  # fmt: skip


def readings(number: int, rng: np.random.Generator) -> tuple[Reading, Reading]:
    """Return two readings of an image: three of ten are marked, a third of these by one only."""
    name = registered(number).id
    marks: tuple[ReadBox, ...] = ()
    if rng.random() < MARKED_SHARE:
        marks = (ReadBox(Finding(int(rng.integers(len(Finding)))), somewhere(rng)),)
    others = marks if rng.random() > ALONE_SHARE else ()
    first, second = READERS[number % 20], READERS[(number * 7 + 3) % 20]
    return Reading(name, first, marks, FILLED_AT), Reading(name, second, others, FILLED_AT)


def somewhere(rng: np.random.Generator) -> Box:
    """Return a box of 400 pixels."""
    x, y = rng.uniform(0, 1600, 2).tolist()
    return Box(x, y, x + 400, y + 400)


def measured(settings: Settings, command: tuple[str, ...]) -> dict[str, float]:
    """Run a command of the product in a process of its own."""
    environment = {
        **os.environ,  # noqa: TID251 - passed on
        "OVERREAD_DATA_DIR": str(settings.data_dir),
        "OVERREAD_DATABASE_URL": settings.sqlalchemy_url,
        "OVERREAD_WORKLIST_SIZE": str(WORKLIST_SIZE),
        "OVERREAD_LABEL_STUDIO_URL": "http://127.0.0.1:1",
    }
    started = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - this product
        [sys.executable, "-m", "backend.cli", *command],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {output[-500:]}")
    return {
        "seconds": time.perf_counter() - started,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * 1024 / 1e6,
    }


def gather_statistics(url: str) -> None:
    """Let PostgreSQL know its tables, as it does by itself in the minutes after."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


@contextmanager
def empty_store(folder: Path, *, postgresql: bool) -> Iterator[Settings]:
    """Give settings whose store is migrated and empty."""
    settings = Settings(data_dir=folder / "data")
    settings.data_dir.mkdir()
    if not postgresql:
        schema.upgrade(settings.sqlalchemy_url)
        yield settings
        return
    with running_postgresql(folder) as (_, url):
        settings = settings.model_copy(update={"database_url": SecretStr(url)})
        schema.upgrade(settings.sqlalchemy_url)
        yield settings


def main() -> None:
    """Measure, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5,000 images only")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--images", type=int)
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    chosen = parser.parse_args()
    images = chosen.images or (QUICK_IMAGES if chosen.quick else IMAGES)
    with (
        TemporaryDirectory() as folder,
        empty_store(Path(folder), postgresql=chosen.postgresql) as settings,
    ):
        store = Store(settings.sqlalchemy_url)
        started = time.perf_counter()
        fill(store, images)
        if chosen.postgresql:
            gather_statistics(settings.sqlalchemy_url)
        sys.stderr.write(f"{images:,} images after {time.perf_counter() - started:.0f} s\n")
        store.close()
        found = {name: measured(settings, command) for name, command in COMMANDS.items()}
        with (store := Store(settings.sqlalchemy_url)).snapshot() as unit:
            queued = len({one.image_id for one in unit.worklists.all()})
        store.close()
    if queued != CHOSEN:
        raise RuntimeError(f"expected {CHOSEN} images on the worklists, got {queued}")
    figures = {f"{name}_{figure}": one[figure] for name, one in found.items() for figure in one}
    if chosen.json:
        conditions = {
            "images": images, "chosen": CHOSEN, "read": READ, "readers": len(READERS),
            "features": FEATURES, "database": "PostgreSQL" if chosen.postgresql else "SQLite",
            "load_average": os.getloadavg()[0], "processor": platform.machine(),
            "python": platform.python_version(), "numpy": np.__version__,
        }  # fmt: skip
        result = {
            "name": "queue_store", "quick": chosen.quick,
            "conditions": conditions, "figures": figures,
        }  # fmt: skip
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, one in found.items():
        sys.stdout.write(
            f"{name:10} {one['seconds']:7.1f} s {one['processor_seconds']:7.1f} s of processor "
            f"{one['peak_mb']:7.0f} MB\n"
        )


if __name__ == "__main__":
    main()
