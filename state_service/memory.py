"""The storage engine in memory: the reference for the contract of `storage`, and what fast tests run on.

A `MemoryDisk` is what survives a "crash"; engines are opened on it. `lose_unsynced` plays a power failure.
"""

from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from copy import deepcopy
from pathlib import Path

from state_service import keys
from state_service.errors import StaleEpochError, StorageFailedError
from state_service.storage import EngineBatch, Space


class MemoryDisk:
    """The bytes of a store, with what a power failure would leave of them."""

    def __init__(self) -> None:
        self.written: dict[Space, dict[bytes, bytes]] = {space: {} for space in Space}
        self._synced = deepcopy(self.written)
        self._unsynced: list[EngineBatch] = []

    def apply(self, batch: EngineBatch, *, sync: bool) -> None:
        """Applies a batch, and makes it and all before it durable when asked to."""
        _apply(self.written, batch)
        self._unsynced.append(batch)
        if sync:
            for earlier in self._unsynced:
                _apply(self._synced, earlier)
            self._unsynced.clear()

    def lose_unsynced(self) -> None:
        """Goes back to what was synced."""
        self._unsynced.clear()
        self.written = deepcopy(self._synced)


def _apply(spaces: dict[Space, dict[bytes, bytes]], batch: EngineBatch) -> None:
    for space, key, value in batch.operations:
        if value is None:
            spaces[space].pop(key, None)
        else:
            spaces[space][key] = value


class MemoryEngine:
    """A store in memory; see `storage` for the contract."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        """Opens a disk; a new one when none is given."""
        self.disk = disk or MemoryDisk()
        self._epoch = 0
        self._closed = False

    async def acquire(self) -> int:
        """Raises the epoch; see `storage`."""
        self._epoch = self._stored_epoch() + 1
        batch = EngineBatch()
        batch.put(Space.META, keys.META_EPOCH, self._epoch.to_bytes(8))
        self.disk.apply(batch, sync=True)
        return self._epoch

    def _stored_epoch(self) -> int:
        return int.from_bytes(self.disk.written[Space.META].get(keys.META_EPOCH, b""))

    async def get_many(self, space: Space, keys: Sequence[bytes]) -> list[bytes | None]:
        """Reads keys; see `storage`."""
        self._check_open()
        return [self.disk.written[space].get(key) for key in keys]

    async def scan(self, space: Space, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Reads a page of a range; see `storage`."""
        self._check_open()
        values = self.disk.written[space]
        ordered = sorted(values)
        first = bisect_left(ordered, start)
        last = len(ordered) if end is None else bisect_left(ordered, end)
        return [(key, values[key]) for key in ordered[first : min(last, first + limit)]]

    async def commit(self, batch: EngineBatch, *, sync: bool) -> None:
        """Applies a batch; see `storage`."""
        self._check_open()
        if self._stored_epoch() > self._epoch:
            raise StaleEpochError(self._epoch, self._stored_epoch())
        self.disk.apply(batch, sync=sync)

    async def changes(self, from_version: int) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yields the journal; see `storage`."""
        start = keys.version_bound(from_version)
        while page := await self.scan(Space.JOURNAL, start, None, 64):
            for pair in page:
                yield pair
            start = page[-1][0] + b"\0"

    async def checkpoint(self, folder: Path) -> None:
        """Writes a copy; see `storage`. The folder is a marker only: nothing in memory outlives the process."""
        folder.mkdir(parents=True)  # noqa: ASYNC240 - one call, in tests only

    async def verify(self) -> int:
        """Counts the pairs; memory has no checksums to check."""
        return sum(len(values) for values in self.disk.written.values())

    def stats(self) -> dict[str, int]:
        """Returns figures; see `storage`."""
        return {"engine_file_count": 0, "engine_file_bytes": 0, "engine_sequence": 0}

    async def close(self) -> None:
        """Refuses further calls; the disk keeps its bytes."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StorageFailedError("the engine is closed")
