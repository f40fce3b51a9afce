"""What the ML backend counts, in Prometheus' text form."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100)


class Metrics:
    """The counters of one server; each server has its own registry.

    Attributes
    ----------
    requests : Counter
        Requests by path and status.
    latencies : Histogram
        Seconds per request, by path.
    failures : Counter
        Tasks without a pre-annotation, by cause.
    """

    def __init__(self) -> None:
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
        self._model = Gauge(
            "overread_ml_model_info",
            "1 for the model version that serves",
            ("model_version",),
            registry=self._registry,
        )

    def as_text(self, model_version: str) -> bytes:
        """Return all figures.

        Parameters
        ----------
        model_version : str
            What serves now.

        Returns
        -------
        bytes
            Prometheus' text format.
        """
        self._model.clear()
        self._model.labels(model_version).set(1)
        return generate_latest(self._registry)
