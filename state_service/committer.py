"""Changes to the tree of commits: commit, finalise, discard.

A commit is checked and attached in one go without waiting, so two commits can never both build on the same head by
accident; then it waits for the journal with everybody else. Finalising and discarding are rare and exclusive: they
wait until the journal is drained, write, and only then change the tree, so that what readers see is always on disk.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from state_service import commitment, keys, records
from state_service.config import StateConfig
from state_service.dropped import drop_batch
from state_service.errors import (
    BacklogFullError,
    BlockHashError,
    BlockNotFoundError,
    FinalityError,
    OutOfOrderError,
    StaleEpochError,
    VersionUnavailableError,
    WriteConflictError,
)
from state_service.feed import Feed
from state_service.flusher import Flusher
from state_service.headers import BlockTime, block_time
from state_service.history import History
from state_service.journal import Journal
from state_service.model import CommitResult, CommitSummary, StoredBlock, WriteBatch
from state_service.places import Places, follows
from state_service.reader import Reader
from state_service.storage import EngineBatch, Space
from state_service.tree import Block, BlockTree
from state_service.wholly import Wholly


@dataclass(slots=True)
class Committer:
    """The write side of the store."""

    config: StateConfig
    tree: BlockTree
    journal: Journal
    history: History
    flusher: Flusher
    feed: Feed
    reader: Reader
    places: Places
    changes: Wholly = field(default_factory=Wholly)
    """Callers' changes of the tree that are under way."""
    _structure: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while finalising or discarding; commits wait for it before they attach."""
    _recording: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a hash is recorded, so that two different ones cannot both be the first."""

    async def commit(self, batch: WriteBatch) -> CommitResult:
        """Applies a batch whole or refuses it whole.

        Raises:
            StaleEpochError: the caller believes in an earlier writer.
            WriteConflictError: a key that was read has changed on the parent, or another commit is the newest.
            PlaceLostError: the place of the commit has passed.
            OutOfOrderError: number or time of a linear commit does not exceed that of its parent.
            BlockNotFoundError: the parent is not live.
            FinalityError: the parent is older than the final block.
            BacklogFullError: L2 is full and stays so.
            StorageFullError: no disk space; nothing was applied.
            WritesStoppedError: an earlier write is uncertain.
        """
        try:
            return await self._commit(batch)
        finally:
            self.places.end(batch.place_id)

    async def _commit(self, batch: WriteBatch) -> CommitResult:
        if (known := await self._duplicate(batch)) is not None:
            return known
        await self._wait_for_room()
        writes = {key: batch.writes[key] for key in sorted(batch.writes)}
        section = records.encode_writes(writes)
        if batch.place_id:
            self.places.check(batch.place_id)
        parent = await self._checked_parent(batch)
        if batch.place_id and await self.places.turn(batch.place_id):
            parent = await self._checked_parent(batch)
        while self._known(batch.commit_id) is not None:  # a twin came in while this one waited; it may be gone again
            if (known := await self._duplicate(batch)) is not None:
                return known
            parent = await self._checked_parent(batch)
        # From here on nothing waits: what was checked still holds.
        if batch.place_id:
            self.places.check(batch.place_id)
        version = parent.version + 1
        value = commitment.chain(parent.commitment, version, section)
        record = records.encode_record(version, section, batch.transactions, batch.header, batch.answer)
        linear = batch.parent_id is None
        summary = CommitSummary(
            batch.commit_id, version, parent.commit_id, value, batch.durability, linear, named=batch.named
        )
        block = Block(summary, parent, writes, batch.transactions, batch.header, batch.answer, len(record))
        durable = self.journal.append(block, record)
        self.tree.attach(block)
        if batch.place_id:
            self.places.use(batch.place_id)
        # Shielded: a caller that vanishes must not take the others' sync, nor its own commit, with it.
        await asyncio.shield(durable)
        return _result(block.summary(), duplicate=False)

    async def preview(self, batch: WriteBatch) -> CommitResult:
        """Tells what `commit` would answer, and applies nothing.

        Raises:
            StaleEpochError, WriteConflictError, BlockNotFoundError, FinalityError: as `commit`.
        """
        if (known := await self._duplicate(batch)) is not None:
            return known
        parent = await self._checked_parent(batch)
        section = records.encode_writes({key: batch.writes[key] for key in sorted(batch.writes)})
        value = commitment.chain(parent.commitment, parent.version + 1, section)
        return CommitResult(parent.version + 1, value, parent.version, batch.durability)

    async def _duplicate(self, batch: WriteBatch) -> CommitResult | None:
        """Returns the first answer to this commit id, once it is durable; None for a new one."""
        if batch.epoch and batch.epoch != self.reader.epoch:
            raise StaleEpochError(batch.epoch, self.reader.epoch)
        await self._until_durable(batch.commit_id)
        summary = self._known(batch.commit_id)
        return None if summary is None else _result(summary, duplicate=True)

    def _known(self, commit_id: bytes) -> CommitSummary | None:
        """Finds a commit that is under way, live or remembered."""
        block = self.tree.find(commit_id)
        return block.summary() if block is not None and block.version else self.history.find(commit_id)

    async def stored_block(self, block_id: bytes) -> StoredBlock:
        """Reads a commit by its name, on whatever branch it lies; one that is under way is waited for.

        Raises:
            BlockNotFoundError: neither live nor remembered.
            CorruptionError: its journal record is damaged.
        """
        await self._until_durable(block_id)
        return await self.reader.stored_block(block_id)

    async def record_hash(self, block_id: bytes, block_hash: bytes) -> int:
        """Records the hash that consensus gave a block; the same one again changes nothing.

        Returns:
            Version of the block.

        Raises:
            BlockNotFoundError: neither live nor remembered.
            BlockHashError: another hash is recorded.
            WritesStoppedError, StorageFullError: nothing was recorded, or the outcome is on disk only.
        """
        return await self.changes.do(self._record_hash(block_id, block_hash))

    async def _record_hash(self, block_id: bytes, block_hash: bytes) -> int:
        async with self._recording:
            await self._until_durable(block_id)
            async with self._structure:
                pass
            # From here to the write nothing waits. So it is queued before whatever drops or trims the block later.
            summary = self._known(block_id)
            if summary is None:
                raise BlockNotFoundError(block_id)
            if summary.recorded_hash not in (b"", block_hash):
                raise BlockHashError(block_id, summary.recorded_hash, block_hash)
            if summary.recorded_hash == block_hash:
                return summary.version
            self.journal.check()
            batch = EngineBatch()
            key = keys.journal_key(summary.version, block_id)
            batch.put(Space.COMMITS, key, records.encode_summary(replace(summary, recorded_hash=block_hash)))
            await self.journal.write(batch, sync=True)
            if (block := self.tree.find(block_id)) is not None:
                block.recorded_hash = block_hash
            self.history.record_hash(block_id, block_hash)
            return summary.version

    async def _until_durable(self, commit_id: bytes) -> None:
        """Waits for a commit that is under way; raises what it raises."""
        block = self.tree.find(commit_id)
        if block is not None and not block.published:
            assert block.durable is not None, "what is not published is in the journal's queue"
            await asyncio.shield(block.durable)

    async def _wait_for_room(self) -> None:
        """Waits while L2 is full (back-pressure on whoever outruns folding)."""
        self.journal.check()
        if self.tree.held_bytes <= self.config.l2_bytes:
            return
        try:
            async with asyncio.timeout(self.config.commit_wait_ms / 1000):
                while self.tree.held_bytes > self.config.l2_bytes:
                    await self.flusher.progress()
                    self.journal.check()
        except TimeoutError:
            raise BacklogFullError(self.tree.held_bytes, self.config.l2_bytes) from None

    async def _checked_parent(self, batch: WriteBatch) -> Block:
        """Finds the parent and checks the read set against it; nothing waits between the check and the return."""
        reads = batch.reads or {}
        root, below = self.tree.root, dict[bytes, int]()
        while True:
            async with self._structure:
                pass
            if self.tree.root is not root:
                root, below = self.tree.root, {}
            parent = self._parent(batch)
            stale, unknown = self.tree.stale_reads(parent, reads)
            # Read once for each root: others may commit during every read, and this one must get its turn.
            if missing := [key for key in unknown if key not in below]:
                entries = await self.reader.get_folded(missing)
                below.update((key, entry.version) for key, entry in zip(missing, entries, strict=True))
                if self._structure.locked() or self.tree.root is not root or self._parent(batch) is not parent:
                    continue
            stale += [key for key in unknown if below[key] != reads[key]]
            conflict = bool(stale) or batch.newest_id not in (None, parent.commit_id)
            refusal = WriteConflictError(stale, parent.version) if conflict else _out_of_order(batch, parent)
            if refusal is None:
                return parent
            # The answer must not be ahead of what the caller can read: wait until the parent is published.
            await self._until_durable(parent.commit_id)
            raise refusal

    def _parent(self, batch: WriteBatch) -> Block:
        if batch.parent_id is None:
            return self.tree.tip
        block = self.tree.find(batch.parent_id)
        if block is not None:
            if block.version < self.tree.final.version:
                raise FinalityError(block.commit_id, self.tree.final.version)
            return block
        folded = self.history.find(batch.parent_id)
        if folded is None:
            raise BlockNotFoundError(batch.parent_id)
        raise VersionUnavailableError(folded.version, self.reader.oldest_version, self.tree.head.version)

    async def finalize(self, block_id: bytes) -> tuple[int, list[bytes]]:
        """Makes a block and its ancestors final and drops what is neither ancestor nor descendant.

        Linear commits on top of it that only waited for it become final as well.

        Returns:
            Version of the block, and the commit ids that were dropped.

        Raises:
            BlockNotFoundError: not live, nor remembered as folded.
            WritesStoppedError, StorageFullError: nothing was changed, or the outcome is on disk only.
        """
        return await self.changes.do(self._finalize_and_settle(block_id))

    async def _finalize_and_settle(self, block_id: bytes) -> tuple[int, list[bytes]]:
        version, dropped = await self._finalize(block_id)
        return version, dropped + await self.settle()

    async def _finalize(self, block_id: bytes) -> tuple[int, list[bytes]]:
        async with self._exclusive():
            block = self.tree.find(block_id)
            if block is None:
                if (folded := self.history.find(block_id)) is not None:
                    return folded.version, []  # folded means final
                raise BlockNotFoundError(block_id)
            if block.version <= self.tree.final.version:
                return block.version, []  # no block beside the final chain is live
            dropped = self.tree.siblings_of_path(block)
            head = self.tree.head if block in self.tree.path(self.tree.head) else block
            await self._drop(dropped, head, block)
            self.tree.final = block
            self._changed()
            return block.version, [member.commit_id for member in dropped]

    async def discard(self, block_id: bytes) -> list[bytes]:
        """Drops a block and its descendants; a head among them goes back to the block's parent.

        Returns:
            Commit ids that were dropped, the named one first.

        Raises:
            BlockNotFoundError: not live.
            FinalityError: the block is final.
            WritesStoppedError, StorageFullError: nothing was changed, or the outcome is on disk only.
        """
        return await self.changes.do(self._discard(block_id))

    async def _discard(self, block_id: bytes) -> list[bytes]:
        async with self._exclusive():
            block = self.tree.find(block_id)
            if block is None or block.parent is None:
                if block is not None or self.history.find(block_id) is not None:
                    raise FinalityError(block_id, self.tree.final.version)
                raise BlockNotFoundError(block_id)
            if block.version <= self.tree.final.version:
                raise FinalityError(block_id, self.tree.final.version)
            dropped = self.tree.subtree(block)
            head = block.parent if self.tree.head in set(dropped) else self.tree.head
            # What settled by itself is found again from the head at a restart, unless the head goes back: record it.
            await self._drop(dropped, head, self.tree.final)
            self._changed()
            return [member.commit_id for member in dropped]

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        self.journal.check()
        async with self._structure:
            await self.journal.drained()
            self.journal.check()
            self.tree.changing = True
            try:
                yield
            finally:
                self.tree.changing = False

    async def _drop(self, blocks: Sequence[Block], head: Block, final: Block) -> None:
        """Drops blocks on disk, then in memory, where what is remembered of them and the tree change in one step."""
        dropped = self.history.dropped
        forgotten = dropped.surplus(len(blocks))
        batch = drop_batch(blocks, forgotten)
        batch.put(Space.META, keys.META_FINAL, records.encode_place(final.place))
        batch.put(Space.META, keys.META_HEAD, records.encode_place(head.place))
        await self.journal.write(batch, sync=True)
        for version, commit_id in forgotten:
            dropped.forget(version, commit_id)
        for block in blocks:
            dropped.add(block.summary())
        self.tree.remove(blocks, head)

    def _changed(self) -> None:
        self.feed.notify()
        self.flusher.notice()

    async def settle(self) -> list[bytes]:
        """Finalises linear commits behind the retained versions: they have no consensus that would do it.

        Returns:
            Commit ids that were dropped.
        """
        dropped: list[bytes] = []
        while (block := self._next_to_settle()) is not None:
            parent = block.parent
            if parent is None or len(parent.children) > 1:
                with suppress(BlockNotFoundError):  # discarded meanwhile: there is another next one, or none
                    dropped += (await self._finalize(block.commit_id))[1]
            else:
                self.tree.final = block
        self.flusher.notice()
        return dropped

    def settle_now(self) -> bool:
        """Does what `settle` does as far as no sibling must be dropped.

        Returns:
            True when a sibling stands in the way: `settle` is needed.
        """
        while (block := self._next_to_settle()) is not None:
            if block.parent is None or len(block.parent.children) > 1:
                return True
            self.tree.final = block
        return False

    def _next_to_settle(self) -> Block | None:
        version = self.tree.final.version + 1
        if version > self.tree.head.version - self.flusher.retained():
            return None
        block = self.tree.main_at(version)
        return block if block is not None and block.linear else None


def _out_of_order(batch: WriteBatch, parent: Block) -> OutOfOrderError | None:
    """Compares number and time of a linear commit with those of its parent."""
    if batch.parent_id is not None or not batch.header or not parent.version:
        return None
    given, before = block_time(batch.header, parent.version + 1), BlockTime(parent.number, parent.time_ns)
    return None if follows(given, before) else OutOfOrderError(given, before, parent.version)


def _result(summary: CommitSummary, *, duplicate: bool) -> CommitResult:
    return CommitResult(summary.version, summary.commitment, summary.version - 1, summary.durability, duplicate)
