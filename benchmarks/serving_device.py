"""How much of a device's bare speed is left from the image cache to the boxes, in one process.

Needs torch, torchvision, ultralytics, numpy and pillow, but neither a store nor Label Studio nor
a web server, so that it runs from a checkout on any machine with a GPU.
"""

import resource
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from backend.formats.image_cache import ImageCache, SmallCopy, small_copy
from benchmarks.made_up_radiographs import radiograph
from ml_backend.detector import Detections, detect
from ml_backend.inference_queue import InferenceQueue, Source
from ml_backend.letterbox import Letterbox
from ml_backend.runtimes.raw_output import Runtime
from ml_backend.ultralytics_settings import import_part
from ml_backend.yolo_detector import TITLES, YoloDetector

_PICTURES = 96
_ASKED_AHEAD = 512


@dataclass
class Busy:
    """Samples of how busy the GPU is, in percent."""

    samples: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float | None:
        """The mean of what was seen, in percent."""
        return statistics.mean(self.samples) if self.samples else None


def measure(
    weights: Path, folder: Path, *, device: str, runtime: str, size_px: int, seconds: float
) -> dict[str, float | str | None]:
    """Return images per second: bare passes, and everything from the cache to the boxes."""
    cache, keys = _filled_cache(folder / "images")
    detector = YoloDetector(
        weights,
        "m1",
        device=device,
        runtime=runtime,
        exports_dir=folder / "exports",
        image_size_px=size_px,
    )
    first = _first_pass_seconds(detector)
    floor = bare_passes(detector.bare, size_px, seconds)
    looking = _one_thread(detector, cache, keys, seconds / 4, is_decoding=False)
    alone = _one_thread(detector, cache, keys, seconds / 4, is_decoding=True)
    _through_the_queue(detector, cache, keys, 2.0)  # every size of batch is met once
    with gpu_watched(device) as busy:
        through = _through_the_queue(detector, cache, keys, seconds)
    return {
        "runtime": detector.runtime,
        "first_pass_seconds": first,
        "floor_images_per_second": floor,
        "one_thread_without_decoding_images_per_second": looking,
        "one_thread_images_per_second": alone,
        "images_per_second": through,
        "throughput_vs_floor": through / floor,
        "gpu_busy_percent": busy.mean,
        **_stages(detector, cache, keys),
        "gpu_memory_mb": torch.cuda.max_memory_allocated() / 2**20 if device != "cpu" else None,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _first_pass_seconds(detector: YoloDetector) -> float:
    started = time.perf_counter()
    detect(detector, [radiograph(0, is_square=True)])
    return time.perf_counter() - started


def untrained(name: str, size_px: int, folder: Path) -> Path:
    """Return weights of a network of another size, which nobody trained: for its speed alone."""
    network = import_part("nn.tasks").DetectionModel(f"{name}.yaml", nc=len(TITLES), verbose=False)
    network.names = dict(enumerate(TITLES))
    path = folder / f"untrained-{name}.pt"
    torch.save({"model": network.half(), "train_args": {"imgsz": size_px}}, path)
    return path


def half_precision_differs(weights: Path, folder: Path, *, size_px: int) -> dict[str, float]:
    """Return how far a GPU's boxes and scores are from those of a CPU in single precision."""
    pictures = [radiograph(number) for number in range(16)]
    answers = [
        detect(
            YoloDetector(
                weights,
                "m1",
                device=device,
                runtime="torch",
                exports_dir=folder / "exports",
                image_size_px=size_px,
                min_score=0.001,
            ),
            pictures,
        )
        for device in ("cpu", "0")
    ]
    scores, boxes = [0.0], [0.0]
    for exact, half in zip(*answers, strict=True):
        for finding, score, box in zip(exact.findings, exact.scores, exact.boxes, strict=True):
            same = half.findings == finding
            if score < 0.002 or not same.any():
                continue
            away = np.abs(half.boxes[same] - box).max(axis=1)
            scores.append(float(np.abs(half.scores[same] - score)[away.argmin()]))
            boxes.append(float(away.min()))
    return {
        "half_precision_compared_boxes": len(boxes) - 1,
        "half_precision_score_difference": max(scores),
        "half_precision_box_difference_median_px": statistics.median(boxes),
        "half_precision_box_difference_px": max(boxes),
    }


def bare_passes(runs: Runtime, size_px: int, seconds: float) -> float:
    """Return images per second of nothing but the network, on as many threads as serve."""
    frames = np.full((runs.batch_size, size_px, size_px), 90, dtype=np.uint8)
    done = [0] * runs.workers

    def work(number: int, until: float) -> None:
        while time.perf_counter() < until:
            runs.forward(frames)
            done[number] += len(frames)

    for length in (min(seconds, 3.0), seconds):  # once to warm up
        done[:] = [0] * runs.workers
        started = time.perf_counter()
        threads = [
            threading.Thread(target=work, args=(number, started + length))
            for number in range(runs.workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - started
    return sum(done) / took


@contextmanager
def gpu_watched(device: str) -> Iterator[Busy]:
    """Sample the GPU's own figure of how busy it is, ten times a second."""
    busy = Busy()
    if device == "cpu":
        yield busy
        return
    stopped = threading.Event()

    def sample() -> None:
        with suppress(Exception):  # a figure less, on a machine without NVIDIA's library
            while not stopped.wait(0.1):
                busy.samples.append(torch.cuda.utilization())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield busy
    finally:
        stopped.set()
        thread.join()
        del busy.samples[:5]  # while the queue fills


def _filled_cache(folder: Path) -> tuple[ImageCache, list[str]]:
    cache = ImageCache(folder, 1e9)
    keys = [f"{number:064x}" for number in range(_PICTURES)]
    for number, key in enumerate(keys):
        cache.keep(key, small_copy(radiograph(number, is_square=True)))
    return cache, keys


def _load(cache: ImageCache, key: str) -> SmallCopy:
    copy = cache.find(key)
    assert copy is not None  # noqa: S101 - it was put there
    return copy


def _one_thread(
    detector: YoloDetector,
    cache: ImageCache,
    keys: list[str],
    seconds: float,
    *,
    is_decoding: bool,
) -> float:
    """Return images per second when nothing overlaps: read and resize or not, look, suppress."""
    frames: list[Letterbox] = []
    started = time.perf_counter()
    images = 0
    while time.perf_counter() < started + seconds:
        if is_decoding or not frames:
            chosen = [keys[(images + n) % len(keys)] for n in range(detector.batch_size)]
            copies = [_load(cache, key) for key in chosen]
            frames = [detector.frame(copy.pixels, copy.size_px) for copy in copies]
        detector.detect_in(frames)
        images += len(frames)
    return images / (time.perf_counter() - started)


def _stages(detector: YoloDetector, cache: ImageCache, keys: list[str]) -> dict[str, float]:
    """Return milliseconds per image of each stage, one after the other in one thread."""
    chosen = [keys[number % len(keys)] for number in range(detector.batch_size)]
    copies = [_load(cache, key) for key in chosen]
    frames = [detector.frame(copy.pixels, copy.size_px) for copy in copies]
    pixels = np.stack([frame.pixels for frame in frames])

    def run() -> None:
        detector.bare.forward(pixels)

    def per_image(work: Callable[[], object]) -> float:
        times = []
        for _ in range(10):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
        return statistics.median(times) / len(chosen) * 1e3

    run_ms, look_ms = per_image(run), per_image(lambda: detector.bare.look(pixels, -3.0))
    stack_ms = per_image(lambda: np.stack([frame.pixels for frame in frames]))
    return {
        "read_ms": per_image(lambda: [_load(cache, key) for key in chosen]),
        "frame_ms": per_image(lambda: [detector.frame(c.pixels, c.size_px) for c in copies]),
        "stack_ms": stack_ms,
        "pass_ms": run_ms,
        "select_ms": look_ms - run_ms,
        "suppress_ms": per_image(lambda: detector.detect_in(frames)) - look_ms - stack_ms,
    }


def _through_the_queue(
    detector: YoloDetector, cache: ImageCache, keys: list[str], seconds: float
) -> float:
    with InferenceQueue() as queue:
        pending: deque[Future[Detections]] = deque()
        asked = answered = 0
        started = time.perf_counter()
        while time.perf_counter() < started + seconds or pending:
            while len(pending) < _ASKED_AHEAD and time.perf_counter() < started + seconds:
                key = keys[asked % len(keys)]
                load = partial(_load, cache, key)
                pending.append(queue.look(load, detector, source=Source.COPY))
                asked += 1
            if pending:
                pending.popleft().result()
                answered += 1
        return answered / (time.perf_counter() - started)
