"""The whole server over HTTP on a CPU, beside the bare passes of the same runtime."""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import httpx2
import numpy as np
import psutil
from pydantic import SecretStr

from backend import image_links
from backend.domain.images import Image
from backend.domain.models import ModelVersion
from backend.formats.image_cache import ImageCache
from backend.settings import Settings
from backend.terminal import now
from benchmarks import serving_example
from benchmarks.bare_passes import EagerTorch, Floor, floor_moved, noise, times_the_floor
from benchmarks.served_pool import filled_store, sized_weights
from ml_backend.front_door import USER_NAME, password
from ml_backend.open_detector import open_detector
from ml_backend.task_images import read_small
from ml_backend.yolo_detector import YoloDetector

_IMAGES = 64
_SINGLES_A_ROUND = 15
_START_SECONDS = 120.0


def on_cpu(
    weights: Path, *, size_px: int, quick: bool, example: Path | None, example_python: Path
) -> dict[str, float | str | None]:
    """Start the server on a CPU and measure it; beside it Label Studio's example, if given."""
    rounds = 1 if quick else 7
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(
            data_dir=folder / "data",
            secret_key=SecretStr("b" * 40),
            device="cpu",
            ml_backend_port=19_093,
        )
        store = filled_store(settings, sized_weights(weights, size_px, folder), _IMAGES)
        with store.snapshot() as unit:
            champion = unit.models.champion()
            images = list(unit.images.all().values())
        assert champion is not None  # noqa: S101 - it was just adopted
        tasks = [
            {"id": number, "data": {"image": _link(settings, image)}}
            for number, image in enumerate(images)
        ]
        floor = _floor(settings, champion, images)  # exports the network, as a first start does
        used = Path(champion.weights_uri)
        eager = EagerTorch(used, floor.frames)
        with _server(settings) as (server, cold_start), _Client(settings) as ask:
            ask(tasks)  # every shape once
            figures = _figures(ask, floor, eager, tasks, server, rounds=rounds)
        if example is not None:
            paths = [Path(image.uri) for image in images]
            peer = serving_example.measure(example, example_python, used, paths, rounds=rounds)
            figures |= peer | {
                "throughput_vs_example": figures["images_per_second"]
                / peer["example_images_per_second"],
                "p50_vs_example": figures["p50_ms"] / peer["example_p50_ms"],
            }
        return {"runtime": floor.runtime, "noise": noise(figures), **figures, **cold_start}


def _link(settings: Settings, image: Image) -> str:
    return image_links.sign(
        settings.backend_url,
        image.id,
        expires_at=now() + timedelta(days=1),
        secret=settings.image_link_secret,
    )


def _floor(settings: Settings, champion: ModelVersion, images: Iterable[Image]) -> Floor:
    detector = open_detector(settings, champion)
    assert isinstance(detector, YoloDetector)  # noqa: S101 - that is the default
    cache = ImageCache(settings.image_cache_dir, settings.image_cache_bytes)
    copies = [read_small(image, cache) for image in images]
    return Floor(detector, [detector.frame(copy.pixels, copy.size_px) for copy in copies])


class _Client:
    """Asks the server as Label Studio does."""

    def __init__(self, settings: Settings) -> None:
        self._client = httpx2.Client(
            base_url=f"http://{settings.ml_backend_host}:{settings.ml_backend_port}",
            auth=(USER_NAME, password(settings)),
            timeout=120,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __call__(self, tasks: list[dict[str, Any]]) -> None:
        results = self._client.post("/predict", json={"tasks": tasks}).json()["results"]
        if [] in results:
            raise RuntimeError("the server left images out; the figures would flatter it")

    def health(self) -> None:
        self._client.get("/health")


def _figures(
    ask: _Client,
    floor: Floor,
    eager: EagerTorch,
    tasks: list[dict[str, Any]],
    server: psutil.Process,
    *,
    rounds: int,
) -> dict[str, float]:
    single, bare = [], []
    single_cpu, bare_cpu = [], []

    def pass_once() -> None:
        busy = time.process_time()
        bare.append(_timed(floor.once))
        bare_cpu.append(time.process_time() - busy)

    pass_once()
    for _ in range(rounds * _SINGLES_A_ROUND):
        busy = _cpu_seconds(server)
        single.append(_timed(lambda: ask(tasks[:1])))
        single_cpu.append(_cpu_seconds(server) - busy)
        pass_once()

    ratios: dict[str, list[float]] = {"one": [], "four": [], "eager": []}
    speeds: dict[str, list[float]] = {"one": [], "four": [], "floor": [], "eager": []}
    with _probing(ask.health) as probes:
        for _ in range(rounds):
            one = len(tasks) / _timed(lambda: ask(tasks))
            speed = floor.images_per_second()
            four = len(tasks) / _timed(lambda: _four_at_once(ask, tasks))
            slow = eager.images_per_second()
            for name, figure in (("one", one), ("four", four), ("floor", speed), ("eager", slow)):
                speeds[name].append(figure)
            ratios["one"].append(one / speed)
            ratios["four"].append(four / speed)
            ratios["eager"].append(one / slow)
    return {
        "throughput_vs_floor": statistics.median(ratios["one"]),
        "throughput_vs_floor_4x16": statistics.median(ratios["four"]),
        "throughput_vs_eager_torch": statistics.median(ratios["eager"]),
        "images_per_second": statistics.median(speeds["one"]),
        "images_per_second_4x16": statistics.median(speeds["four"]),
        "floor_images_per_second": statistics.median(speeds["floor"]),
        "eager_torch_images_per_second": statistics.median(speeds["eager"]),
        "eager_torch_threads": eager.threads,
        "p50_vs_floor": times_the_floor(bare, single),
        "p95_vs_floor": float(np.quantile(single, 0.95) / np.quantile(bare, 0.95)),
        "cpu_vs_floor": statistics.mean(single_cpu) / statistics.mean(bare_cpu),
        "floor_moved": floor_moved(bare),
        "p50_ms": statistics.median(single) * 1e3,
        "p95_ms": float(np.quantile(single, 0.95)) * 1e3,
        "floor_p50_ms": statistics.median(bare) * 1e3,
        "slowest_health_ms": max(probes) * 1e3,
        "median_health_ms": statistics.median(probes) * 1e3,
        "peak_rss_mb": _peak_rss_mb(server),
    }


def _four_at_once(ask: _Client, tasks: list[dict[str, Any]]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, [tasks[number::4] for number in range(4)]))


@contextmanager
def _server(settings: Settings) -> Iterator[tuple[psutil.Process, dict[str, float]]]:
    """Run the ML backend; yield it and how long it took until the champion served."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "serve-ml"],
        env=settings.as_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{settings.ml_backend_host}:{settings.ml_backend_port}/health"
    try:
        while True:
            try:
                if httpx2.get(url, trust_env=False).json()["model_version"] != "none":
                    break
            except httpx2.HTTPError:
                pass
            if process.poll() is not None or time.perf_counter() - started > _START_SECONDS:
                raise RuntimeError("the ML backend did not start")
            time.sleep(0.05)
        took, server = time.perf_counter() - started, psutil.Process(process.pid)
        yield (
            server,
            {"cold_start_seconds": took, "cold_start_cpu_seconds": _cpu_seconds(server)},
        )
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _probing(probe: Callable[[], None]) -> Iterator[list[float]]:
    """Time a probe again and again meanwhile."""
    seconds: list[float] = []
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(0.05):
            seconds.append(_timed(probe))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seconds
    finally:
        stopped.set()
        thread.join()


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak_rss_mb(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
