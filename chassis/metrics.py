"""Metrics: the registry of one service and its text exposition over HTTP, on top of prometheus-client.

Each service declares its metrics in one module, all through one `Metrics`:

    METRICS = Metrics("vm")
    BATCHES = METRICS.counter("batches_total", "Batches executed, by result.", ("result",))

The full name is `v8vm_<service>_<noun>_<unit>`; docs/metrics.md is generated from `Metrics.rows`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server

LATENCY_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds, about 2.5 times apart: from a cached read (below 1 ms) to the longest that a caller would wait."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One row of the generated reference."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]


class Metrics:
    """The metrics of one service. REQUIRES: names unique within the service; prometheus-client refuses a second one.

    Attributes:
        rows: what is declared, in order; every service has `loop_lag` and `submit_refused`, the others are its own.
    """

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self.rows: list[MetricRow] = []
        self._prefix = f"v8vm_{service}"
        self.loop_lag = self.histogram("event_loop_lag_seconds", "Time until the event loop takes up what it is given.")
        self._refused = self.gauge(
            "submit_refused", "1 while transactions and commits are refused, by reason; absent otherwise.", ("reason",)
        )

    def show_refusal(self, reason: str) -> None:
        """Shows why transactions and commits are refused; an empty reason: they are accepted."""
        self._refused.clear()
        if reason:
            self._refused.labels(reason).set(1)

    def _declare(self, name: str, kind: str, help: str, labels: Sequence[str]) -> str:
        full_name = f"{self._prefix}_{name}"
        self.rows.append(MetricRow(full_name, kind, help, tuple(labels)))
        return full_name

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Counter:
        """Declares a count that only grows; its name ends in `_total`."""
        return Counter(self._declare(name, "counter", help, labels), help, labels, registry=self.registry)

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> Gauge:
        """Declares a value that goes up and down."""
        return Gauge(self._declare(name, "gauge", help, labels), help, labels, registry=self.registry)

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = LATENCY_BUCKETS_S
    ) -> Histogram:
        """Declares a distribution; a duration is in seconds and its name ends in `_seconds`."""
        return Histogram(
            self._declare(name, "histogram", help, labels), help, labels, registry=self.registry, buckets=buckets
        )

    def text(self) -> str:
        """Returns the text exposition of all metrics now."""
        return generate_latest(self.registry).decode()

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serves the text exposition over HTTP from a thread of its own.

        Returns:
            A function that stops serving.

        Raises:
            OSError: the address cannot be listened on.
        """
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop
