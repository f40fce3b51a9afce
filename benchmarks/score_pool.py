"""How fast the pool is scored, and that memory does not grow with it."""

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

from backend.demo.sample import WEIGHTS
from backend.domain.images import Image
from backend.formats.image_cache import ImageCache, small_copy
from backend.settings import Settings
from backend.store.unit_of_work import Store
from benchmarks import processor
from benchmarks.served_pool import NOW, filled_store
from ml_backend.image_source import read_registered
from ml_backend.open_detector import open_detector
from ml_backend.score_pool import score_pool

_FILES = 64


def clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)  # noqa: TID251 - a benchmark reads the clock


def measure(images: int) -> dict[str, float | str]:
    """Score so many images; they share 64 small copies, so that the disk does not count."""
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(data_dir=Path(name) / "data")
        store = filled_store(settings, WEIGHTS, _FILES)
        cache = ImageCache(settings.image_cache_dir, settings.image_cache_bytes)
        _multiply(store, cache, images)
        with store.snapshot() as unit:
            champion = unit.models.champion()
        assert champion is not None  # noqa: S101 - it was just adopted
        detector = open_detector(settings, champion)
        memory: list[float] = []
        started = time.perf_counter()

        def on_images(_: int) -> None:
            memory.append(psutil.Process().memory_info().rss / 2**20)

        report = score_pool(store, detector, clock=clock, cache=cache, on_images=on_images)
        seconds = time.perf_counter() - started
    settled = memory[len(memory) // 5]  # by then every buffer has its size
    return {
        "runtime": detector.runtime,
        "images_per_second": report.scored / seconds,
        "memory_growth_mb": memory[-1] - settled,
        "peak_memory_mb": max(memory),
        "minutes_for_100000": 100_000 / (report.scored / seconds) / 60,
        "failed": len(report.failed),
    }


def _multiply(store: Store, cache: ImageCache, images: int) -> None:
    """Register more images; their small copies are links to those of the first."""
    with store.snapshot() as unit:
        originals = list(unit.images.all().values())
    copies = [small_copy(read_registered(image)) for image in originals]
    kept = []
    for image, copy in zip(originals, copies, strict=True):
        cache.keep(image.pixel_hash, copy)
        kept.append(cache.path(image.pixel_hash))
    more = []
    for number in range(images - len(originals)):
        like = originals[number % len(originals)]
        key = f"{number:064x}"
        path = cache.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(kept[number % len(kept)], path)
        more.append(_another(like, number, key))
    for first in range(0, len(more), 2000):
        with store.transaction() as unit:
            unit.images.add(more[first : first + 2000], now=NOW)


def _another(like: Image, number: int, key: str) -> Image:
    return Image(
        id=f"m{number}",
        source=like.source,
        uri=like.uri,
        sha256=like.sha256,
        pixel_hash=key,
        width_px=like.width_px,
        height_px=like.height_px,
        patient_key=f"m{number}",
    )


def main() -> None:
    """Run, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 images instead of 5,000")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    images = 500 if chosen.quick else 5000
    figures = measure(images)
    if chosen.json:
        conditions = {
            "images": images,
            "weights": WEIGHTS.name,
            "cores": os.cpu_count(),
            "processor": processor.shown(),
        }
        result = {
            "name": "score_pool",
            "quick": chosen.quick,
            "conditions": conditions,
            "figures": figures,
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, figure in figures.items():
        shown = f"{figure:.3f}" if isinstance(figure, float) else figure
        sys.stdout.write(f"{name:24} {shown}\n")


if __name__ == "__main__":
    main()
