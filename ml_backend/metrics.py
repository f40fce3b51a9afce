"""What the ML backend counts, in Prometheus' text form."""

import time
from collections.abc import Callable
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from backend.formats.image_cache import ImageCache
from ml_backend.live_model import LiveModel
from ml_backend.runtimes.device import gpu_utilisation

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100)


class Metrics:
    """The counters of one server; each server has its own registry.

    Parameters
    ----------
    live_model : LiveModel
        What serves.
    clock : callable
        Monotonic seconds.

    Attributes
    ----------
    requests : Counter
        Requests by path and status.
    latencies : Histogram
        Seconds per request, by path.
    failures : Counter
        Tasks without a pre-annotation, by cause.
    answered : Counter
        Tasks with one.
    """

    def __init__(
        self, live_model: LiveModel, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._live_model = live_model
        self._clock = clock
        self._lock = Lock()
        self._free_since: list[float] = []  # of each worker of the device
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "overread_ml_requests", "Requests", ("path", "status"), registry=self._registry
        )
        self.latencies = Histogram(
            "overread_ml_request_seconds",
            "Seconds per request",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.failures = Counter(
            "overread_ml_failed_tasks",
            "Tasks without a pre-annotation",
            ("cause",),
            registry=self._registry,
        )
        self.answered = Counter(
            "overread_ml_answered_tasks", "Tasks with a pre-annotation", registry=self._registry
        )
        self._batch_sizes = Histogram(
            "overread_ml_batch_images",
            "Images looked at together",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self._registry,
        )
        self._busy = Counter(
            "overread_ml_busy_seconds",
            "Seconds that the workers worked; its rate over their number is how busy they are, "
            "1 at most. On a CPU they are the device",
            registry=self._registry,
        )
        self._waiting = Gauge(
            "overread_ml_waiting_images",
            "Images of the requests that are being answered",
            registry=self._registry,
        )
        self._workers = Gauge(
            "overread_ml_workers",
            "Threads that keep the device busy",
            registry=self._registry,
        )
        self._cache = Gauge(
            "overread_ml_image_cache_bytes",
            "Small copies of registered images that are kept",
            registry=self._registry,
        )
        self._gpu = Gauge(
            "overread_ml_gpu_utilisation_ratio",
            "How busy a GPU was just now, by its own account; absent without one",
            ("gpu",),
            registry=self._registry,
        )
        self._model = Gauge(
            "overread_ml_model_info",
            "1 for the model version that serves, and what runs it",
            ("model_version", "runtime"),
            registry=self._registry,
        )

    def batch_done(self, *, images: int, seconds: float) -> None:
        """Count a batch that was looked at.

        Parameters
        ----------
        images : int
            How many.
        seconds : float, [s]
            How long it took until now, with the time in which no worker was free for it: that is
            the time of the batches before, and is not counted twice.
        """
        self._batch_sizes.observe(images)
        with self._lock:
            ends, workers = self._clock(), max(self._count_workers(), 1)
            free = sorted([*[0.0] * workers, *self._free_since])[-workers:]
            begins = max(ends - seconds, free[0])
            self._free_since = [*free[1:], ends]
        self._busy.inc(ends - begins)

    def watch(self, waiting: Callable[[], float]) -> None:
        """Learn from whom to hear how many images wait.

        Parameters
        ----------
        waiting : callable
            Gives how many, [images].
        """
        self._waiting.set_function(waiting)

    def as_text(self, cache: ImageCache) -> bytes:
        """Return all figures.

        Parameters
        ----------
        cache : ImageCache
            Where small copies are kept.

        Returns
        -------
        bytes
            Prometheus' text format.
        """
        self._cache.set(cache.kept_bytes)
        self._model.clear()
        self._model.labels(self._live_model.model_version, self._live_model.runtime).set(1)
        self._workers.set(self._count_workers())
        self._gpu.clear()
        for gpu, busy in gpu_utilisation().items():
            self._gpu.labels(str(gpu)).set(busy)
        return generate_latest(self._registry)

    def _count_workers(self) -> int:
        detector = self._live_model.current()
        return 0 if detector is None else detector.workers
