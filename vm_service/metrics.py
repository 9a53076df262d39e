"""Metrics of the VM service, all in one place; docs/metrics.md is generated from them."""

from chassis.metrics import Metrics

METRICS = Metrics("vm")

BATCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)

ITEMS = METRICS.counter("items_total", "Transactions, calls and sources answered, by kind of request.", ("kind",))
BATCHES = METRICS.counter("batches_total", "Batches answered, by kind of request and how they ended.", ("kind", "end"))
BATCH_SIZE = METRICS.histogram("batch_size", "Items in a batch.", buckets=BATCH_SIZES)
QUEUE_WAIT = METRICS.histogram("queue_wait_seconds", "Time that the oldest request of a batch waited for a worker.")
BATCH_TIME = METRICS.histogram("batch_seconds", "Time from lease to answer of a batch.")
EARLY = METRICS.gauge("early_items", "Transactions ahead of the clock that wait for their time.")
QUEUED = METRICS.gauge("queued_items", "Items that wait for a worker.")
CONFLICTS = METRICS.counter("conflicts_total", "Runs of a batch that were void because others changed what it read.")
PLACE_WAITS = METRICS.counter("place_waits_total", "Views that were opened later because of others' commits.")
COMMIT_LANES = METRICS.gauge("commit_lanes", "Batches that may commit at the same time; contention halves it.")
STATE_READS = METRICS.counter("state_read_calls_total", "Calls to the state service from inside a running batch.")

WORKERS = METRICS.gauge("workers", "Workers, by what they do.", ("state",))
WORKERS_WANTED = METRICS.gauge("workers_wanted", "Workers that the autoscaler wants to take work.")
SLOTS_BUSY = METRICS.gauge("slots_busy_ratio", "Share of time in which the largest number of workers would be busy.")
WORKER_LOSSES = METRICS.counter(
    "worker_losses_total", "Workers that ended while they ran a batch, by cause.", ("cause",)
)
WORKER_STARTS = METRICS.histogram("worker_start_seconds", "Time from spawn to ready of a worker.")
RECYCLED = METRICS.counter("workers_recycled_total", "Workers replaced on purpose, by reason.", ("reason",))
EXCLUSIONS = METRICS.counter("exclusions_total", "Items answered without a result because they ended two workers.")
QUARANTINED = METRICS.gauge("quarantined_items", "Transaction hashes in quarantine.")

HOT_USES = METRICS.counter(
    "contract_uses_total", "Uses of contracts by batches, by tier in which they were found.", ("tier",)
)
HOTTEST = METRICS.gauge(
    "hottest_contract_uses", "Batches that used a contract, for the ten most used, as far as counted.", ("contract",)
)
SNAPSHOT_STARTS = METRICS.counter("snapshot_starts_total", "Worker starts, by what they started from.", ("origin",))
SHARED_IMAGES = METRICS.counter(
    "shared_images_total", "Images of contracts that workers asked the service for, by outcome.", ("outcome",)
)
SNAPSHOT_FAILURES = METRICS.counter("snapshot_failures_total", "Snapshots that were refused, by reason.", ("reason",))
