"""The change feed: committed batches in version order, from the same records that the journal keeps.

A follower has a position, the last commit it was given, and asks for the next one. Nothing is queued for it: records
come from L2 while they are there and from the journal afterwards, so a slow follower costs nothing and loses nothing
until its position leaves the remembered window, and then it is told.

When another branch becomes the main chain, a follower whose position was dropped gets an `Unwind` to the newest
commit that both chains share, then the other chain's records. `final_only` followers get only what can never be
dropped.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from state_service.errors import CursorUnavailableError, StreamClosedError
from state_service.history import History
from state_service.model import CommitRecord
from state_service.tree import Block, BlockTree

_MAX_DROPPED = 10_000
"""Dropped commits whose fork is remembered; as many as the default feed window has versions."""


@dataclass(frozen=True, slots=True)
class Unwind:
    """Everything given before above this commit is void."""

    version: int
    """Version of the newest commit that both chains share."""
    commit_id: bytes
    """Its name."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last commit a follower has."""

    version: int
    """Its version; 0: before the first commit."""
    commit_id: bytes | None
    """Its name; None: not known, and not checked."""


@dataclass(slots=True)
class Feed:
    """What followers share."""

    tree: BlockTree
    history: History
    followers: int = 0
    """Followers that are connected now."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _dropped: OrderedDict[bytes, Unwind] = field(default_factory=OrderedDict)
    _closed: bool = False

    def notify(self) -> None:
        """Wakes followers: something was published, finalised or dropped."""
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Ends every stream at its next wait."""
        self._closed = True
        self.notify()

    def record_reorganisation(self, fork: Block, dropped: Iterable[Block]) -> None:
        """Remembers where followers of blocks that left the main chain go back to."""
        for block in dropped:
            self._dropped[block.commit_id] = Unwind(fork.version, fork.commit_id)
            self._dropped.move_to_end(block.commit_id)
        while len(self._dropped) > _MAX_DROPPED:
            self._dropped.popitem(last=False)

    def forget_drop(self, commit_id: bytes) -> None:
        """Says that a dropped commit was committed again."""
        self._dropped.pop(commit_id, None)

    @property
    def oldest_version(self) -> int:
        """Oldest version that can be given."""
        return self.history.oldest_version or self.tree.root.version + 1

    def check_position(self, position: Position) -> None:
        """Refuses a position that cannot be followed from.

        Raises:
            CursorUnavailableError: before the remembered window, after the head, or on an unknown branch.
        """
        if position.commit_id is not None and position.commit_id in self._dropped:
            return
        if position.version < self.oldest_version - 1:
            raise CursorUnavailableError(position.version + 1, self.oldest_version, "no longer recorded")
        if position.version > self.tree.head.version:
            raise CursorUnavailableError(position.version + 1, self.oldest_version, "not committed yet")
        known = self._id_at(position.version)
        if position.commit_id is not None and known is not None and known != position.commit_id:
            raise CursorUnavailableError(
                position.version + 1, self.oldest_version, "its commit is not on the main chain"
            )

    def resume(self, version: int, commit_id: bytes) -> Position:
        """Returns the position from which a version's record comes first, for a caller that has seen part of it.

        Args:
            version: Version of the record, from 1.
            commit_id: Its name as the caller knows it; empty: not checked.

        Raises:
            CursorUnavailableError: as `check_position`.
        """
        if commit_id in self._dropped:
            return Position(version, commit_id)
        before = Position(version - 1, self._id_at(version - 1))
        self.check_position(before)
        if commit_id and self._id_at(version) != commit_id:
            raise CursorUnavailableError(version, self.oldest_version, "its commit is not on the main chain")
        return before

    def _id_at(self, version: int) -> bytes | None:
        """Returns the commit id of a version of the main chain; None when it is not remembered."""
        block = self.tree.main_at(version)
        summary = block or self.history.at(version)
        return None if summary is None else summary.commit_id

    async def follow(
        self, position: Position, *, until_head: bool = False, final_only: bool = False
    ) -> AsyncIterator[CommitRecord | Unwind]:
        """Yields what follows a position, for as long as the caller listens.

        Args:
            position: Last commit the caller has.
            until_head: End at the head of now instead of waiting.
            final_only: Yield final commits only.

        Raises:
            CursorUnavailableError: the position is outside the remembered window, or on an unknown branch.
            StreamClosedError: the store is being closed and there is nothing more to send.
        """
        self.followers += 1
        try:
            last = self._limit(final_only=final_only) if until_head else None
            while True:
                changed = self._changed
                while unwind := self._dropped.get(position.commit_id or b""):
                    yield unwind
                    position = Position(unwind.version, unwind.commit_id)
                limit = self._limit(final_only=final_only)
                if last is not None and position.version >= min(last, limit):  # the head may have gone back meanwhile
                    return
                if position.version < limit:
                    await asyncio.sleep(0)  # neither the engine nor a caller that filters need ever wait
                    record = await self._next(position)
                    if record is not None:
                        yield record
                        position = Position(record.version, record.commit_id)
                elif self._closed:
                    raise StreamClosedError
                else:
                    await changed.wait()
        finally:
            self.followers -= 1

    def _limit(self, *, final_only: bool) -> int:
        return min(self.tree.final.version, self.tree.head.version) if final_only else self.tree.head.version

    async def _next(self, position: Position) -> CommitRecord | None:
        """Returns the record after a position; None when the position was dropped meanwhile."""
        record = await self.record_at(position.version + 1)
        if record is None or position.commit_id in (None, record.parent_id):
            return record
        if position.commit_id in self._dropped:
            return None
        raise CursorUnavailableError(position.version, self.oldest_version, "its commit is not on the main chain")

    async def record_at(self, version: int) -> CommitRecord | None:
        """Returns the main chain's record of a version; None when the chain changed while it was read.

        Raises:
            CursorUnavailableError: no longer remembered, or not there yet.
            CorruptionError: the journal record is damaged.
        """
        summary = self.history.at(version)
        if summary is not None:
            record = await self.history.read(summary)
            return record
        block = self.tree.main_at(version)
        if block is None or block is self.tree.root:
            why = "not committed yet" if version > self.tree.head.version else "no longer recorded"
            raise CursorUnavailableError(version, self.oldest_version, why)
        return CommitRecord(
            block.commit_id,
            block.version,
            block.parent_id,
            block.commitment,
            block.writes,
            block.transactions,
            block.header,
        )
