"""The change feed: committed batches in version order, from the same records that the journal keeps.

A follower has a position, the last commit it was given, and asks for the next one. Nothing is queued for it: records
come from L2 while they are there and from the journal afterwards, so a slow follower costs nothing and loses nothing
until its position leaves the remembered window, and then it is told.

When another branch becomes the main chain, a follower whose position was dropped gets an `Unwind` to the newest
commit that both chains share, then the other chain's records. `final_only` followers get only what can never be
dropped.

A position is found on the main chain (`Feed.locate`) by walking along parents, those of live branches and of dropped
commits alike. Nothing waits between that and choosing the next record, so no change of the chain can slip in between;
but far back, where everything is folded and cannot change, the walk reads from the disk.

Followers take turns (`turns`), those of records in memory apart from those of records on the disk.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from chassis.errors import DrainingError
from state_service.errors import CursorUnavailableError
from state_service.history import History
from state_service.model import GENESIS_ID, CommitRecord
from state_service.tree import BlockTree
from state_service.turns import Turns


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
    """Its name; None: not known, that of the main chain is taken."""
    partial: bool = False
    """True when the follower has only a part of that commit: its record is given again."""

    @property
    def next_version(self) -> int:
        """Version of the record that comes next."""
        return self.version if self.partial else self.version + 1


@dataclass(slots=True)
class Feed:
    """What followers share."""

    tree: BlockTree
    history: History
    followers: int = 0
    """Followers that are connected now."""
    _live: Turns = field(default_factory=Turns)
    """Turns of followers whose next record is in memory."""
    _past: Turns = field(default_factory=Turns)
    """Turns of those whose next record is on the disk: they delay no follower of the head."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    def notify(self) -> None:
        """Wakes followers: something was published, finalised or dropped."""
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Ends every stream at its next wait."""
        self._closed = True
        self.notify()

    @property
    def oldest_version(self) -> int:
        """Oldest version that can be given."""
        return self.history.oldest_version or self.tree.root.version + 1

    async def locate(self, position: Position) -> Position:
        """Finds a position on the main chain. Waits only where that lies below the held window, which never changes.

        Returns:
            The position itself while its commit is on the main chain; otherwise the newest commit of the main chain
            that its branch was built on, which has a smaller version.

        Raises:
            CursorUnavailableError: before the remembered window, after the head, or of a chain that is not remembered.
        """
        version, commit_id = position.version, position.commit_id
        if commit_id is None:
            commit_id = await self._stored_id(version) if self._below_held(version) else self._id_at(version)
        while commit_id is not None and not self._below_held(version) and commit_id != self._id_at(version):
            version, commit_id = version - 1, self._parent_of(version, commit_id)
        if commit_id is not None and self._below_held(version):
            version, commit_id = await self._back_to_stored(version, commit_id)
        if commit_id is None:
            raise await self._unavailable(position.next_version, self._why_unknown(position))
        found = Position(version, commit_id, position.partial and version == position.version)
        if found.next_version < self.oldest_version:
            raise await self._unavailable(found.next_version, "no longer recorded")
        return found

    def _below_held(self, version: int) -> bool:
        """Tells whether only the disk knows a version of the main chain."""
        return 0 <= version < self.history.held_from - 1

    async def _stored_id(self, version: int) -> bytes | None:
        """Returns the commit id of a version below the held window; None when it is not recorded."""
        if version == 0:
            return GENESIS_ID
        if (found := await self.history.summary_at(version)) is not None:
            return found.commit_id
        after = await self.history.summary_at(version + 1)
        return None if after is None else after.parent_id

    async def _back_to_stored(self, version: int, commit_id: bytes) -> tuple[int, bytes | None]:
        """Goes back along parents on the disk to the main chain; None when the chain is not recorded."""
        while summary := await self.history.stored(version, commit_id):
            if not summary.dropped:  # folded, so on the main chain for good
                return version, commit_id
            version, commit_id = version - 1, summary.parent_id
        return version, commit_id if commit_id == await self._stored_id(version) else None

    async def _unavailable(self, version: int, why: str) -> CursorUnavailableError:
        oldest = self.oldest_version
        oldest_id = await self.history.oldest_id() if self.history else self._id_at(oldest)
        return CursorUnavailableError(version, oldest, why, oldest_id or b"")

    def _id_at(self, version: int) -> bytes | None:
        """Returns the commit id of a version of the main chain; None when it is not remembered, or not there yet."""
        if version == 0:
            return GENESIS_ID
        if (found := self.tree.main_at(version) or self.history.at(version)) is not None:
            return found.commit_id
        after = self.history.at(version + 1)
        return None if after is None else after.parent_id

    def _parent_of(self, version: int, commit_id: bytes) -> bytes | None:
        """Returns the parent of a commit of a live or dropped branch; None when it is not remembered."""
        block = self.tree.find(commit_id)
        if block is not None and block.version == version:
            return block.parent_id
        return self.history.dropped.parent_of(version, commit_id)

    def _why_unknown(self, position: Position) -> str:
        if position.version < self.oldest_version:
            return "no longer recorded"
        if position.version > self.tree.head.version:
            return "not committed yet"
        return "its commit is not on the main chain, nor on a remembered branch"

    async def follow(
        self, position: Position, *, until_head: bool = False, final_only: bool = False
    ) -> AsyncIterator[CommitRecord | Unwind]:
        """Yields what follows a position, for as long as the caller listens.

        Args:
            position: Last commit the caller has.
            until_head: End at the head of now instead of waiting.
            final_only: Yield final commits only.

        Raises:
            CursorUnavailableError: see `locate`.
            DrainingError: the store is being closed and there is nothing more to send.
        """
        self.followers += 1
        try:
            last = self._limit(final_only=final_only) if until_head else None
            while True:
                async with self._turns(position.next_version).take():
                    changed = self._changed
                    found = await self.locate(position)
                    unwound, position = found.version < position.version, found
                    limit = self._limit(final_only=final_only)
                    # The head may have gone back.
                    is_done = not unwound and last is not None and position.next_version > min(last, limit)
                    record = None
                    if not unwound and not is_done and position.next_version <= limit:
                        record = await self.record_at(position.next_version)
                if unwound:
                    yield Unwind(found.version, found.commit_id or GENESIS_ID)
                elif is_done:
                    return
                elif record is not None:
                    yield record
                    position = Position(record.version, record.commit_id)
                elif self._closed:
                    raise DrainingError
                else:
                    await changed.wait()
        finally:
            self.followers -= 1

    def is_live(self, version: int) -> bool:
        """Tells whether the record of a version is in memory, or will be."""
        return version > self.tree.root.version

    def _turns(self, version: int) -> Turns:
        return self._live if self.is_live(version) else self._past

    async def wait_for_turn(self, version: int) -> None:
        """Waits until a follower may do some more with the record of a version."""
        await self._turns(version).wait()

    def _limit(self, *, final_only: bool) -> int:
        return min(self.tree.final.version, self.tree.head.version) if final_only else self.tree.head.version

    async def record_at(self, version: int) -> CommitRecord:
        """Returns the main chain's record of a version, of the chain as it is when this is called.

        A live record is returned without waiting. A folded one is read from the disk, and cannot be dropped.

        Raises:
            CursorUnavailableError: no longer remembered, or not there yet.
            CorruptionError: the journal record is damaged.
        """
        block = self.tree.main_at(version)
        if block is None or block is self.tree.root:
            summary = await self.history.summary_at(version)
            if summary is not None:
                return await self.history.read(summary)
            why = "not committed yet" if version > self.tree.head.version else "no longer recorded"
            raise await self._unavailable(version, why)
        return CommitRecord(
            block.commit_id,
            block.version,
            block.parent_id,
            block.commitment,
            block.writes,
            block.transactions,
            block.header,
        )
