"""How busy the device was."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend.formats.image_cache import ImageCache
from ml_backend.live_model import LiveModel
from ml_backend.metrics import Metrics
from ml_backend.scripted_detector import ScriptedDetector


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def detector() -> ScriptedDetector:
    return ScriptedDetector()


@pytest.fixture
def metrics(detector: ScriptedDetector, clock: Clock) -> Metrics:
    return Metrics(LiveModel(detector), clock=clock)


def busy_seconds(metrics: Metrics, folder: Path) -> float:
    text = metrics.as_text(ImageCache(folder, 0)).decode()
    (line,) = (
        line for line in text.splitlines() if line.startswith("overread_ml_busy_seconds_total")
    )
    return float(line.split()[1])


class TestGpuUtilisation:
    def test_is_what_the_gpu_says(
        self, metrics: Metrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cuda = SimpleNamespace(
            is_initialized=lambda: True, device_count=lambda: 2, utilization=lambda gpu: 55 + gpu
        )
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))

        text = metrics.as_text(ImageCache(tmp_path, 0)).decode()

        assert 'overread_ml_gpu_utilisation_ratio{gpu="0"} 0.55' in text
        assert 'overread_ml_gpu_utilisation_ratio{gpu="1"} 0.56' in text
        cuda.utilization = lambda _: 1 / 0  # the driver answers no more
        assert "utilisation_ratio{" not in metrics.as_text(ImageCache(tmp_path, 0)).decode()

    def test_is_absent_while_torch_is_only_half_imported(
        self, metrics: Metrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())

        assert "utilisation_ratio{" not in metrics.as_text(ImageCache(tmp_path, 0)).decode()

    def test_is_absent_without_one(self, metrics: Metrics, tmp_path: Path) -> None:
        assert "utilisation_ratio{" not in metrics.as_text(ImageCache(tmp_path, 0)).decode()


class TestBusySeconds:
    def test_do_not_count_the_wait_for_another_batch(
        self, metrics: Metrics, clock: Clock, tmp_path: Path
    ) -> None:
        for end in (1010.0, 1020.0, 1030.0):  # three threads came at once, the device does one
            clock.now = end
            metrics.batch_done(images=1, seconds=end - 1000)

        assert busy_seconds(metrics, tmp_path) == 30

    def test_do_not_count_the_time_without_work(
        self, metrics: Metrics, clock: Clock, tmp_path: Path
    ) -> None:
        for end in (1010.0, 1020.0):
            clock.now = end
            metrics.batch_done(images=1, seconds=4)

        assert busy_seconds(metrics, tmp_path) == 8

    def test_are_those_of_every_worker(
        self, metrics: Metrics, detector: ScriptedDetector, clock: Clock, tmp_path: Path
    ) -> None:
        detector.workers = 2
        for end in (1010.0, 1010.0, 1015.0, 1015.0):
            clock.now = end
            metrics.batch_done(images=1, seconds=end - 1000)

        assert busy_seconds(metrics, tmp_path) == 30
