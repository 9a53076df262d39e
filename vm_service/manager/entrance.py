"""The VM entrance: takes requests, gathers them into batches, leases workers, waits.

Requests stand in lanes. A lane runs some batches at once; which lane goes next is decided by who has waited longest.

* `blocks`: one at a time, since each builds on the one before;
* `commits`: transactions of callers. Waiting requests are gathered into one batch: when a worker is free nothing waits,
  under load batches grow. How many batches commit at once adapts to contention: halved when a batch lost a run or had
  to wait for others, one more after a while;
* `trials`: transactions of contracts that are not known to be quick (`pace.py`), one request at a time for each worker
  but one, so that everybody else waits for none of them;
* `reads`: dry runs, validation, calls, compiling: as many as there are workers.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from chassis.errors import DrainingError, RemoteError, ServiceError
from vm_service import forms, metrics
from vm_service.errors import MalformedRequestError, PoolSaturatedError
from vm_service.manager.early import EarlyTransactions
from vm_service.manager.load import LoadMeter
from vm_service.manager.pace import Pace
from vm_service.manager.pool import Pool
from vm_service.manager.retries import Retries
from vm_service.manager.supervisor import WorkerProcess
from vm_service.worker import channel

CALM_BATCHES = 50
"""Batches without a conflict after which one more may commit at the same time."""


MAX_HOLD_S = 0.05
"""Longest time for which a contended lane is held back: several ordinary batches."""

HOLD_DECAY = 0.9
"""What is left of that time after a batch that did not wait."""

LEAST_HOLD_S = 0.001
"""Shortest time for which it is worth it."""

GATHER_BYTES = 4 << 20
"""Most bytes of a gathered batch: 500 ordinary transactions have 200 kB, and a worker holds them in a dozen forms."""


@dataclass(slots=True)
class Job:
    """A request that waits for its answer."""

    kind: channel.Kind
    request: bytes
    shape: forms.Shape
    answer: asyncio.Future[bytes]
    deadline: float | None = None
    """Monotonic seconds at which its caller gives up."""
    since: float = field(default_factory=time.monotonic)


class Lane:
    """A queue of jobs and how many of its batches may run at once."""

    def __init__(self, limit: int | None) -> None:
        """Creates an empty lane; `limit`: most batches at a time; None: as many as there are workers."""
        self.limit = limit
        self.running = 0
        self.jobs: deque[Job] = deque()

    def ready(self, now: float) -> bool:
        """Tells whether a batch could start, given a worker; `now`: monotonic seconds."""
        return bool(self.jobs) and (self.limit is None or self.running < self.limit)

    def gather(self, max_items: int) -> list[Job]:
        """Takes the jobs of the next batch, in order: the first, and those that may share a batch with it."""
        first = self.jobs.popleft()
        batch, count, size = [first], first.shape.item_count, len(first.request)
        while self.jobs and not first.shape.alone:
            following = self.jobs[0]
            count += following.shape.item_count
            size += len(following.request)
            full = count > max_items or size > GATHER_BYTES
            same = following.kind == first.kind and following.shape.group == first.shape.group
            if following.shape.alone or not same or full:
                break
            batch.append(self.jobs.popleft())
        return batch


class CommitLane(Lane):
    """A lane that adapts to contention.

    Its limit follows additive increase, multiplicative decrease. Its batches wait for others' commits before they are
    gathered rather than after: each that waited with its view holds the following ones back longer, so that the callers
    who come meanwhile share them.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        """Creates the lane; `most` tells the largest limit that makes sense now."""
        super().__init__(1)
        self._most = most
        self._calm = 0
        self._hold_s = 0.0
        self.held_until = 0.0
        """Monotonic seconds before which no batch starts."""

    def ready(self, now: float) -> bool:
        """As of every lane, once it is no longer held back."""
        return super().ready(now) and now >= self.held_until

    def learn(self, figures: channel.Figures) -> None:
        """Adapts to the runs that a batch lost and the time that it waited for others."""
        waited_s = figures.wait_ms / 1000
        self._hold_s = min(MAX_HOLD_S, self._hold_s + waited_s / 2) if waited_s else self._hold_s * HOLD_DECAY
        self.held_until = time.monotonic() + self._hold_s if self._hold_s >= LEAST_HOLD_S else 0.0
        limit = self.limit or 1
        if figures.conflict_count or figures.wait_count:
            self.limit, self._calm = max(1, limit // 2), 0
            return
        self._calm += 1
        if self._calm >= CALM_BATCHES and limit < self._most():
            self.limit, self._calm = limit + 1, 0


class TrialLane(Lane):
    """A lane whose requests share no batch, and never take all workers when there are several."""

    def __init__(self, worker_count: Callable[[], int]) -> None:
        """Creates the lane; `worker_count` tells how many workers take work."""
        super().__init__(None)
        self._worker_count = worker_count

    def ready(self, now: float) -> bool:
        """As of every lane, as long as a worker is left to the others."""
        return super().ready(now) and self.running < max(1, self._worker_count() - 1)

    def gather(self, max_items: int) -> list[Job]:
        """Takes the next job."""
        return [self.jobs.popleft()]


class Entrance:
    """Runs requests on the workers of a pool."""

    def __init__(
        self,
        *,
        queue_count: int,
        gather_count: int,
        retries: Retries,
        load: LoadMeter,
        early: EarlyTransactions | None = None,
        on_figures: Callable[[channel.Figures], None] | None = None,
    ) -> None:
        """Prepares; `connect` gives it its pool.

        Args:
            queue_count: items that may wait; more are refused.
            gather_count: most items of a gathered batch.
            retries: what happens when workers end.
            load: where load is measured.
            early: where transactions ahead of the clock wait; None: they do not.
            on_figures: told what workers tell about each batch.
        """
        self._queue_count = queue_count
        self._gather_count = gather_count
        self._retries = retries
        self._load = load
        self._early = early or EarlyTransactions(0, 0)
        self._on_figures = on_figures
        self._pool: Pool | None = None
        self._pace = Pace()
        self.blocks = Lane(1)
        self.commits = CommitLane(self._worker_count)
        self.trials = TrialLane(self._worker_count)
        self.reads = Lane(None)
        self._lanes = (self.blocks, self.commits, self.trials, self.reads)
        self._queued = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._pumping: asyncio.TimerHandle | None = None
        self._draining = False
        self._drained = asyncio.Event()

    def connect(self, pool: Pool) -> None:
        """Gives the entrance its workers."""
        self._pool = pool

    def _worker_count(self) -> int:
        return self._pool.size if self._pool else 1

    # -- requests ------------------------------------------------------------------------------------------------

    async def submit(self, kind: channel.Kind, request: bytes, timeout_s: float | None = None) -> bytes:
        """Runs one serialised request and returns its serialised response.

        Args:
            kind: kind of the request.
            request: the request.
            timeout_s: time until the caller gives up; None: it never does.

        Raises:
            MalformedRequestError: the request has no acceptable form.
            TransactionAheadError: it is ahead of the clock and cannot wait.
            PoolSaturatedError: too much waits already.
            DrainingError: the service is stopping.
            ServiceError: whatever the worker answered instead of a response.
        """
        shape = self._check(kind, request)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        await self._early.wait(shape.times_ns, timeout_s)
        if self._draining:
            raise DrainingError
        if self._queued and self._queued + shape.item_count > self._queue_count:
            raise PoolSaturatedError(self._queued, self._queue_count)
        job = Job(kind, request, shape, asyncio.get_running_loop().create_future(), deadline)
        self._lane(kind, shape).jobs.append(job)
        self._queued += shape.item_count
        self.pump()
        return await job.answer

    @staticmethod
    def _check(kind: channel.Kind, request: bytes) -> forms.Shape:
        try:
            return _FORMS[kind](request)
        except DecodeError as error:
            raise MalformedRequestError("the bytes are not a message of this method's request type") from error

    def _lane(self, kind: channel.Kind, shape: forms.Shape) -> Lane:
        if shape.dry_run:
            return self.reads
        if kind != "execute":
            return self.blocks
        return self._lane_by_pace(shape)

    def _lane_by_pace(self, shape: forms.Shape) -> Lane:
        return self.commits if self._pace.is_quick(shape.contracts) else self.trials

    # -- batches -------------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Starts as many batches as lanes and workers allow. Called whenever something waits or a worker is free."""
        if self._pool is None:
            return
        while self._pool.free_count:
            now = time.monotonic()
            ready = [lane for lane in self._lanes if lane.ready(now)]
            if not ready:
                self._pump_later(now)
                return
            lane = min(ready, key=lambda item: item.jobs[0].since)
            batch = lane.gather(self._gather_count)
            self._queued -= sum(job.shape.item_count for job in batch)
            batch = [job for job in batch if not job.answer.done()]  # the caller may have gone meanwhile
            if batch:
                self._start(self._pool, lane, batch)
            else:
                self._notice_drained()

    def _pump_later(self, now: float) -> None:
        """Pumps again when the commits are no longer held back; `now`: when that was looked at."""
        rest_s = self.commits.held_until - now
        if self.commits.jobs and rest_s > 0 and self._pumping is None:
            self._pumping = asyncio.get_running_loop().call_later(rest_s, self._pump_again)

    def _pump_again(self) -> None:
        self._pumping = None
        self.pump()

    def _start(self, pool: Pool, lane: Lane, batch: list[Job]) -> None:
        """Leases a worker and runs a batch on it. REQUIRES: a worker is free."""
        contracts: Collection[str] = {name for job in batch for name in job.shape.contracts}
        lane.running += 1
        task = asyncio.get_running_loop().create_task(self._run(pool, pool.take(contracts), lane, batch, contracts))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(
        self,
        pool: Pool,
        worker: WorkerProcess | None,
        lane: Lane,
        batch: list[Job],
        contracts: Collection[str],
    ) -> None:
        kind, started = batch[0].kind, time.monotonic()
        waited_s = started - batch[0].since
        self._load.begin(waited_s)
        metrics.QUEUE_WAIT.observe(waited_s)
        metrics.BATCH_SIZE.observe(sum(job.shape.item_count for job in batch))
        end = "failed"
        try:
            requests = [job.request for job in batch]
            count = sum(job.shape.item_count for job in batch)
            answer = await self._retries.run(
                pool,
                worker,
                kind,
                requests,
                contracts,
                expected_ms=int(count * self._pace.expected_s(contracts) * 1000),
                deadline=_last_deadline(batch),
            )
            self._learn(lane, answer.figures)
            if lane in (self.commits, self.trials):
                self._learn_pace(batch, contracts, time.monotonic() - started - answer.figures.idle_ms / 1000)
            _deliver(batch, answer)
            end = "answered"
            metrics.ITEMS.labels(kind).inc(sum(job.shape.item_count for job in batch))
        except Exception as error:  # noqa: BLE001 - every caller of the batch gets it; the boundary maps it
            for job in batch:
                if not job.answer.done():
                    job.answer.set_exception(error)
        finally:
            metrics.BATCHES.labels(kind, end).inc()
            metrics.BATCH_TIME.observe(time.monotonic() - started)
            self._load.end()
            lane.running -= 1
            self.pump()
            self._notice_drained()

    def _learn(self, lane: Lane, figures: channel.Figures) -> None:
        """Takes over what a worker tells of its batch."""
        if self._on_figures is not None:
            self._on_figures(figures)
        metrics.CONFLICTS.inc(figures.conflict_count)
        metrics.PLACE_WAITS.inc(figures.wait_count)
        metrics.STATE_READS.inc(figures.read_call_count)
        for tier, count in (("pinned", figures.pinned), ("recent", figures.recent), ("cold", figures.cold)):
            metrics.HOT_USES.labels(tier).inc(count)
        if isinstance(lane, CommitLane):
            lane.learn(figures)
            metrics.COMMIT_LANES.set(lane.limit or 0)

    def _learn_pace(self, batch: list[Job], contracts: Collection[str], seconds: float) -> None:
        """Takes note of how quick contracts are; jobs that wait for a trial and need none any more go to the others."""
        count = sum(job.shape.item_count for job in batch)
        if not self._pace.learn(contracts, seconds / count):
            return
        waiting, self.trials.jobs = self.trials.jobs, deque()
        for job in waiting:
            self._lane_by_pace(job.shape).jobs.append(job)
        self.commits.jobs = deque(sorted(self.commits.jobs, key=lambda job: job.since))

    def fail_waiting(self, error: ServiceError) -> None:
        """Answers everything that waits with an error."""
        for lane in self._lanes:
            while lane.jobs:
                job = lane.jobs.popleft()
                self._queued -= job.shape.item_count
                if not job.answer.done():
                    job.answer.set_exception(error)
        self._notice_drained()

    # -- end -----------------------------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Refuses new requests and those ahead of the clock, and waits for the others that were accepted."""
        self._draining = True
        self._early.stop()
        self._notice_drained()
        await self._drained.wait()

    def _notice_drained(self) -> None:
        if self._draining and not any(lane.jobs or lane.running for lane in self._lanes):
            self._drained.set()

    @property
    def oldest_wait_s(self) -> float:
        """How long the oldest request that could run has been waiting; 0 when none does."""
        now = time.monotonic()
        waits = [now - lane.jobs[0].since for lane in self._lanes if lane.ready(now)]
        return max(waits, default=0.0)

    @property
    def queued(self) -> int:
        """Items that wait for a worker."""
        return self._queued


def _last_deadline(batch: list[Job]) -> float | None:
    """Returns when the last caller of a batch gives up; None when one never does."""
    deadlines = [job.deadline for job in batch if job.deadline is not None]
    return max(deadlines) if len(deadlines) == len(batch) else None


def _deliver(batch: list[Job], answer: channel.Done | channel.Failed) -> None:
    if isinstance(answer, channel.Failed):
        status = status_pb2.Status.FromString(answer.status)
        raise RemoteError(status, channel.status_code(status.code))
    for job, response in zip(batch, answer.responses, strict=True):
        if not job.answer.done():
            job.answer.set_result(response)


_FORMS: dict[channel.Kind, Callable[[bytes], forms.Shape]] = {
    "execute": forms.execute,
    "validate": forms.validate,
    "call": forms.call,
    "execute_block": forms.execute_block,
    "validate_block": forms.validate_block,
    "compile": forms.compile_sources,
}
