"""Metrics of the state service; docs/metrics.md is generated from this table."""

from chassis.metrics import Metrics

METRICS = Metrics("state")

COMMIT_SECONDS = METRICS.histogram("commit_seconds", "Time from a decoded commit to its acknowledgement.")
CONFLICTS = METRICS.counter("conflicts_total", "Commits refused because a key they read had changed.")
