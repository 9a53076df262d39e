"""Folded history: the journal records and commit ids that outlive folding, and the collection of tombstones.

Two windows, both up to the newest folded version:

    recorded   records and summaries on disk, as long as `retention` says: change and event streams can start there, and
               `VerifyRange` can recompute
    held       the newest `feed_versions` of them, whose summaries are in memory as well: a repeated commit gets its
               first answer, and blocks are found by id

So memory is bounded by `feed_versions`, however long the recorded window is. What lies below the held window is folded
and can never change; it is read from the disk. Records are removed, a few at a time, by the flusher.
"""

import time
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
from state_service.retention import Retention
from state_service.storage import EngineBatch, Space, StorageEngine
from state_service.tree import Block

_PAGE = 100
"""Summaries of one version read at a time; more than one only where branches were dropped."""

_TRIM_RECORDS = 500
"""Most records removed in one engine batch: well below the time a commit takes."""


@dataclass(slots=True)
class History:
    """Folded commits that are still remembered, oldest first."""

    engine: StorageEngine
    cache: Cache
    retention: Retention
    """Says how long folded versions stay recorded."""
    retained_versions: int
    """How many versions a tombstone outlives its folding."""
    on_corruption: Callable[[CorruptionError], None] = lambda _: None
    """Called when a journal record turns out to be damaged."""
    dropped: Dropped = field(default_factory=Dropped)
    """Dropped commits that are held as long as the held window reaches back to their version."""
    recorded_from: int = 1
    """Oldest recorded version; one above the newest folded one when there is none."""
    removed_to: int = 0
    """Newest version whose record was removed; more than one below `recorded_from` while records are being removed."""
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
            self._by_version[summary.version - self.held_from] = summary

    def find(self, commit_id: bytes) -> CommitSummary | None:
        """Returns a held commit by its name."""
        return self._by_id.get(commit_id)

    def at(self, version: int) -> CommitSummary | None:
        """Returns the held commit of a version."""
        place = version - self.held_from if self._by_version else -1
        return self._by_version[place] if 0 <= place < len(self._by_version) else None

    async def summary_at(self, version: int) -> CommitSummary | None:
        """Returns the recorded commit of a version, held or not.

        Raises:
            CorruptionError: its summary is damaged.
        """
        held = self.at(version)
        if held is not None or not self.recorded_from <= version < self.held_from:
            return held
        start, end = keys.version_bound(version), keys.version_bound(version + 1)
        while page := await self.engine.scan(Space.COMMITS, start, end, _PAGE):
            for key, record in page:
                summary = records.decode_summary(*keys.parse_journal_key(key), record)
                if not summary.dropped:
                    return summary
            start = page[-1][0] + b"\0"
        return None

    async def stored(self, version: int, commit_id: bytes) -> CommitSummary | None:
        """Reads the summary of a commit from the disk, a dropped one too; None when it is not recorded.

        Raises:
            CorruptionError: it is damaged.
        """
        if version < self.recorded_from:
            return None
        (record,) = await self.engine.get_many(Space.COMMITS, [keys.journal_key(version, commit_id)])
        return None if record is None else records.decode_summary(version, commit_id, record)

    @property
    def held_from(self) -> int:
        """Oldest held version; 0 when there is none."""
        return self._by_version[0].version if self._by_version else 0

    @property
    def oldest_version(self) -> int:
        """Oldest recorded version; 0 when there is none."""
        return self.recorded_from if self._by_version else 0

    async def oldest_id(self) -> bytes:
        """Returns the commit id of the oldest recorded version; empty when there is none."""
        summary = await self.summary_at(self.oldest_version)
        return b"" if summary is None else summary.commit_id

    def __len__(self) -> int:
        """Returns the number of recorded commits."""
        return self._by_version[-1].version - self.recorded_from + 1 if self._by_version else 0

    async def body(self, summary: CommitSummary) -> RecordBody:
        """Reads the journal record of a remembered commit.

        Raises:
            CorruptionError: it is gone or damaged.
            CursorUnavailableError: it left the window while it was read.
        """
        key = keys.journal_key(summary.version, summary.commit_id)
        try:
            (record,) = await self.engine.get_many(Space.JOURNAL, [key])
            if record is None and summary.version < self.recorded_from:
                raise CursorUnavailableError(
                    summary.version, self.oldest_version, "no longer recorded", await self.oldest_id()
                )
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
        while self._by_version and self.held_from <= base - self.retention.keep_versions:
            self._by_id.pop(self._by_version.popleft().commit_id, None)
        for version, commit_id in self.dropped.older_than(self.held_from or base + 1):
            self.dropped.forget(version, commit_id)
        await self._remove(journal, self.retention.due(base, time.time_ns() // 1_000_000))
        await self._collect_graves(journal, base - self.retained_versions)

    async def _remove(self, journal: Journal, newest: int) -> None:
        """Removes records and summaries up to a version, those of dropped commits too; 0: none."""
        if newest <= self.removed_to:
            return
        start, end = keys.version_bound(self.removed_to + 1), keys.version_bound(newest + 1)
        self.recorded_from = max(self.recorded_from, newest + 1)  # readers learn of it before anything is gone
        while page := await self.engine.scan(Space.COMMITS, start, end, _TRIM_RECORDS):
            batch = EngineBatch()
            for key, _ in page:
                batch.delete(Space.JOURNAL, key)
                batch.delete(Space.COMMITS, key)
            await journal.write(batch, sync=False)
            start = page[-1][0] + b"\0"
        batch = EngineBatch()
        self.retention.forget(batch, newest)
        await journal.write(batch, sync=False)
        self.removed_to = newest

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
