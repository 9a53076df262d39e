"""The VM entrance: takes requests, gathers them into batches, leases workers, waits.

Requests stand in lanes (`lanes.py`). A lane runs some batches at once; the lane that used least worker time lately
goes next (`shares.py`), so that no lane waits for the whole queue of another one.

* `blocks`: one at a time, since each builds on the one before;
* `commits`: transactions of callers. Waiting requests are gathered into one batch: when a worker is free nothing waits,
  under load batches grow. How many batches commit at once adapts to contention: halved when a batch lost a run or had
  to wait for others, one more after a while;
* `trials`: transactions of contracts that are not known to be quick (`pace.py`), one request at a time;
* `reads`: dry runs, validation and calls of contracts that are known to be quick when they are only read: as many as
  there are workers;
* `studies`: other reads, and compiling, one request at a time.

Trials and studies together run on all workers but one. Among them the account (`Shape.account`) that used least worker
time lately goes next. Reads have a pace of their own: they are free, so they must not decide how transactions run.
"""

import asyncio
import time
from collections.abc import Callable, Collection

from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from chassis.errors import DrainingError, RemoteError, ServiceError
from vm_service import forms, metrics
from vm_service.errors import BatchTooLongError, MalformedRequestError, PoolSaturatedError, ResultsTooLargeError
from vm_service.manager.early import EarlyTransactions
from vm_service.manager.lanes import QUEUE_SHARE, CommitLane, GuardedLane, GuardedLanes, Job, Lane
from vm_service.manager.load import LoadMeter
from vm_service.manager.pace import Pace
from vm_service.manager.pool import Pool
from vm_service.manager.retries import Retries
from vm_service.manager.shares import Shares
from vm_service.manager.supervisor import WorkerProcess
from vm_service.worker import channel

FAILED_TOGETHER = (BatchTooLongError.reason, ResultsTooLargeError.reason)
"""Reasons for which requests that share a batch fail, though each of them might not by itself."""


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
        self._read_pace = Pace()
        self.blocks = Lane("blocks", 1)
        self.commits = CommitLane(self._worker_count)
        self.reads = Lane("reads", None, share=1 / QUEUE_SHARE)
        self.trials, self.studies = GuardedLanes(self._worker_count, "trials", "reads").lanes
        self._lanes = (self.blocks, self.commits, self.trials, self.reads, self.studies)
        self._shares: Shares[str] = Shares()
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
        job = Job(kind, request, shape, asyncio.get_running_loop().create_future(), deadline)
        lane = self._lane(job)
        self._check_room(lane, shape.item_count)
        lane.add(job)
        self.pump()
        return await job.answer

    def _check_room(self, lane: Lane, count: int) -> None:
        """Refuses what the queue, or the part of it that a lane may fill, has no room for; an empty one takes all."""
        limit = int(lane.share * self._queue_count)
        for queued, most in ((self.queued, self._queue_count), (lane.queued, limit)):
            if queued and queued + count > most:
                raise PoolSaturatedError(queued, most)

    @staticmethod
    def _check(kind: channel.Kind, request: bytes) -> forms.Shape:
        try:
            return _FORMS[kind](request)
        except DecodeError as error:
            raise MalformedRequestError("the bytes are not a message of this method's request type") from error

    def _lane(self, job: Job) -> Lane:
        if job.shape.dry_run:
            is_quick = job.kind != "compile" and self._read_pace.is_quick(job.shape.companies)
            return self.reads if is_quick else self.studies
        if job.kind != "execute":
            return self.blocks
        return self.commits if self._pace.is_quick(job.shape.companies) and not job.alone else self.trials

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
            lane = min(ready, key=lambda item: (self._shares.spent_s(item.name), item.jobs[0].since))
            gathered = lane.gather(self._gather_count)
            batch = [job for job in gathered if not job.answer.done()]  # the caller may have gone meanwhile
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
            answer = await self._retries.run(
                pool,
                worker,
                kind,
                requests,
                contracts,
                expected_ms=self._expected_ms(batch),
                deadline=_last_deadline(batch),
            )
            self._learn(lane, answer.figures)
            if lane is not self.blocks and kind != "compile":
                self._learn_pace(batch, answer.figures)
            self._deliver(batch, answer)
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
            self._charge(lane, batch, time.monotonic() - started)
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

    def _charge(self, lane: Lane, batch: list[Job], seconds: float) -> None:
        """Charges the time of a batch to its lane, and to its account where accounts take turns."""
        self._shares.charge(lane.name, seconds)
        if isinstance(lane, GuardedLane):
            lane.shares.charge(batch[0].shape.account, seconds)

    def _learn_pace(self, batch: list[Job], figures: channel.Figures) -> None:
        """Takes note of how quick companies are; jobs that need no guarded lane any more go to the others."""
        is_read = batch[0].shape.dry_run
        pace = self._read_pace if is_read else self._pace
        companies = [company for job in batch for company in job.shape.companies]
        if pace.learn(companies, figures.ran_ms / 1000, used=frozenset(figures.used), slow=figures.slow):
            self._place_again(self.studies if is_read else self.trials, self.reads if is_read else self.commits)

    def _place_again(self, guarded: Lane, open_lane: Lane) -> None:
        for job in guarded.take_all():
            self._lane(job).add(job)
        open_lane.sort()

    def _expected_ms(self, batch: list[Job]) -> int:
        companies = (company for job in batch for company in job.shape.companies)
        return int(sum(map(self._pace.expected_s, companies)) * 1000)

    def _deliver(self, batch: list[Job], answer: channel.Done | channel.Failed) -> None:
        """Answers the callers of a batch; those at its end for whom there was no time wait for another one.

        Raises:
            RemoteError: the worker answered an error for all of them.
        """
        if isinstance(answer, channel.Done):
            for job, response in zip(batch, answer.responses, strict=False):
                if not job.answer.done():
                    job.answer.set_result(response)
            self._wait_again(batch[len(answer.responses) :])
            return
        status = status_pb2.Status.FromString(answer.status)
        error = RemoteError(status, channel.status_code(status.code))
        if error.reason not in FAILED_TOGETHER or len(batch) == 1:
            raise error
        for job in batch:
            job.alone = True
        self._wait_again(batch)

    def _wait_again(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._lane(job).add(job)
        if jobs:
            self.commits.sort()

    def fail_waiting(self, error: ServiceError) -> None:
        """Answers everything that waits with an error."""
        for lane in self._lanes:
            for job in lane.take_all():
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
        return sum(lane.queued for lane in self._lanes)


def _last_deadline(batch: list[Job]) -> float | None:
    """Returns when the last caller of a batch gives up; None when one never does."""
    deadlines = [job.deadline for job in batch if job.deadline is not None]
    return max(deadlines) if len(deadlines) == len(batch) else None


_FORMS: dict[channel.Kind, Callable[[bytes], forms.Shape]] = {
    "execute": forms.execute,
    "validate": forms.validate,
    "call": forms.call,
    "execute_block": forms.execute_block,
    "validate_block": forms.validate_block,
    "compile": forms.compile_sources,
}
