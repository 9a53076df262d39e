"""Folded history: the window of journal records and commit ids that outlive folding, and the collection of tombstones.

The window is `feed_versions` long. Within it a repeated commit gets its first answer, change and event streams can
start, and `VerifyRange` can recompute. Older records are removed, a few at a time, by the flusher.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chassis import failpoint
from state_service import keys, records
from state_service.cache import Cache
from state_service.dropped import Dropped
from state_service.errors import CorruptionError, CursorUnavailableError, StateError
from state_service.journal import Journal
from state_service.model import ABSENT, CommitRecord, CommitSummary
from state_service.records import RecordBody
from state_service.storage import EngineBatch, Space, StorageEngine
from state_service.tree import Block

_TRIM_RECORDS = 500
"""Most records removed in one engine batch: well below the time a commit takes."""


@dataclass(slots=True)
class History:
    """Folded commits that are still remembered, oldest first."""

    engine: StorageEngine
    cache: Cache
    feed_versions: int
    """How many folded versions are remembered."""
    retained_versions: int
    """How many versions a tombstone outlives its folding."""
    on_corruption: Callable[[CorruptionError], None] = lambda _: None
    """Called when a journal record turns out to be damaged."""
    dropped: Dropped = field(default_factory=Dropped)
    """Dropped commits that are remembered as long as the window reaches back to their version."""
    _by_version: deque[CommitSummary] = field(default_factory=deque)
    _by_id: dict[bytes, CommitSummary] = field(default_factory=dict)

    def remember(self, block: Block) -> None:
        """Takes over a commit that was just folded."""
        self.add(block.summary())

    def add(self, summary: CommitSummary) -> None:
        """Takes over a folded commit. REQUIRES: its version follows the newest one here."""
        self._by_version.append(summary)
        self._by_id[summary.commit_id] = summary

    def record_hash(self, commit_id: bytes, block_hash: bytes) -> None:
        """Notes the recorded hash of a commit, if that is still remembered."""
        before = self._by_id.get(commit_id)
        if before is not None:
            summary = self._by_id[commit_id] = replace(before, recorded_hash=block_hash)
            self._by_version[summary.version - self.oldest_version] = summary

    def find(self, commit_id: bytes) -> CommitSummary | None:
        """Returns a remembered commit by its name."""
        return self._by_id.get(commit_id)

    def at(self, version: int) -> CommitSummary | None:
        """Returns the remembered commit of a version."""
        place = version - self.oldest_version if self._by_version else -1
        return self._by_version[place] if 0 <= place < len(self._by_version) else None

    @property
    def oldest_version(self) -> int:
        """Oldest remembered version; 0 when there is none."""
        return self._by_version[0].version if self._by_version else 0

    def __len__(self) -> int:
        """Returns the number of remembered commits."""
        return len(self._by_version)

    async def body(self, summary: CommitSummary) -> RecordBody:
        """Reads the journal record of a remembered commit.

        Raises:
            CorruptionError: it is gone or damaged.
            CursorUnavailableError: it left the window while it was read.
        """
        key = keys.journal_key(summary.version, summary.commit_id)
        try:
            (record,) = await self.engine.get_many(Space.JOURNAL, [key])
            if record is None and summary.commit_id not in self._by_id:
                raise CursorUnavailableError(summary.version, self.oldest_version, "no longer recorded")
            return records.decode_record(key, record or b"")
        except CorruptionError as error:
            self.on_corruption(error)
            raise

    async def read(self, summary: CommitSummary) -> CommitRecord:
        """Reads a remembered commit whole.

        Raises:
            CorruptionError: its journal record is gone or damaged.
            CursorUnavailableError: it left the window while it was read.
        """
        body = await self.body(summary)
        return CommitRecord(
            summary.commit_id,
            summary.version,
            summary.parent_id,
            summary.commitment,
            body.writes,
            body.transactions,
            body.header,
        )

    async def trim(self, journal: Journal, base: int) -> None:
        """Removes what fell out of the window after folding up to `base`.

        Raises:
            StateError: a write failed.
        """
        failpoint.hit("state.flush.before_trim")
        while self._by_version and self.oldest_version <= base - self.feed_versions:
            batch = EngineBatch()
            while (
                self._by_version
                and self.oldest_version <= base - self.feed_versions
                and len(batch.operations) < _TRIM_RECORDS
            ):
                summary = self._by_version.popleft()
                self._by_id.pop(summary.commit_id, None)
                key = keys.journal_key(summary.version, summary.commit_id)
                batch.delete(Space.JOURNAL, key)
                batch.delete(Space.COMMITS, key)
            await journal.write(batch, sync=False)
        await self._trim_dropped(journal, self.oldest_version or base + 1)
        await self._collect_graves(journal, base - self.retained_versions)

    async def _trim_dropped(self, journal: Journal, oldest: int) -> None:
        """Removes the summaries of dropped commits below the oldest remembered version."""
        stale = self.dropped.older_than(oldest)
        for start in range(0, len(stale), _TRIM_RECORDS):
            batch = EngineBatch()
            for version, commit_id in stale[start : start + _TRIM_RECORDS]:
                self.dropped.forget(version, commit_id)
                batch.delete(Space.COMMITS, keys.journal_key(version, commit_id))
            await journal.write(batch, sync=False)

    async def _collect_graves(self, journal: Journal, newest: int) -> None:
        """Removes tombstones of deletions up to a version, unless the key was written again since."""
        if newest <= 0:
            return
        end = keys.version_bound(newest + 1)
        while graves := await self.engine.scan(Space.GRAVES, b"", end, _TRIM_RECORDS):
            batch = EngineBatch()
            named = [keys.parse_grave_key(grave) for grave, _ in graves]
            found = await self.engine.get_many(Space.STATE, [key for _, key in named])
            for (grave, _), (version, key), record in zip(graves, named, found, strict=True):
                batch.delete(Space.GRAVES, grave)
                if record is not None and records.decode_value(key, record) == (None, version):
                    batch.delete(Space.STATE, key)
            # The cached tombstones go too: the cache mirrors STATE, and a later self-check compares versions.
            collected = [(key, ABSENT) for space, key, _ in batch.operations if space is Space.STATE]
            self.cache.begin_apply()
            try:
                await journal.write(batch, sync=False)
            except StateError:
                self.cache.drop()
                raise
            self.cache.apply([pair for pair in collected if self.cache.peek(pair[0]) is not None])
