"""Metrics of the gateway."""

from chassis.metrics import Metrics

METRICS = Metrics("gateway")

CALLS = METRICS.counter("calls_total", "Calls answered, by method and gRPC code.", ("method", "code"))
LATENCY = METRICS.histogram("call_seconds", "Time from request to answer, by method.", ("method",))
IN_FLIGHT = METRICS.gauge("in_flight_calls", "Calls in progress.")
REFUSED = METRICS.counter("refused_total", "Calls refused because too much was in progress.")
GATHERED = METRICS.histogram(
    "gathered_transactions",
    "Single transactions that shared a batch, by batch.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
ENDPOINTS = METRICS.gauge("vm_endpoints", "Addresses of VM services that are known.")
PEER_UP = METRICS.gauge("peer_up", "1 while the service behind the gateway says that it serves.", ("peer",))
