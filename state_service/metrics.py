"""Metrics of the state service; docs/metrics.md is generated from this table and from `figures.FIGURES`."""

from chassis.metrics import Metrics
from state_service.figures import FigureCollector
from state_service.store import Store

METRICS = Metrics("state")

COMMIT_SECONDS = METRICS.histogram("commit_seconds", "Time from a decoded commit to its acknowledgement.")
CONFLICTS = METRICS.counter("conflicts_total", "Commits refused because a key they read had changed.")

_open: list[Store] = []
FIGURES_SHOWN = FigureCollector(METRICS, lambda: _open[0] if _open else None)


def show(store: Store | None) -> None:
    """Names the store whose figures the metrics page shows; None: no figures."""
    _open[:] = [] if store is None else [store]
