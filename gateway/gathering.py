"""Gathering: concurrent calls of one transaction each share a batch on their way to the VM service.

A batch costs the VM and state services little more than a single transaction. Nobody waits for company: an idle
gatherer sends at once, and whoever arrives while a batch is in progress goes with the next one. Requests are joined
and answers split as bytes (see `wire`). Whether a transaction is accepted does not depend on its company: should the
VM service refuse a whole batch as malformed, its halves are sent again, down to single transactions (which is safe:
transactions are idempotent by hash).
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc

from gateway import wire
from gateway.errors import ForwardingError, NoEndpointError
from gateway.metrics import GATHERED

Send = Callable[[bytes, float | None], Awaitable[bytes]]

MAX_BATCH_BYTES = 4 << 20
"""A gathered batch stays far below the largest message, whatever its transactions hold (64 KiB each)."""

_ITEMS = 1
"""Field number of the repeated field, in request (`transactions`) and response (`outcomes`)."""

_REFUSED_WHOLE = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED)
"""Codes by which a service may refuse a batch because of one of its transactions, or because of its size."""


@dataclass(slots=True)
class _Waiting:
    raw: bytes
    deadline: float | None
    answer: "asyncio.Future[bytes]"


class Gatherer:
    """Joins calls to one VM service. REQUIRES: used from one event loop."""

    def __init__(self, send: Send, *, max_count: int, max_in_flight: int) -> None:
        """Sets up an idle gatherer.

        Args:
            send: calls the VM service with a request and a timeout in seconds.
            max_count: most transactions of a batch.
            max_in_flight: most batches in progress.
        """
        self._send = send
        self._max_count = max_count
        self._max_in_flight = max_in_flight
        self._queue: deque[_Waiting] = deque()
        self._sending: dict[asyncio.Task[None], int] = {}
        self._pumping = False

    async def submit(self, raw: bytes, timeout_s: float | None) -> bytes:
        """Sends a request that holds one transaction and nothing else (`wire.single`); returns its own response.

        Raises:
            grpc.RpcError: whatever the VM service answered.
            ForwardingError: its answer cannot be split.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        waiting = _Waiting(raw, deadline, loop.create_future())
        self._queue.append(waiting)
        if not self._pumping:
            # Behind whatever the event loop has read already: calls that arrived together go together.
            self._pumping = True
            loop.call_soon(self._pump)
        return await waiting.answer

    def _pump(self) -> None:
        """Sends what may be sent now."""
        self._pumping = False
        while self._queue and self._may_send():
            if batch := self._take():
                GATHERED.observe(len(batch))
                task = asyncio.get_running_loop().create_task(self._exchange(batch))
                self._sending[task] = len(batch)
                task.add_done_callback(self._sent)

    def _may_send(self) -> bool:
        """When idle at once; beside batches in progress only with as much company as the largest of them had."""
        if not self._sending:
            return True
        return len(self._sending) < self._max_in_flight and len(self._queue) >= max(self._sending.values())

    def _sent(self, task: "asyncio.Task[None]") -> None:
        del self._sending[task]
        self._pump()

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while (
            self._queue
            and len(batch) < self._max_count
            and (not batch or size + len(self._queue[0].raw) <= MAX_BATCH_BYTES)
        ):
            waiting = self._queue.popleft()
            # Callers that gave up while they waited have cancelled their future.
            if not waiting.answer.done():
                batch.append(waiting)
                size += len(waiting.raw)
        return batch

    async def _exchange(self, batch: list[_Waiting]) -> None:
        try:
            answers = self._split(await self._send(b"".join(item.raw for item in batch), _timeout_s(batch)), len(batch))
        except grpc.RpcError as error:
            if len(batch) > 1 and error.code() in _REFUSED_WHOLE:
                middle = len(batch) // 2
                await self._exchange(batch[:middle])
                await self._exchange(batch[middle:])
            else:
                _fail(batch, error)
        except asyncio.CancelledError:
            # The channel was closed: its address is gone, and with it the next batches of this gatherer.
            _fail([*batch, *self._queue], NoEndpointError("the VM service went away"))
            self._queue.clear()
            raise
        except Exception as error:  # noqa: BLE001 - every waiting caller gets it, and raises it in its own handler
            _fail(batch, error)
        else:
            for item, answer in zip(batch, answers, strict=True):
                if not item.answer.done():
                    item.answer.set_result(answer)

    @staticmethod
    def _split(response: bytes, count: int) -> list[bytes]:
        if count == 1:
            return [response]
        try:
            outcomes, rest = wire.split(response, _ITEMS)
        except wire.WireError:
            outcomes, rest = [], b""
        if len(outcomes) != count:
            raise ForwardingError("the VM service answered another number of outcomes than it was sent transactions")
        return [outcome + rest for outcome in outcomes]


def _timeout_s(batch: list[_Waiting]) -> float | None:
    """The longest of the callers' own deadlines; a caller whose deadline comes earlier just stops waiting."""
    deadlines = [item.deadline for item in batch if item.deadline is not None]
    if len(deadlines) < len(batch):
        return None
    return max(0.0, max(deadlines) - time.monotonic())


def _fail(batch: list[_Waiting], error: BaseException) -> None:
    for item in batch:
        if not item.answer.done():
            item.answer.set_exception(error)
