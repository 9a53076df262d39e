"""Metrics of the VM service, all in one place; docs/metrics.md is generated from them."""

from chassis.metrics import Metrics

METRICS = Metrics("vm")

ITEMS = METRICS.counter("items_total", "Transactions, calls and sources answered, by kind of request.", ("kind",))
BATCHES = METRICS.counter("batches_total", "Batches answered by workers, by kind of request.", ("kind",))
BATCH_SIZE = METRICS.histogram(
    "batch_size", "Items in a batch.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
)
QUEUE_WAIT = METRICS.histogram("queue_wait_seconds", "Time a request waited for a worker.")
BATCH_TIME = METRICS.histogram("batch_seconds", "Time from lease to answer of a batch.")
QUEUED = METRICS.gauge("queued_items", "Items that wait for a worker.")
CONFLICTS = METRICS.counter("conflicts_total", "Runs of a batch that were void because others changed what it read.")
STATE_READS = METRICS.counter("state_read_calls_total", "Calls to the state service from inside a running batch.")
WORKERS = METRICS.gauge("workers", "Workers, by what they do.", ("state",))
WORKER_LOSSES = METRICS.counter("worker_losses_total", "Workers that ended while they ran a batch.")
EXCLUSIONS = METRICS.counter("exclusions_total", "Items answered without a result because they ended two workers.")
QUARANTINED = METRICS.gauge("quarantined_items", "Transaction hashes in quarantine.")
