"""Reads at a view: L2 (`tree`), then L1 (`cache`), then the engine, each only for what the one before did not have.

Why the mix is right: a view's block is at or above the floor. Whatever was written above the root is in L2 and
shadows the store, also while a fold is under way; whatever is not in L2 was written at or below the root, where STATE
has it. After every wait for the engine the block is checked again: it may have been dropped, or the floor may have
passed it.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import groupby
from typing import Any, Concatenate, ParamSpec, TypeVar

from state_service import records
from state_service.cache import Cache
from state_service.config import StateConfig
from state_service.errors import (
    BlockNotFoundError,
    CorruptionError,
    CursorUnavailableError,
    VersionUnavailableError,
)
from state_service.flusher import Flusher
from state_service.history import History
from state_service.model import ABSENT, Entry, Head, OpenedView, Page, StoredBlock, StoredReceipt, View
from state_service.storage import Space, StorageEngine
from state_service.tree import Block, BlockTree

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


def watched(
    method: Callable[Concatenate["Reader", P], Awaitable[T]],
) -> Callable[Concatenate["Reader", P], Coroutine[Any, Any, T]]:
    """Makes a read that finds damage stop the whole service, not only its caller."""

    @functools.wraps(method)
    async def read(self: "Reader", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(self, *args, **kwargs)
        except CorruptionError as error:
            self.on_corruption(error)
            raise

    return read


@dataclass(slots=True)
class Reader:
    """The read side of the store."""

    config: StateConfig
    engine: StorageEngine
    tree: BlockTree
    cache: Cache
    history: History
    flusher: Flusher
    epoch: int
    on_corruption: Callable[[CorruptionError], None]
    """Called when a stored byte turns out to be damaged."""
    _hits_to_check: int = 0

    def head(self) -> Head:
        """Returns where the store stands."""
        head = self.tree.head
        final = min(self.tree.final.version, head.version)
        return Head(
            version=head.version,
            block_id=head.commit_id,
            commitment=head.commitment,
            parent_id=head.parent_id,
            header=head.header,
            number=head.number,
            time_ns=head.time_ns,
            block_hash=head.summary().block_hash,
            final_version=final,
            oldest_version=self.oldest_version,
            epoch=self.epoch,
        )

    @property
    def oldest_version(self) -> int:
        """Oldest version that can be read."""
        return max(self.flusher.floor, self.tree.root.version)

    def resolve(self, view: View) -> Block:
        """Finds the block that a view names.

        Raises:
            BlockNotFoundError: no live block has that commit id.
            VersionUnavailableError: the version is not live.
        """
        if view.block_id:
            block = self.tree.find(view.block_id)
            if block is None or not block.published:
                folded = self.history.find(view.block_id)
                if folded is None:
                    raise BlockNotFoundError(view.block_id)
                raise self._unavailable(folded.version)
        elif view.version:
            found = self.tree.main_at(view.version)
            if found is None:
                raise self._unavailable(view.version)
            block = found
        else:
            block = self.tree.head
        self._check_live(block)
        return block

    def _unavailable(self, version: int) -> VersionUnavailableError:
        return VersionUnavailableError(version, self.oldest_version, self.tree.head.version)

    def _check_live(self, block: Block) -> None:
        if block.version < self.oldest_version:
            raise self._unavailable(block.version)
        if block.dropped:
            raise BlockNotFoundError(block.commit_id)

    async def get_many(self, view: View, wanted: Sequence[bytes]) -> tuple[list[Entry], int]:
        """Reads keys at a view; all or none.

        Returns:
            An entry for each key, in order, and the version that was read.

        Raises:
            BlockNotFoundError, VersionUnavailableError: see `resolve`.
            CorruptionError: a stored value is damaged.
        """
        block = self.resolve(view)
        return await self.get_at(block, wanted), block.version

    async def get_at(self, block: Block, wanted: Sequence[bytes]) -> list[Entry]:
        """Reads keys at a block; see `get_many`."""
        entries, missing = self.tree.lookup_many(block, wanted)
        if missing:
            below = await self.get_folded([wanted[place] for place in missing])
            for place, entry in zip(missing, below, strict=True):
                entries[place] = entry
            self._check_live(block)
        return entries  # type: ignore[return-value]  # every place is filled

    @watched
    async def get_folded(self, wanted: Sequence[bytes]) -> list[Entry]:
        """Reads keys from L1 and the store: what the root's view shows, as long as L2 does not know the keys."""
        entries, missing = self.cache.get_many(wanted)
        if self.config.check_every_hits and len(missing) < len(wanted):
            self._hits_to_check -= len(wanted) - len(missing)
            if self._hits_to_check <= 0:
                self._hits_to_check = self.config.check_every_hits
                await self._check_cache(
                    next(key for key, entry in zip(wanted, entries, strict=True) if entry is not None)
                )
        if missing:
            token = self.cache.token()
            absent = [wanted[place] for place in missing]
            found = await self.engine.get_many(Space.STATE, absent)
            filled = [
                ABSENT if record is None else records.decode_value(key, record)
                for key, record in zip(absent, found, strict=True)
            ]
            self.cache.fill(token, zip(absent, filled, strict=True))
            for place, entry in zip(missing, filled, strict=True):
                entries[place] = entry
        return entries  # type: ignore[return-value]  # every place is filled

    async def _check_cache(self, key: bytes) -> None:
        """Compares one cached entry with the store (coherence rule 5)."""
        token = self.cache.token()
        (record,) = await self.engine.get_many(Space.STATE, [key])
        stored = ABSENT if record is None else records.decode_value(key, record)
        cached = self.cache.peek(key)
        if cached is None or not self.cache.is_settled(token):
            return
        self.cache.counts.checks += 1
        if cached != stored:
            self.cache.counts.mismatches += 1
            self.cache.drop()
            log.error(
                "cache_mismatch",
                extra={"key": key.hex(), "cached_version": cached.version, "stored_version": stored.version},
            )

    @watched
    async def scan(self, view: View, start: bytes, end: bytes | None, limit: int, *, keys_only: bool = False) -> Page:
        """Reads a page of a range at a view.

        Args:
            view: State to read.
            start: Keys must not be smaller.
            end: Keys must be smaller; None: no bound.
            limit: Most entries, from 1.
            keys_only: Leave values out (as empty bytes).

        Raises:
            BlockNotFoundError, VersionUnavailableError: see `resolve`.
            CorruptionError: a stored value is damaged.
        """
        block = self.resolve(view)
        found: list[tuple[bytes, Entry]] = []
        while True:
            root = self.tree.root
            rows = await self.engine.scan(Space.STATE, start, end, limit + 1)
            self._check_live(block)  # what L2 knows of a block that is gone does not match its writes
            if self.tree.root is not root:
                continue  # keys may have moved from L2 to STATE behind the iterator
            full = len(rows) > limit
            upper = rows[-1][0] + b"\0" if full else end
            for key, entry in self._merge(block, start, upper, dict(rows)):
                if len(found) == limit:
                    return Page(found, key, block.version)
                found.append((key, Entry(b"", entry.version) if keys_only else entry))
            if not full or upper is None:
                return Page(found, None, block.version)
            start = upper
            await asyncio.sleep(0)  # the engine need not wait, and a page may lie behind many deletions

    def _merge(
        self, block: Block, start: bytes, end: bytes | None, rows: dict[bytes, bytes]
    ) -> Iterator[tuple[bytes, Entry]]:
        """Yields the present entries of a range: L2 over the rows of the store."""
        for key, _ in groupby(merge(rows, *self.tree.keys_between(block, start, end))):
            entry = self.tree.lookup(block, key) or records.decode_value(key, rows[key])
            if entry.value is not None:
                yield key, entry

    async def open_view(
        self,
        known_version: int,
        known_block_id: bytes,
        max_changed: int,
        wanted: Sequence[bytes],
        at: View = View(),  # noqa: B008 - immutable
    ) -> OpenedView:
        """Opens a view, tells what changed since a version, and reads keys.

        Args:
            known_version: Version up to which the caller's cache is right; 0: it has none.
            known_block_id: Commit id of that version; empty: not known.
            max_changed: Most changed keys to list.
            wanted: Keys to read.
            at: The state to open.

        Raises:
            BlockNotFoundError, VersionUnavailableError: see `resolve`.
            CorruptionError: a stored value is damaged.
        """
        block = self.resolve(at)
        changed = self._changed_keys(block, known_version, known_block_id, max_changed)
        entries = await self.get_at(block, wanted)
        return OpenedView(
            block.summary(), block.header, sorted(changed or ()), changed is not None, entries, self.epoch
        )

    def _changed_keys(
        self, block: Block, known_version: int, known_block_id: bytes, max_changed: int
    ) -> set[bytes] | None:
        """Returns the keys that a block and its ancestors wrote after a version; None when that cannot be told."""
        if known_version == 0 and block.version > 0:
            return None
        changed: set[bytes] = set()
        walk: Block | None = block
        while walk is not None and walk.version > known_version:
            changed.update(walk.writes)
            if len(changed) > max_changed:
                return None
            walk = walk.parent
        if walk is None or walk.version < known_version:
            return None
        if known_block_id:
            return changed if walk.commit_id == known_block_id else None
        # A number alone means the main chain, unless the caller may mean a block of a dropped branch.
        return changed if walk.on_main and not self.history.dropped.may_hold(known_version) else None

    async def stored_block(self, block_id: bytes) -> StoredBlock:
        """Reads a commit by its name, on whatever branch it lies.

        Raises:
            BlockNotFoundError: neither live nor remembered.
            CorruptionError: its journal record is damaged.
        """
        block = self.tree.find(block_id)
        if block is not None and block.published and block is not self.tree.root:
            return StoredBlock(block.summary(), block.header, block.transactions, block.answer)
        summary = self.history.find(block_id)
        if summary is None:
            raise BlockNotFoundError(block_id)
        try:
            body = await self.history.body(summary)
        except CursorUnavailableError:  # it left the window while it was read
            raise BlockNotFoundError(block_id) from None
        return StoredBlock(summary, body.header, body.transactions, body.answer)

    @watched
    async def receipts(self, tx_hashes: Sequence[bytes], view: View = View()) -> list[StoredReceipt | None]:  # noqa: B008 - immutable
        """Finds transactions by hash, on the chain from the block of a view down; None for one that is not known there.

        Raises:
            BlockNotFoundError, VersionUnavailableError: see `resolve`.
            CorruptionError: a stored record is damaged.
        """
        # The newest view is the main chain, whichever its head is by the time the engine has answered.
        block = self.resolve(view) if view.version or view.block_id else None
        found: list[StoredReceipt | None] = []
        missing: list[int] = []
        for place, tx_hash in enumerate(tx_hashes):
            held = self.tree.receipt(tx_hash, block)
            if held is None:
                missing.append(place)
                found.append(None)
            else:
                holder, index = held
                payload = holder.transactions[index].payload
                found.append(StoredReceipt(holder.version, index, payload, holder.commit_id, holder.commitment))
        stored = await self.engine.get_many(Space.RECEIPTS, [tx_hashes[place] for place in missing]) if missing else []
        for place, record in zip(missing, stored, strict=True):
            if record is not None:
                found[place] = self._with_commit(records.decode_receipt(tx_hashes[place], record))
        if block is not None:
            self._check_live(block)
        return found

    def _with_commit(self, receipt: StoredReceipt) -> StoredReceipt:
        """Adds what is remembered of the folded commit that holds a receipt."""
        summary = self.history.at(receipt.version)
        if summary is None:
            return receipt
        return replace(receipt, commit_id=summary.commit_id, commitment=summary.commitment)

    async def seen(self, tx_hashes: Sequence[bytes], view: View = View()) -> list[tuple[bytes, StoredReceipt]]:  # noqa: B008 - immutable
        """Returns those transactions that the chain from the block of a view down holds, with their receipts.

        Raises:
            BlockNotFoundError, VersionUnavailableError: see `resolve`.
            CorruptionError: a stored record is damaged.
        """
        if not tx_hashes:
            return []
        found = await self.receipts(tx_hashes, view)
        return [(key, receipt) for key, receipt in zip(tx_hashes, found, strict=True) if receipt is not None]
