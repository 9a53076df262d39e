"""A store in memory with the semantics of the state service: versions, read sets, idempotent commits. No branches."""

import hashlib
from collections.abc import Mapping, Sequence

from iost.state.v1 import state_service_pb2
from vm_service.model import Committed, PlaceWish, View
from vm_service.worker.state_reader import CommitRequest, ConflictError, Entry, OpenedView


class MemoryState:
    """One chain of versions; every version stays readable.

    Attributes:
        reads: number of `get_many` calls so far: what prefetching wants to keep low.
        views: number of `open_view` calls so far.
    """

    def __init__(self, entries: Mapping[str, str] | None = None) -> None:
        self._history: dict[str, list[tuple[int, str | None]]] = {}
        self._changes: list[tuple[str, ...]] = [()]
        self._ids = [b""]
        self._commitments = [bytes(32)]
        self._answers: dict[bytes, Committed] = {}
        self.transactions: list[state_service_pb2.TransactionRecord] = []
        self.reads = 0
        self.views = 0
        if entries:
            self.commit(CommitRequest(commit_id=b"seed", parent_id=b"", reads={}, writes=dict(entries)))

    @property
    def version(self) -> int:
        """The newest version."""
        return len(self._ids) - 1

    @property
    def commitment(self) -> bytes:
        """Commitment of the newest version."""
        return self._commitments[-1]

    def entry(self, key: str, version: int | None = None) -> Entry:
        """What a version shows for a key."""
        limit = self.version if version is None else version
        for at, value in reversed(self._history.get(key, [])):
            if at <= limit:
                return value, at
        return None, 0

    def dump(self, version: int | None = None) -> dict[str, str]:
        """All entries of a version."""
        found = ((key, self.entry(key, version)[0]) for key in sorted(self._history))
        return {key: value for key, value in found if value is not None}

    def open_view(
        self,
        known: View | None,
        keys: Sequence[str],
        at: View | None = None,
        hashes: Sequence[bytes] = (),
        place: PlaceWish | None = None,
    ) -> OpenedView:
        """As StateReader."""
        self.views += 1
        version = self.version if at is None else at.version or self._ids.index(at.block_id)
        changed: list[str] | None = None
        if known is not None and known.version <= version:
            changed = sorted({key for keys_ in self._changes[known.version + 1 : version + 1] for key in keys_})
        view = View(version, self._ids[version])
        return OpenedView(view, changed, [self.entry(key, version) for key in keys])

    def get_many(self, keys: Sequence[str], view: View) -> Sequence[Entry]:
        """As StateReader."""
        self.reads += 1
        return [self.entry(key, view.version) for key in keys]

    def commit(self, request: CommitRequest, *, validate_only: bool = False) -> Committed:
        """As StateStore; the parent is always the newest version."""
        if (answer := self._answers.get(request.commit_id)) is not None:
            return Committed(answer.version, answer.commitment, answer.parent_version, duplicate=True)
        stale = [key for key, version in request.reads.items() if self.entry(key)[1] != version]
        if stale:
            raise ConflictError(stale)
        answer = Committed(self.version + 1, self._next_commitment(request.writes), self.version)
        if validate_only:
            return answer
        for key, value in request.writes.items():
            self._history.setdefault(key, []).append((answer.version, value))
        self._changes.append(tuple(request.writes))
        self._ids.append(request.commit_id)
        self._commitments.append(answer.commitment)
        self._answers[request.commit_id] = answer
        self.transactions.extend(request.transactions)
        return answer

    def _next_commitment(self, writes: Mapping[str, str | None]) -> bytes:
        sha = hashlib.sha256(self.commitment)
        for key in sorted(writes):
            value = writes[key]
            sha.update(f"{len(key)}:{key}{'-' if value is None else f'{len(value)}:{value}'}".encode())
        return sha.digest()
