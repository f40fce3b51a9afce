"""What the backend counts, in Prometheus' text form."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one server; each server has its own registry.

    Attributes
    ----------
    requests : Counter
        Requests by route and status.
    latencies : Histogram
        Seconds per request, by route.
    hints : Counter
        Webhook hints by what became of them: "received", "dropped" (the queue was full),
        "pulled", "foreign" (not our task) or "failed".
    syncs : Counter
        Reconciling syncs by outcome: "done", "incomplete", "busy" or "failed".
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "overread_requests", "Requests", ("route", "status"), registry=self._registry
        )
        self.latencies = Histogram(
            "overread_request_seconds",
            "Seconds per request",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.hints = Counter(
            "overread_webhook_hints",
            "Webhook hints by what became of them",
            ("outcome",),
            registry=self._registry,
        )
        self.syncs = Counter(
            "overread_syncs", "Reconciling syncs by outcome", ("outcome",), registry=self._registry
        )
        self._readings = Gauge(
            "overread_readings", "Current readings by state", ("state",), registry=self._registry
        )

    def as_text(self, readings: Mapping[str, int]) -> bytes:
        """Return all figures.

        Parameters
        ----------
        readings : mapping of str to int
            Current readings by state.

        Returns
        -------
        bytes
            Prometheus' text format.
        """
        for state, number in readings.items():
            self._readings.labels(state).set(number)
        return generate_latest(self._registry)
