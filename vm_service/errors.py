"""Everything that can go wrong with a call to the VM service, as one tree.

    ServiceError
    ├── MalformedRequestError     INVALID_ARGUMENT     wrong form, count or size; names the field
    └── VmError
        ├── PoolSaturatedError    RESOURCE_EXHAUSTED   too much is waiting for workers; retry later
        ├── BatchTooLongError     RESOURCE_EXHAUSTED   the items of a request take too long together
        ├── TransactionAheadError FAILED_PRECONDITION  the time of a transaction has not come; retry then
        ├── ResultsTooLargeError  RESOURCE_EXHAUSTED   the results of a batch are more than one batch may have
        ├── WorkerLostError       UNAVAILABLE          workers ended while they ran this request
        ├── NoWorkersError        UNAVAILABLE          no worker can start, most likely for want of the state service
        ├── BatchStoppedError     UNAVAILABLE          this machine stopped a block that must not depend on it
        ├── WriteConflictError    ABORTED              others kept changing the keys this batch read
        ├── BlockRefusedError     FAILED_PRECONDITION  the header does not fit the parent or the clock
        ├── BlockDiffersError     FAILED_PRECONDITION  the block id is known with other content
        └── GenesisError          FAILED_PRECONDITION  no chain can start from this description
            └── StoreNotEmptyError  ALREADY_EXISTS     the store holds a chain already

A contract's own failure is none of these: it is a receipt. `chassis.errors` turns them into gRPC statuses.
"""

import grpc

from chassis.errors import MalformedRequestError, ServiceError

__all__ = ["MalformedRequestError"]


class VmError(ServiceError):
    """Base of the failures that this service knows."""


class PoolSaturatedError(VmError):
    """More requests wait for a worker than the queue holds: nothing was started."""

    reason = "POOL_SATURATED"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    retryable = True
    retry_delay_ms = 100

    def __init__(self, queued: int, limit: int) -> None:
        """Creates the error; both count transactions."""
        super().__init__(
            f"{queued} transactions wait for a worker, the limit is {limit}",
            metadata={"queued": queued, "limit": limit},
        )


class BatchTooLongError(VmError):
    """The transactions, calls or sources of one request take too long together; nothing of them was kept."""

    reason = "BATCH_TOO_LONG"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, done: int, count: int, seconds: float) -> None:
        """Creates the error; `done` of `count` items ran in so many seconds."""
        super().__init__(
            f"{done} of {count} items ran in {seconds:.1f} s, which is all that one request gets: send fewer at a time",
            metadata={"done": done, "count": count},
        )


class TransactionAheadError(VmError):
    """The time of a transaction has not come yet, and its caller gives up before or too many wait already."""

    reason = "TRANSACTION_AHEAD"
    code = grpc.StatusCode.FAILED_PRECONDITION
    retryable = True

    def __init__(self, time_ns: int, now_ns: int) -> None:
        """Creates the error; `time_ns` is the latest time of the request's transactions."""
        self.retry_delay_ms = max(1, -(-(time_ns - now_ns) // 10**6))
        super().__init__(
            f"a transaction of time {time_ns} cannot run before it, and the clock shows {now_ns}",
            metadata={"time_ns": time_ns, "now_ns": now_ns},
        )


class ResultsTooLargeError(VmError):
    """The results of the request are more than one batch may have; nothing was committed: send fewer items at once."""

    reason = "RESULTS_TOO_LARGE"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, ran: int) -> None:
        """Creates the error; `ran` counts the items, from the first, whose results are too large together."""
        super().__init__(
            f"the results of the first {ran} items are larger than those of one batch may be",
            metadata={"item_count": ran},
        )


class WorkerLostError(VmError):
    """Workers ended while they ran the request; whether it took effect is answered by its receipts."""

    reason = "WORKER_LOST"
    code = grpc.StatusCode.UNAVAILABLE
    retryable = True
    retry_delay_ms = 500

    def __init__(self, cause: str) -> None:
        """Creates the error; `cause` names how the worker ended."""
        super().__init__(f"a worker ended while it ran the request ({cause})", metadata={"cause": cause})


class NoWorkersError(VmError):
    """No worker takes work and none has become ready for a while."""

    reason = "NO_WORKERS"
    code = grpc.StatusCode.UNAVAILABLE
    retryable = True
    retry_delay_ms = 1000

    def __init__(self) -> None:
        """Creates the error."""
        super().__init__("no worker can start; the state service may be unreachable")


class BatchStoppedError(VmError):
    """This machine's clock or memory stopped a request that must not depend on them, twice."""

    reason = "EXECUTION_STOPPED"
    code = grpc.StatusCode.UNAVAILABLE

    def __init__(self, verdict: str, transaction_index: int) -> None:
        """Creates the error; `transaction_index` is that of the transaction that was running."""
        super().__init__(
            f"transaction {transaction_index} was stopped by this machine twice ({verdict}): no result of the chain",
            metadata={"verdict": verdict, "transaction_index": transaction_index},
        )


class WriteConflictError(VmError):
    """The deadline of the batch's callers passed while others kept changing what it reads; nothing was committed."""

    reason = "WRITE_CONFLICT"
    code = grpc.StatusCode.ABORTED
    retryable = True
    retry_delay_ms = 20

    def __init__(self, attempts: int) -> None:
        """Creates the error."""
        super().__init__(
            f"other commits changed what the batch reads, {attempts} times in a row", metadata={"attempts": attempts}
        )


class BlockRefusedError(VmError):
    """The header of the block does not fit its parent or the clock; the message names both values."""

    reason = "BLOCK_REFUSED"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, field: str, expected: str, actual: str, why: str) -> None:
        """Creates the error; `field` is the one that breaks a rule."""
        super().__init__(why, metadata={"field": field, "expected": expected, "actual": actual})
        self.field, self.expected, self.actual = field, expected, actual


class BlockDiffersError(VmError):
    """The block id is known with other content; the message names the first field that differs."""

    reason = "BLOCK_DIFFERS"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, block_id: bytes, transaction_index: int, field: str, expected: str, actual: str) -> None:
        """Creates the error; `transaction_index` is -1 where the block as a whole differs."""
        where = f"transaction {transaction_index}, {field}" if transaction_index >= 0 else field
        super().__init__(
            f"block {block_id.hex()} is known with other content: {where} is {expected}, not {actual}",
            metadata={
                "block_id": block_id.hex(),
                "transaction_index": transaction_index,
                "field": field,
                "expected": expected,
                "actual": actual,
            },
        )


class NoGenesisError(VmError):
    """The store is empty: the chain has no genesis yet, so nothing can be executed on it."""

    reason = "NO_GENESIS"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self) -> None:
        """Creates the error."""
        super().__init__("the chain has no genesis yet; run `v8vm genesis FILE`, then send the request again")


class GenesisError(VmError):
    """No chain can start from this description; nothing was committed."""

    reason = "GENESIS_REFUSED"
    code = grpc.StatusCode.FAILED_PRECONDITION


class StoreNotEmptyError(GenesisError):
    """The store holds a chain already, which began with another genesis."""

    reason = "STORE_NOT_EMPTY"
    code = grpc.StatusCode.ALREADY_EXISTS

    def __init__(self, address: str, version: int) -> None:
        """Creates the error; `version` is the newest one of the store."""
        super().__init__(
            f"the store at {address} is not empty: it has version {version}",
            metadata={"address": address, "version": version},
        )
