"""The journal: commits become durable here, several with one sync, in the order they were accepted.

`append` queues a block with its encoded record. One task takes whatever is queued, writes it as one engine batch, and
then publishes the blocks and wakes their callers. While the disk syncs, the next group gathers; when nothing is
queued, nothing waits: an idle journal adds no delay.

FAIL-STOP: when a write fails and may have happened all the same, nothing is written any more (`failure`). What is
true is then on disk only, and is read by opening the store again. A write refused before it began fails its callers
and no more.

Failpoints: `state.journal.before_commit`, `state.journal.after_commit_before_publish`; the engine has its own.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chassis import failpoint
from state_service import keys, records
from state_service.errors import StateError, StorageFailedError, StorageFullError, WritesStoppedError
from state_service.model import Durability
from state_service.storage import EngineBatch, Space, StorageEngine
from state_service.tree import Block, BlockTree

_GROUP_BYTES = 32 << 20
"""Most record bytes in one engine batch: a group larger than a block's worth would only make its callers wait
longer."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pending:
    block: Block
    record: bytes
    future: asyncio.Future[None]


@dataclass(slots=True)
class JournalCounts:
    """What happened so far."""

    commits: int = 0
    groups: int = 0
    synced_groups: int = 0
    record_bytes: int = 0


@dataclass(slots=True)
class Journal:
    """The commit queue and its one writer task. REQUIRES: one event loop."""

    engine: StorageEngine
    tree: BlockTree
    on_published: Callable[[Sequence[Block]], None]
    """Called after blocks became readable: feeds and back-pressure hang on it."""
    on_failure: Callable[[StateError], None]
    """Called once, when the journal stops for good."""
    counts: JournalCounts = field(default_factory=JournalCounts)
    failure: StateError | None = None
    _queue: list[_Pending] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _closing: bool = False

    def start(self) -> None:
        """Starts the writer task."""
        self._idle.set()
        self._task = asyncio.create_task(self._run(), name="state-journal")

    async def stop(self) -> None:
        """Finishes what is queued, refuses what comes later, and ends the writer task."""
        self._closing = True
        if self._task is None:
            return
        await self._idle.wait()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    def append(self, block: Block, record: bytes) -> asyncio.Future[None]:
        """Queues a block that is attached before anybody else has a turn.

        Returns:
            Done when the block is published; fails when its record could not be written.

        Raises:
            WritesStoppedError: the journal has stopped.
        """
        self.check()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve)
        block.durable = future
        self._queue.append(_Pending(block, record, future))
        self._idle.clear()
        self._wake.set()
        return future

    def check(self) -> None:
        """Raises when the journal has stopped, or is being stopped.

        Raises:
            WritesStoppedError: always then.
        """
        if self.failure is not None:
            raise WritesStoppedError(self.failure.reason)
        if self._closing:
            raise WritesStoppedError("CLOSING")

    def condemn(self, error: StateError) -> None:
        """Stops the journal for a reason found elsewhere: damage that a read came upon."""
        self._failed(error)

    async def drained(self) -> None:
        """Waits until nothing is queued or being written."""
        await self._idle.wait()

    async def write(self, batch: EngineBatch, *, sync: bool) -> None:
        """Writes another batch of the store under the same fail-stop rule.

        Raises:
            StateError: refused or failed; after an uncertain failure the journal has stopped.
        """
        if self.failure is not None:
            raise WritesStoppedError(self.failure.reason)
        try:
            await self.engine.commit(batch, sync=sync)
        except Exception as error:
            raise self._failed(error) from error

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._write_group(self._take_group())
            self._idle.set()

    def _take_group(self) -> list[_Pending]:
        count = total = 0
        while count < len(self._queue) and total < _GROUP_BYTES:
            total += len(self._queue[count].record)
            count += 1
        group, self._queue = self._queue[:count], self._queue[count:]
        return group

    async def _write_group(self, group: list[_Pending]) -> None:
        try:
            if self.failure is not None:  # found elsewhere while this group was queued
                raise WritesStoppedError(self.failure.reason)
            sync = any(pending.block.durability is Durability.SYNCED for pending in group)
            if sync:  # whoever asked for less gets more
                for pending in group:
                    pending.block.durability = Durability.SYNCED
            failpoint.hit("state.journal.before_commit")
            await self.engine.commit(_group_batch(group), sync=sync)
            failpoint.hit("state.journal.after_commit_before_publish")
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it
            self._refuse(group, self._failed(error))
            return
        self.counts.commits += len(group)
        self.counts.groups += 1
        self.counts.synced_groups += sync
        self.counts.record_bytes += sum(len(pending.record) for pending in group)
        for pending in group:
            self.tree.publish(pending.block)
        self.on_published([pending.block for pending in group])
        for pending in group:
            pending.future.set_result(None)

    def _failed(self, error: Exception) -> StateError:
        """Decides whether a failure was certain, and stops the journal when it was not."""
        if isinstance(error, StorageFullError) and error.applied is False:
            return error
        failure = error if isinstance(error, StateError) else StorageFailedError(repr(error))
        if self.failure is None:
            self.failure = failure
            log.error(
                "writes_stopped",
                exc_info=error,
                extra={"reason": failure.reason, "cause": getattr(failure, "cause", "")},
            )
            self.on_failure(failure)
        return failure

    def _refuse(self, group: list[_Pending], error: StateError) -> None:
        """Fails a group and all that is queued behind it: later commits may build on the earlier ones."""
        queued, self._queue = self._queue, []
        if self.failure is None:
            self.tree.drop_unpublished()
        for pending in (*group, *queued):
            pending.future.set_exception(error)


def _group_batch(group: list[_Pending]) -> EngineBatch:
    batch = EngineBatch()
    for pending in group:
        block = pending.block
        key = keys.journal_key(block.version, block.commit_id)
        batch.put(Space.JOURNAL, key, pending.record)
        batch.put(Space.COMMITS, key, records.encode_summary(block.summary()))
        if block.on_main:
            batch.put(Space.META, keys.META_HEAD, records.encode_place(block.place))
    return batch


def _retrieve(future: asyncio.Future[None]) -> None:
    """Marks a failure as seen: a caller that vanished must not make the loop complain."""
    if not future.cancelled():
        future.exception()
