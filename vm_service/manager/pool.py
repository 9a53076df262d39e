"""The set of workers: lease, return, retire, replace.

INVARIANTS
* A worker is in exactly one place: starting, spare, free, leased or leaving.
* `size` workers are free or leased and `spare_count` more stand ready, or are being started.
* A worker that ends is replaced, by a spare at once when there is one; starts that fail are repeated with back-off.
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass

from vm_service import metrics
from vm_service.errors import NoWorkersError
from vm_service.manager import affinity
from vm_service.manager.supervisor import BEAT_SECONDS, Images, WorkerGoneError, WorkerProcess, WorkerState
from vm_service.worker import channel

FIRST_BACK_OFF_S = 0.1
LAST_BACK_OFF_S = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How the pool keeps its workers."""

    size: int
    """Workers that take work."""
    spare_count: int
    """Started workers that wait to replace one."""
    start_s: float
    """Time for a worker to become ready."""
    silence_s: float
    """A busy worker that says nothing for so long is killed."""
    recycle_items: int = 1_000_000
    """Items after which a worker is replaced."""
    recycle_heap_bytes: int = 96 << 20
    """Heap in use, garbage not counted, at which a worker is replaced."""


class Pool:
    """The workers of one VM service.

    Attributes:
        restart_count: workers that ended without being asked to, starting ones included.
    """

    def __init__(
        self,
        settings: PoolSettings,
        start: Callable[[str], channel.Start],
        *,
        on_free: Callable[[], None],
        on_start: Callable[[channel.Start, channel.Ready | None, str], None] | None = None,
        images: Images | None = None,
    ) -> None:
        """Prepares; `open` starts the workers.

        Args:
            settings: sizes and times.
            start: makes the start message of a worker by its id.
            on_free: called whenever a worker became free.
            on_start: called after a start with its message and either what the worker said or how it ended by itself;
                not called when the machine could not spawn it, or when it could not reach the state service.
            images: what workers may ask for.
        """
        self._on_start = on_start
        self._images = images
        self._settings = settings
        self._size = settings.size
        self._start = start
        self._on_free = on_free
        self._ids = itertools.count(1)
        self._workers: dict[str, WorkerProcess] = {}
        self._free: list[WorkerProcess] = []
        self._spares: list[WorkerProcess] = []
        self._leased: set[WorkerProcess] = set()
        self._waiting: deque[asyncio.Event] = deque()
        self._starting = 0
        self._start_failure = ""
        self._back_off_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._dark = False
        self.restart_count = 0
        self._changed = asyncio.Event()

    # -- life ----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Starts the workers; returns when `size` of them take work.

        Raises:
            WorkerGoneError: the first workers cannot start.
        """
        self._refill()
        self._in_background(self._watch())
        while len(self._free) < self._size:
            if self._back_off_s >= FIRST_BACK_OFF_S * 8:
                raise WorkerGoneError(self._start_failure)
            self._changed.clear()
            await self._changed.wait()

    async def close(self, grace_s: float = 1.0) -> None:
        """Ends all workers; batches that run are lost."""
        self._closing = True
        for turn in self._waiting:
            turn.set()
        for task in self._tasks:
            task.cancel()
        for worker in self._leased:
            worker.kill("the service stops")
        leaving = [worker.stop(grace_s) for worker in self._workers.values()]
        await asyncio.gather(*self._tasks, *leaving, return_exceptions=True)

    def resize(self, size: int) -> None:
        """Changes the number of workers; leased ones leave when they are returned."""
        self._size = size
        self._settle()

    # -- leases --------------------------------------------------------------------------------------------------

    def take(self, contracts: Collection[str] = (), *, fresh: bool = False) -> WorkerProcess | None:
        """Leases a free worker, preferring one that holds the contracts hot; None when there is none.

        Args:
            contracts: what the batch calls.
            fresh: prefer the worker that has done least instead.
        """
        if not self._free:
            return None
        if fresh:
            index = min(range(len(self._free)), key=lambda place: self._free[place].figures.transaction_count)
        else:
            index = affinity.choose([worker.figures.hot_contracts for worker in self._free], contracts)
        worker = self._free.pop(index)
        worker.state = WorkerState.BUSY
        self._leased.add(worker)
        return worker

    async def wait(self, contracts: Collection[str] = (), *, fresh: bool = False) -> WorkerProcess:
        """Waits for a free worker and leases it, in the order of the calls and before whoever asks with `take`.

        Raises:
            NoWorkersError: there has been no worker for a while, or the pool is being closed.
        """
        self._check_hope()
        turn = asyncio.Event()
        self._waiting.append(turn)
        try:
            while True:
                if self._waiting[0] is turn and (worker := self.take(contracts, fresh=fresh)) is not None:
                    return worker
                turn.clear()
                await turn.wait()
                self._check_hope()
        finally:
            self._waiting.remove(turn)
            self._announce_free()

    def _check_hope(self) -> None:
        if self._closing or self._dark:
            raise NoWorkersError

    def give_back(self, worker: WorkerProcess) -> None:
        """Returns a leased worker, dead or alive; one that has done enough leaves and is replaced."""
        reason = self._worn_out(worker)
        if worker.state is WorkerState.BUSY and reason:
            metrics.RECYCLED.labels(reason).inc()
            self.retire(worker)
            return
        self._leased.discard(worker)
        if worker.state is WorkerState.BUSY:
            worker.state = WorkerState.IDLE
            self._free.append(worker)
        self._settle()

    def _worn_out(self, worker: WorkerProcess) -> str:
        """Returns why a worker should be replaced; empty: it should not."""
        if worker.figures.transaction_count >= self._settings.recycle_items:
            return "items"
        if worker.figures.heap_bytes >= self._settings.recycle_heap_bytes:
            return "heap"
        return "memory" if worker.figures.crowded else ""

    def retire(self, worker: WorkerProcess) -> None:
        """Takes a leased worker out of service; it leaves and is replaced."""
        self._leased.discard(worker)
        self._in_background(worker.stop(1.0))
        self._settle()

    def set_dark(self, dark: bool) -> None:
        """Tells that there has been no worker for a while, or that there is one again."""
        self._dark = dark
        if dark:
            for turn in self._waiting:
                turn.set()

    @property
    def free_count(self) -> int:
        """Workers that could take new work now; batches that lost theirs come first."""
        return 0 if self._waiting else len(self._free)

    @property
    def usable_count(self) -> int:
        """Workers that take work or run a batch."""
        return len(self._free) + len(self._leased)

    @property
    def size(self) -> int:
        """Workers wanted."""
        return self._size

    def workers(self) -> list[WorkerProcess]:
        """Returns all workers, oldest first, spares included."""
        return list(self._workers.values())

    # -- replacing -----------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Brings the sets to their sizes: promotes spares, retires the surplus, starts what is missing.

        Tells whoever waits of a worker that is free then.
        """
        while self._spares and len(self._free) + len(self._leased) < self._size:
            worker = self._spares.pop(0)
            worker.state = WorkerState.IDLE
            self._free.append(worker)
        while self._free and len(self._free) + len(self._leased) > self._size:
            self._in_background(self._free.pop(0).stop(1.0))
        self._refill()
        self._changed.set()
        self._announce_free()

    def _refill(self) -> None:
        if self._closing:
            return
        have = len(self._free) + len(self._leased) + len(self._spares) + self._starting
        for _ in range(self._size + self._settings.spare_count - have):
            self._starting += 1
            self._in_background(self._start_one())

    async def _start_one(self) -> None:
        worker_id = f"w{next(self._ids)}"
        worker = WorkerProcess(
            worker_id, silence_s=self._settings.silence_s, on_gone=self._on_gone, images=self._images
        )
        await asyncio.sleep(self._back_off_s)
        began, message = time.monotonic(), None
        try:
            message = self._start(worker_id)
            self._workers[worker_id] = worker
            await worker.start(message, self._settings.start_s)
        except Exception as error:  # whatever it is, the pool must not stay a worker short
            expected = isinstance(error, WorkerGoneError | OSError)
            log.warning(
                "worker_not_started",
                exc_info=None if expected else error,
                extra={"worker_id": worker_id, "cause": str(error)},
            )
            self._workers.pop(worker_id, None)
            self.restart_count += 1
            self._start_failure = str(error)
            self._back_off_s = min(max(FIRST_BACK_OFF_S, self._back_off_s * 2), LAST_BACK_OFF_S)
            if message is not None and self._on_start is not None and _own_failure(error):
                self._on_start(message, None, str(error))
        else:
            self._back_off_s = 0.0
            worker.state = WorkerState.IDLE
            self._spares.append(worker)
            if self._on_start is not None:
                self._on_start(message, worker.ready, "")
            _show_start(worker, time.monotonic() - began)
        finally:
            self._starting -= 1
        self._settle()

    def _on_gone(self, worker: WorkerProcess) -> None:
        if self._workers.pop(worker.worker_id, None) is None or self._closing:
            return
        asked = worker not in self._leased and worker not in self._free and worker not in self._spares
        for place in (self._free, self._spares):
            if worker in place:
                place.remove(worker)
        self._leased.discard(worker)
        if not asked:
            self.restart_count += 1
            log.warning("worker_lost", extra={"worker_id": worker.worker_id, "pid": worker.pid})
        self._settle()

    def _announce_free(self) -> None:
        if self._free and self._waiting:
            self._waiting[0].set()
        elif self._free:
            self._on_free()

    async def _watch(self) -> None:
        late = False
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            # Where this process itself stood still, what workers said meanwhile is read before they are judged.
            late = not late and time.monotonic() - before > 2 * BEAT_SECONDS
            if late:
                continue
            for worker in list(self._workers.values()):
                worker.watch()

    def _in_background(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _own_failure(error: Exception) -> bool:
    """Tells whether a start failed because of what the worker was to start from."""
    return isinstance(error, WorkerGoneError) and not error.detached


def _show_start(worker: WorkerProcess, start_s: float) -> None:
    metrics.WORKER_STARTS.observe(start_s)
    ready = worker.ready
    log.info(
        "worker_ready",
        extra={
            "worker_id": worker.worker_id,
            "pid": worker.pid,
            "start_ms": round(start_s * 1000, 1),
            "boot_ms": round(ready.boot_ms, 1) if ready else 0.0,
            "origin": ready.origin if ready else "",
        },
    )
