"""Dropped commits that are still remembered: which commit each of them was built on.

A follower whose position lies on a dropped branch goes back along parents until it meets the main chain. The parent of
a dropped commit is kept in its summary, on disk as in memory, so that the way back is the same after a restart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from state_service import keys, records
from state_service.model import CommitSummary
from state_service.storage import EngineBatch, Space
from state_service.tree import Block

MAX_DROPPED = 10_000
"""Dropped commits that are remembered; as many as the default feed window has versions. Each takes about 300 bytes."""


@dataclass(slots=True)
class Dropped:
    """Parents of dropped commits. The oldest versions are forgotten first."""

    limit: int = MAX_DROPPED
    """Most commits remembered."""
    _parents: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    _count: int = 0

    def __len__(self) -> int:
        """Returns the number of dropped commits that are remembered."""
        return self._count

    def parent_of(self, version: int, commit_id: bytes) -> bytes | None:
        """Returns the commit id of the parent of a dropped commit; None when the commit is not remembered."""
        return self._parents.get(version, {}).get(commit_id)

    def may_hold(self, version: int) -> bool:
        """Tells whether a commit of this version may have been dropped."""
        forgotten = self._count >= self.limit and version < min(self._parents)  # the oldest go first
        return version in self._parents or forgotten

    def add(self, summary: CommitSummary) -> None:
        """Remembers a dropped commit."""
        parents = self._parents.setdefault(summary.version, {})
        self._count += summary.commit_id not in parents
        parents[summary.commit_id] = summary.parent_id

    def forget(self, version: int, commit_id: bytes) -> None:
        """Forgets a commit; harmless when it is not remembered."""
        parents = self._parents.get(version, {})
        if parents.pop(commit_id, None) is not None:
            self._count -= 1
        if not parents:
            self._parents.pop(version, None)

    def older_than(self, version: int) -> list[tuple[int, bytes]]:
        """Returns version and commit id of the dropped commits below a version."""
        return [
            (older, commit_id) for older, parents in self._parents.items() if older < version for commit_id in parents
        ]

    def surplus(self, added: int) -> list[tuple[int, bytes]]:
        """Returns the commits that must be forgotten before `added` ones fit, the oldest versions first."""
        count = self._count + added - self.limit
        if count <= 0:
            return []
        known = ((version, commit_id) for version in sorted(self._parents) for commit_id in self._parents[version])
        return [place for place, _ in zip(known, range(count), strict=False)]


def drop_batch(blocks: Sequence[Block], forgotten: Sequence[tuple[int, bytes]]) -> EngineBatch:
    """Returns the batch that removes the records of dropped blocks and keeps their summaries, marked as dropped.

    Args:
        blocks: Blocks to drop.
        forgotten: Commits dropped earlier whose summaries go as well (`Dropped.surplus`).
    """
    batch = EngineBatch()
    for version, commit_id in forgotten:
        batch.delete(Space.COMMITS, keys.journal_key(version, commit_id))
    for block in blocks:
        key = keys.journal_key(block.version, block.commit_id)
        batch.delete(Space.JOURNAL, key)
        summary = replace(block.summary(), dropped=True, named=False, recorded_hash=b"")
        batch.put(Space.COMMITS, key, records.encode_summary(summary))
    return batch
