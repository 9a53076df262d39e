"""What happens to a batch when its worker ends: once more elsewhere, and whoever ends two workers is blamed.

A batch that lost its worker is run again in careful mode, where each item is announced before it runs. The loss of the
first worker is a strike against the item that it named, or against every item when it named none; the loss of a later
one is a strike against the item announced last. Two strikes exclude an item: it is answered with what stopped it, is
never committed, and its hash is quarantined for a while. The other items run again without it, so that nobody pays for
his neighbours. Nobody is blamed for a worker that ends while it commits, when all items have run, or that lost the
state service. A batch whose losses name nobody is given up.

A lost worker may have committed the batch. It says under which id before it does, and the next run is told: what that
commit holds is answered as executed, what another one holds as a duplicate.

Second runs go to the worker that has done least, a spare as a rule: what an old one gathered blames no item.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from iost.vm.v1 import execution_service_pb2 as execution_pb
from vm_service import metrics
from vm_service.errors import WorkerLostError
from vm_service.manager.pool import Pool
from vm_service.manager.supervisor import WorkerGoneError, WorkerProcess
from vm_service.worker import channel

MAX_LOSSES = 12
"""Workers that one batch may cost: two for each of six hostile items, more than any batch of honest callers holds."""

MAX_NAMELESS_LOSSES = 3
"""Losses that name no item after which a batch is given up: the fault is not in an item."""

MAX_QUARANTINED = 10_000
"""Hashes remembered; the oldest is forgotten first."""

STRIKES = 2

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Blame:
    """What is known of the losses of one batch."""

    everyone: int = 0
    by_index: dict[int, int] = field(default_factory=dict)
    excluded: list[channel.Exclusion] = field(default_factory=list)
    losses: int = 0
    nameless: int = 0
    commit_ids: list[bytes] = field(default_factory=list)
    """Ids under which lost workers may have committed it."""

    def strike(self, index: int) -> bool:
        """Counts a strike; returns whether the item is out."""
        self.by_index[index] = self.by_index.get(index, 0) + 1
        return self.by_index[index] + self.everyone >= STRIKES


class Retries:
    """Runs batches, with second chances."""

    def __init__(self, quarantine_s: float) -> None:
        """Creates an empty quarantine; `quarantine_s`: how long a hash stays in it."""
        self._quarantine_s = quarantine_s
        self._quarantine: OrderedDict[bytes, tuple[float, channel.Exclusion]] = OrderedDict()
        self._next_id = 0

    async def run(
        self,
        pool: Pool,
        worker: WorkerProcess | None,
        kind: channel.Kind,
        requests: Sequence[bytes],
        contracts: Collection[str],
        *,
        expected_ms: int = 0,
        deadline: float | None = None,
    ) -> channel.Done | channel.Failed:
        """Runs a batch until it is answered.

        Args:
            pool: where workers come from.
            worker: the one to begin with, leased; None: wait for one.
            kind: kind of its requests.
            requests: its requests.
            contracts: contracts that it calls.
            expected_ms: how long it is expected to run.
            deadline: monotonic seconds at which its last caller gives up; None: none does.

        Raises:
            WorkerLostError: workers kept ending and no item can be blamed.
            NoWorkersError: there has been no worker for a while.
        """
        blame = _Blame()
        work = channel.Work(0, kind, list(requests), expected_ms=expected_ms)
        while True:
            worker = worker or await pool.wait(contracts, fresh=blame.losses > 0)
            try:
                return await self._attempt(pool, worker, blame, work, deadline)
            except WorkerGoneError as gone:
                self._judge(blame, gone, worker)
                if blame.losses >= MAX_LOSSES or blame.nameless >= MAX_NAMELESS_LOSSES:
                    raise WorkerLostError(gone.cause) from gone
                worker = None

    async def _attempt(
        self, pool: Pool, worker: WorkerProcess, blame: _Blame, work: channel.Work, deadline: float | None
    ) -> channel.Done | channel.Failed:
        self._next_id += 1
        work = msgspec.structs.replace(
            work,
            work_id=self._next_id,
            careful=blame.losses > 0,
            own_commit_ids=blame.commit_ids.copy(),
            excluded=[*blame.excluded, *self._quarantined()],
            timeout_ms=0 if deadline is None else max(1, int((deadline - time.monotonic()) * 1000)),
        )
        try:
            answer = await worker.run(work)
        except WorkerGoneError:
            pool.retire(worker)
            raise
        except BaseException:
            worker.kill("its batch was abandoned")
            pool.retire(worker)
            raise
        pool.give_back(worker)
        return answer

    # -- blame ---------------------------------------------------------------------------------------------------

    def _judge(self, blame: _Blame, gone: WorkerGoneError, worker: WorkerProcess) -> None:
        blame.losses += 1
        if gone.commit_id:
            blame.commit_ids.append(gone.commit_id)
        index, tx_hash = _named(gone)
        metrics.WORKER_LOSSES.labels(_cause(gone)).inc()
        log.warning(
            "batch_lost_worker",
            extra={"worker_id": worker.worker_id, "cause": gone.cause, "item": index, "tx": tx_hash},
        )
        if index == channel.NOBODY:
            blame.nameless += 1
            if blame.losses == 1 and not gone.detached:  # careful runs say who it was, or that it was nobody
                blame.everyone = 1
            return
        if blame.strike(index):
            exclusion = channel.Exclusion(_verdict(gone), gone.cause, index=index)
            blame.excluded.append(exclusion)
            metrics.EXCLUSIONS.inc()
            if tx_hash:
                self._isolate(tx_hash, exclusion)

    def _isolate(self, tx_hash: bytes, exclusion: channel.Exclusion) -> None:
        named = channel.Exclusion(exclusion.verdict, exclusion.message, tx_hash=tx_hash)
        self._quarantine[tx_hash] = (time.monotonic() + self._quarantine_s, named)
        while len(self._quarantine) > MAX_QUARANTINED:
            self._quarantine.popitem(last=False)

    def _quarantined(self) -> list[channel.Exclusion]:
        now = time.monotonic()
        while self._quarantine and next(iter(self._quarantine.values()))[0] <= now:
            self._quarantine.popitem(last=False)
        return [exclusion for _, exclusion in self._quarantine.values()]

    @property
    def quarantine_count(self) -> int:
        """Hashes in quarantine."""
        return len(self._quarantine)


def _named(gone: WorkerGoneError) -> tuple[int, bytes]:
    """Returns the item that a loss names and its hash, or `NOBODY`."""
    if gone.detached:
        return channel.NOBODY, b""
    if gone.stopped is not None:
        return gone.stopped.index, gone.stopped.tx_hash
    if gone.announced is not None:
        return gone.announced.index, gone.announced.tx_hash
    return channel.NOBODY, b""


def _cause(gone: WorkerGoneError) -> str:
    """Returns how the worker ended, in one word."""
    if gone.stopped is not None:
        return gone.stopped.reason
    return "silent" if gone.too_slow else "ended"


_VERDICTS: Final = {
    "timeout": execution_pb.VERDICT_TIMEOUT,
    "memory": execution_pb.VERDICT_MEMORY,
    "broken": execution_pb.VERDICT_CRASH,
}
"""What a transaction is answered with that made two workers stop, by their own reports."""


def _verdict(gone: WorkerGoneError) -> int:
    if gone.stopped is not None:
        return _VERDICTS[gone.stopped.reason]
    return execution_pb.VERDICT_TIMEOUT if gone.too_slow else execution_pb.VERDICT_CRASH
