"""VMManager: entrance, pool and retries put together from the settings."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from vm_service import metrics
from vm_service.config import VmConfig, cpu_count
from vm_service.errors import NoWorkersError
from vm_service.manager.autoscaler import ScaleRule, ScaleState, decide
from vm_service.manager.early import EarlyTransactions
from vm_service.manager.entrance import Entrance
from vm_service.manager.images import ImageKeeper
from vm_service.manager.load import LoadMeter
from vm_service.manager.pool import Pool, PoolSettings
from vm_service.manager.retries import Retries
from vm_service.manager.snapshots import SnapshotKeeper
from vm_service.manager.supervisor import WorkerProcess, WorkerState, usable_cpu_count
from vm_service.model import Limits
from vm_service.worker import channel
from vm_service.worker.hotset import TierHits

LOOK_SECONDS = 0.25
"""How often the load is looked at: twice within the shortest time that a need must last."""

SHOWN_CONTRACTS = 10
"""Contracts named in the metrics: each is a time series, and the list changes with the load."""

DARK_SECONDS = 3.0
"""How long there may be no worker before calls are refused: longer than a restart of the state service takes."""

log = logging.getLogger(__name__)


async def _ignore(_serving: bool) -> None:
    """Does nothing with what health would say."""


class VMManager:
    """The owner of all workers of one VM service."""

    def __init__(
        self,
        config: VmConfig,
        *,
        failpoints: str = "",
        on_serving: Callable[[bool], Awaitable[None]] | None = None,
    ) -> None:
        """Prepares; `open` starts the workers.

        Args:
            config: settings of the service.
            failpoints: armed in each worker; empty outside of tests.
            on_serving: told when no worker has been there for a while, and when there is one again.
        """
        self._on_serving = on_serving or _ignore
        self._dark = False
        self._dark_looks = 0
        self._config = config
        self._failpoints = failpoints
        self._retries = Retries(config.quarantine_ms / 1000)
        self.snapshots = SnapshotKeeper(config)
        self.uses = TierHits()
        self._background: list[asyncio.Task[None]] = []
        most = config.worker_count_max or max(cpu_count(fallback=usable_cpu_count()), config.worker_count_min)
        self.load = LoadMeter(most)
        self._rule = ScaleRule(least=config.worker_count_min, most=most, down_after_s=config.scale_down_ms / 1000)
        self._entrance = Entrance(
            queue_count=config.queue_count,
            gather_count=config.gather_count,
            retries=self._retries,
            load=self.load,
            early=EarlyTransactions(config.transaction_ahead_ms * 10**6, config.early_count),
            on_figures=self._on_figures,
        )
        settings = PoolSettings(
            size=config.worker_count_min,
            spare_count=config.worker_spare_count,
            start_s=config.worker_start_ms / 1000,
            recycle_items=config.recycle_items,
            recycle_heap_bytes=config.heap_bytes * 3 // 4,
            silence_s=(config.transaction_ms + Limits().kill_grace_ms) / 1000,
        )
        self._images = ImageKeeper(config)
        self._pool = Pool(
            settings,
            self._start_message,
            on_free=self._entrance.pump,
            on_start=self._on_start,
            images=self._images,
        )
        self._entrance.connect(self._pool)

    def _start_message(self, worker_id: str) -> channel.Start:
        config = self._config
        return channel.Start(
            worker_id=worker_id,
            state_target=config.state_address,
            max_message_bytes=config.max_message_bytes,
            transaction_ms=config.transaction_ms,
            heap_bytes=config.heap_bytes,
            image_bytes=config.image_bytes,
            state_timeout_ms=config.state_timeout_ms,
            start_ms=config.worker_start_ms,
            chain_id=config.chain_id,
            generate_ahead_ms=config.generate_ahead_ms,
            validate_ahead_ms=config.validate_ahead_ms,
            trust_signature_claims=config.trust_signature_claims,
            transaction_ahead_ms=config.transaction_ahead_ms,
            flags=config.v8_flags,
            confined=config.confined,
            snapshot_folder=str(self.snapshots.path()),
            snapshot_key=self.snapshots.key,
            hot=self.snapshots.hot(),
            pinned=list(config.pinned_contracts),
            failpoints=self._failpoints,
            log_level=config.log_level,
        )

    async def open(self) -> None:
        """Starts the workers; returns when all of them take work.

        Raises:
            WorkerGoneError: workers do not start.
        """
        await self._pool.open()
        loop = asyncio.get_running_loop()
        self._background = [loop.create_task(self._scale()), loop.create_task(self.snapshots.run())]
        self._background.append(loop.create_task(self._images.run()))

    def _on_figures(self, figures: channel.Figures) -> None:
        """A batch was answered."""
        self.snapshots.count(figures.used)
        self.uses.pinned += figures.pinned
        self.uses.recent += figures.recent
        self.uses.cold += figures.cold

    def _on_start(self, message: channel.Start, ready: channel.Ready | None, cause: str) -> None:
        """A worker has started, or has not."""
        if ready is not None:
            self.snapshots.started(message.snapshot_key, ready)
        else:
            self.snapshots.failed(message.snapshot_key, cause)

    async def _scale(self) -> None:
        """Looks at the load and follows it."""
        state = ScaleState(self._pool.size)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._notice_darkness()
            self._show()
            before = state.size
            state = decide(state, self.load.look(self._pool.size, self._entrance.oldest_wait_s), self._rule)
            if state.size != before:
                log.info("workers_scaled", extra={"before": before, "after": state.size})
                self._pool.resize(state.size)

    def _show(self) -> None:
        """Brings the gauges up to date."""
        metrics.QUEUED.set(self._entrance.queued)
        metrics.WORKERS_WANTED.set(self._pool.size)
        metrics.SLOTS_BUSY.set(self.load.busy_ratio)
        metrics.QUARANTINED.set(self._retries.quarantine_count)
        counts = Counter(worker.state for worker in self._pool.workers())
        for worker_state in WorkerState:
            metrics.WORKERS.labels(worker_state.value).set(counts[worker_state])
        metrics.HOTTEST.clear()
        for contract, count in self.snapshots.uses()[:SHOWN_CONTRACTS]:
            metrics.HOTTEST.labels(contract).set(count)

    async def _notice_darkness(self) -> None:
        """Without any worker for a while, nothing waits any longer and health says so, until there is one again."""
        if self._pool.usable_count:
            self._dark_looks = 0
        else:
            self._dark_looks += 1
        dark = self._dark_looks * LOOK_SECONDS >= DARK_SECONDS
        if dark:
            self._entrance.fail_waiting(NoWorkersError())
        if dark != self._dark:
            self._dark = dark
            log.warning("workers_missing" if dark else "workers_back")
            self._pool.set_dark(dark)
            await self._on_serving(not dark)

    async def submit(self, kind: channel.Kind, request: bytes, timeout_s: float | None = None) -> bytes:
        """Runs one request; see `Entrance.submit`.

        Raises:
            NoWorkersError: there has been no worker for a while.
        """
        if self._dark:
            raise NoWorkersError
        return await self._entrance.submit(kind, request, timeout_s)

    async def drain(self) -> None:
        """Refuses new requests and finishes those that were accepted."""
        await self._entrance.drain()

    async def close(self) -> None:
        """Ends all workers."""
        for task in self._background:
            task.cancel()
        self.snapshots.close()
        await self._images.close()
        await self._pool.close()

    def workers(self) -> list[WorkerProcess]:
        """Returns all workers, oldest first."""
        return self._pool.workers()

    @property
    def restart_count(self) -> int:
        """Workers that ended without being asked to."""
        return self._pool.restart_count

    @property
    def wanted_count(self) -> int:
        """Workers wanted by the autoscaler."""
        return self._pool.size

    @property
    def quarantine_count(self) -> int:
        """Transaction hashes in quarantine."""
        return self._retries.quarantine_count

    @property
    def queued(self) -> int:
        """Items that wait for a worker."""
        return self._entrance.queued

    @property
    def build_id(self) -> str:
        """Names runtime, gas schedule and engine; empty before a worker told it."""
        return next((worker.ready.build_id for worker in self._pool.workers() if worker.ready), "")
