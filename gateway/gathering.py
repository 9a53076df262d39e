"""Gathering: concurrent calls of one transaction each share a batch on their way to the VM service.

A batch costs the VM and state services little more than a single transaction. Only transactions that may wait for each
other share one (see `company`): each company has a queue and batches in progress of its own, so that a slow one holds
up nobody else, and exists only while it has calls in progress, which `admission` bounds. Nobody waits for others to
come: an idle company sends at once, and whoever arrives while a batch is in progress goes with the next one. Requests
are joined and answers split as bytes (see `wire`). Whether a transaction is accepted does not depend on the others:
should the VM service refuse or give up a whole batch, its halves are sent again, down to single transactions (which
is safe: transactions are idempotent by hash).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import grpc

from chassis.errors import from_rpc_error
from gateway import wire
from gateway.company import Company
from gateway.errors import ForwardingError
from gateway.metrics import GATHERED

Send = Callable[[bytes, float | None], Awaitable[bytes]]

MAX_BATCH_BYTES = 4 << 20
"""A gathered batch stays far below the largest message, whatever its transactions hold (64 KiB each)."""

_ITEMS = 1
"""Field number of the repeated field, in request (`transactions`) and response (`outcomes`)."""

_REFUSED_WHOLE = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED)
"""Codes by which a service may refuse a batch because of one of its transactions, or because of its size."""

_WORKER_LOST = "WORKER_LOST"
"""Reason of the VM service for giving up a batch that kept ending workers."""


@dataclass(slots=True, eq=False)
class _Waiting:
    raw: bytes
    deadline: float | None
    answer: "asyncio.Future[bytes]"
    batch: "_Batch | None" = None
    """Where it went; None: it still waits for one."""


@dataclass(slots=True, eq=False)
class _Batch:
    count: int
    open: list[_Waiting]
    """Those that want an answer, and perhaps others before the last one."""
    task: "asyncio.Task[None]"


class Gatherer:
    """Joins calls to one VM service. REQUIRES: used from one event loop."""

    def __init__(self, send: Send, *, max_count: int, max_in_flight: int) -> None:
        """Sets up an idle gatherer.

        Args:
            send: calls the VM service with a request and a timeout in seconds.
            max_count: most transactions of a batch.
            max_in_flight: most batches of a company in progress.
        """
        self._send = send
        self._max_count = max_count
        self._max_in_flight = max_in_flight
        self._queues: dict[Company, _Queue] = {}

    async def submit(self, raw: bytes, company: Company, timeout_s: float | None) -> bytes:
        """Sends a request that holds one transaction and nothing else (`wire.single`); returns its own response.

        Raises:
            grpc.RpcError: whatever the VM service answered.
            ForwardingError: its answer cannot be split.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        waiting = _Waiting(raw, deadline, asyncio.get_running_loop().create_future())
        queue = self._queues.get(company)
        if queue is None:
            queue = self._queues[company] = _Queue(
                self._send, self._max_count, self._max_in_flight, on_idle=lambda: self._queues.pop(company)
            )
        queue.add(waiting)
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            queue.leave(waiting)
            raise

    @property
    def company_count(self) -> int:
        """Companies that have calls in progress."""
        return len(self._queues)


class _Queue:
    """The waiting calls of one company and its batches in progress.

    INVARIANTS
    * Between steps of the event loop it has a batch in progress or a pump to come; otherwise it has said that it is
      idle, and is used no more.
    * Who waits, or is in a batch for which others wait, has a caller: what is here is bounded by the calls in progress.
    """

    def __init__(self, send: Send, max_count: int, max_in_flight: int, on_idle: Callable[[], object]) -> None:
        self._send = send
        self._max_count = max_count
        self._max_in_flight = max_in_flight
        self._on_idle = on_idle
        self._waiting: OrderedDict[_Waiting, None] = OrderedDict()
        self._sending: dict[asyncio.Task[None], _Batch] = {}
        self._pumping = False

    def add(self, waiting: _Waiting) -> None:
        """Lets a call wait for the next batch."""
        self._waiting[waiting] = None
        if not self._pumping:
            # Behind whatever the event loop has read already: calls that arrived together go together.
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def leave(self, waiting: _Waiting) -> None:
        """Forgets a call whose caller gave up; a batch whose callers all did is ended, as any call would be."""
        batch = waiting.batch
        if batch is None:
            self._waiting.pop(waiting, None)
            return
        while batch.open and batch.open[-1].answer.done():
            batch.open.pop()
        if not batch.open:
            batch.task.cancel()

    def _pump(self) -> None:
        self._pumping = False
        self._advance()

    def _advance(self) -> None:
        """Sends what may be sent now."""
        while self._waiting and self._may_send():
            self._start(self._take())
        if not (self._waiting or self._sending or self._pumping):
            self._on_idle()

    def _may_send(self) -> bool:
        """When idle at once; beside batches in progress only when no smaller than the largest of them."""
        if not self._sending:
            return True
        largest = max(batch.count for batch in self._sending.values())
        return len(self._sending) < self._max_in_flight and len(self._waiting) >= largest

    def _take(self) -> list[_Waiting]:
        items: list[_Waiting] = []
        size = 0
        for waiting in self._waiting:
            size += len(waiting.raw)
            if len(items) == self._max_count or (items and size > MAX_BATCH_BYTES):
                break
            items.append(waiting)
        for waiting in items:
            del self._waiting[waiting]
        return items

    def _start(self, items: list[_Waiting]) -> None:
        GATHERED.observe(len(items))
        task = asyncio.get_running_loop().create_task(self._exchange(items))
        batch = self._sending[task] = _Batch(len(items), items.copy(), task)
        for waiting in items:
            waiting.batch = batch
        task.add_done_callback(self._sent)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._sending.pop(task).open.clear()
        self._advance()

    async def _exchange(self, items: list[_Waiting]) -> None:
        try:
            answers = _split(await self._send(b"".join(item.raw for item in items), _timeout_s(items)), len(items))
        except grpc.RpcError as error:
            if len(items) > 1 and _failed_together(error):
                middle = len(items) // 2
                await self._exchange(items[:middle])
                await self._exchange(items[middle:])
            else:
                _fail(items, error)
        except Exception as error:  # noqa: BLE001 - every waiting caller gets it, and raises it in its own handler
            _fail(items, error)
        else:
            for item, answer in zip(items, answers, strict=True):
                if not item.answer.done():
                    item.answer.set_result(answer)


def _failed_together(error: grpc.RpcError) -> bool:
    return error.code() in _REFUSED_WHOLE or from_rpc_error(error).reason == _WORKER_LOST


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


def _timeout_s(items: list[_Waiting]) -> float | None:
    """The longest of the callers' own deadlines; a caller whose deadline comes earlier just stops waiting."""
    deadlines = [item.deadline for item in items if item.deadline is not None]
    if len(deadlines) < len(items):
        return None
    return max(0.0, max(deadlines) - time.monotonic())


def _fail(items: Iterable[_Waiting], error: Exception) -> None:
    for item in items:
        if not item.answer.done():
            item.answer.set_exception(error)
