"""The flusher: folds final versions from L2 into the store's STATE space, many versions at a time.

A key written by a hundred versions is written once. Folding goes up to a target version in chunks, so that no single
write holds the event loop for long:

    floor := target                  no view below the target is served from here on; recorded with the first chunk
    chunk, chunk, ...                newest value of each key written in (base, target]; receipts; graves
    base := target                   recorded with the last chunk; then L1 is told, then the tree's root advances

A crash in between leaves base behind floor: the journal still holds (base, target], recovery loads it into L2, which
shadows whatever part of it STATE already has. Nothing here needs a sync of its own: the log keeps its order, and what
it folds is in the journal.

History: after folding, journal records stay as long as `retention` says, then they go; tombstones stay for
`retained_versions` after folding, so that a batch that read the deletion still finds its version (`graves`).

Failpoints: `state.flush.before_chunk`, `state.flush.after_chunk`, `state.flush.before_trim`.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from chassis import failpoint
from state_service import keys, records
from state_service.cache import Cache
from state_service.config import StateConfig
from state_service.errors import StateError
from state_service.history import History
from state_service.journal import Journal
from state_service.model import Entry, StoredReceipt
from state_service.storage import EngineBatch, Space
from state_service.tree import Block, BlockTree

_CHUNK_WRITES = 500
"""Most changes in one engine batch: about 1 ms here and 1 ms in the writer thread: so long may others wait."""

_REFUSED_PAUSE_S = 0.5
"""Pause after a fold was refused for lack of space, before it is tried again."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class FlushCounts:
    """What happened so far."""

    folds: int = 0
    folded_versions: int = 0
    folded_writes: int = 0
    """Writes of the folded versions, before coalescing."""
    stored_writes: int = 0
    """Writes that reached the store."""


@dataclass(slots=True)
class Flusher:
    """Folds in the background; see the module for the steps."""

    config: StateConfig
    tree: BlockTree
    cache: Cache
    journal: Journal
    history: History
    floor: int
    """No view below this version is served."""
    counts: FlushCounts = field(default_factory=FlushCounts)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _progress: asyncio.Event = field(default_factory=asyncio.Event)
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    _pending_since: float | None = None
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the background task."""
        self._task = asyncio.create_task(self._run(), name="state-flusher")

    async def stop(self) -> None:
        """Ends the background task after the fold that runs."""
        if self._task is not None:
            async with self._busy:
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def notice(self) -> None:
        """Tells that versions were published or finalised."""
        if self.foldable() and self._pending_since is None:
            self._pending_since = time.monotonic()
        self._wake.set()

    def foldable(self) -> int:
        """Returns the version up to which may be folded now; 0 when there is nothing to fold."""
        target = min(self.tree.final.version, self.tree.head.version - self.retained())
        return target if target > self.tree.root.version else 0

    def retained(self) -> int:
        """Returns how many versions behind the head are kept: as set, or under pressure a quarter of those held."""
        if not self._pressed():
            return self.config.retained_versions
        return min(self.config.retained_versions, (self.tree.head.version - self.tree.root.version) // 4)

    def _pressed(self) -> bool:
        """Memory comes before retention: from half the limit on, fewer versions are kept."""
        return self.tree.held_bytes * 2 > self.config.l2_bytes

    async def progress(self) -> None:
        """Waits until some fold has finished."""
        self._progress.clear()
        self._wake.set()
        await self._progress.wait()

    async def _run(self) -> None:
        while True:
            await self._wait_until_due()
            try:
                await self.fold(self.foldable())
            except StateError as error:
                if self.journal.failure is not None:
                    return  # the journal has stopped and said so; folding is over as well
                log.warning("fold_refused", extra={"reason": error.reason})
                await asyncio.sleep(_REFUSED_PAUSE_S)

    async def _wait_until_due(self) -> None:
        while True:
            self._wake.clear()
            wait: float | None = None
            if self.foldable():
                since = time.monotonic() if self._pending_since is None else self._pending_since
                wait = since + self.config.flush_age_ms / 1000 - time.monotonic()
                if wait <= 0 or self._pressed() or self._foldable_bytes() >= self.config.flush_bytes:
                    return
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                continue

    def _foldable_bytes(self) -> int:
        """Estimates the bytes of the versions that may be folded by their share of the versions held."""
        root, tip = self.tree.root.version, self.tree.tip.version
        return self.tree.held_bytes * (self.foldable() - root) // max(tip - root, 1)

    async def fold(self, target: int) -> None:
        """Folds every version up to a target. REQUIRES: the target is final and published; 0 does nothing.

        Raises:
            StateError: a write failed; the journal has stopped unless the disk was merely full.
        """
        if not target:
            return
        async with self._busy:
            base = self.tree.root.version
            blocks = [block for v in range(base + 1, target + 1) if (block := self.tree.main_at(v)) is not None]
            assert len(blocks) == target - base, "the main chain has one block for each version"
            self.floor = max(self.floor, target)
            await self._store(blocks)
            self.cache.advance(base + 1, target)
            for _ in blocks:
                self.history.remember(self.tree.advance_root())
                await asyncio.sleep(0)
            self._pending_since = None
            self.counts.folds += 1
            self.counts.folded_versions += len(blocks)
            await self.history.trim(self.journal, target)
            self._progress.set()
            self.notice()

    async def _store(self, blocks: list[Block]) -> None:
        """Writes what the blocks left behind, chunk by chunk, and tells L1 of each chunk once it is written."""
        newest: dict[bytes, Block] = {}
        for block in blocks:
            newest.update(dict.fromkeys(block.writes, block))
            self.counts.folded_writes += len(block.writes)
            await asyncio.sleep(0)
        self.counts.stored_writes += len(newest)
        writes = iter(newest.items())
        receipts = _receipts(blocks)
        first, last = True, False
        while not last:
            batch = EngineBatch()
            if first:
                batch.put(Space.META, keys.META_FLOOR, self.floor.to_bytes(8))
                if not self.tree.changing:  # else that change records it, and this would be the older one
                    batch.put(Space.META, keys.META_FINAL, records.encode_place(self.tree.final.place))
                first = False
            entries = [(key, _put_value(batch, key, block)) for key, block in islice(writes, _CHUNK_WRITES)]
            for tx_hash, receipt in islice(receipts, _CHUNK_WRITES - len(entries)):
                batch.put(Space.RECEIPTS, tx_hash, records.encode_receipt(receipt))
            last = len(batch.operations) < _CHUNK_WRITES
            if last:
                sizes = ((block.version, block.byte_count) for block in blocks)
                self.history.retention.note(batch, sizes, time.time_ns() // 1_000_000)
                batch.put(Space.META, keys.META_BASE, records.encode_place(blocks[-1].place))
            await self._store_chunk(batch, entries)

    async def _store_chunk(self, batch: EngineBatch, entries: list[tuple[bytes, Entry]]) -> None:
        failpoint.hit("state.flush.before_chunk")
        self.cache.begin_apply()
        try:
            await self.journal.write(batch, sync=False)
        except StateError:
            self.cache.drop()
            raise
        self.cache.apply(entries)
        failpoint.hit("state.flush.after_chunk")


def _put_value(batch: EngineBatch, key: bytes, block: Block) -> Entry:
    """Adds the value that a block wrote; a deletion leaves a tombstone and a grave to collect it by."""
    value, version = block.writes[key], block.version
    batch.operations.append((Space.STATE, key, records.encode_value(value, version)))  # `put`, without its call
    if value is None:
        batch.put(Space.GRAVES, keys.grave_key(version, key), b"")
    return Entry(value, version)


def _receipts(blocks: list[Block]) -> Iterator[tuple[bytes, StoredReceipt]]:
    for block in blocks:
        for index, transaction in enumerate(block.transactions):
            yield transaction.tx_hash, StoredReceipt(block.version, index, transaction.payload)
