"""The storage engine as the state service sees it: ordered byte keys in a few spaces, changed by atomic batches.

Two engines implement it: `rocks.RocksEngine` (RocksDB) and `memory.MemoryEngine` (tests); both pass
`tests/integration/state_service/test_storage_contract.py`. The interface is asynchronous and assumes nothing but
order and atomicity, so that an engine on the far side of a network fits behind it.

CONTRACT
  - A batch is applied whole or not at all, also across a crash.
  - Batches become durable in the order they were committed: a batch that survived implies all before it.
  - After `commit(..., sync=True)` returns, that batch and all before it survive power loss.
  - A commit that raises is *uncertain*: it may or may not be there after the next open. Only `StorageFullError` raised
    with `applied=False` is certain to have changed nothing.
  - Reads see every batch whose commit returned.
  - A stored byte that changed by itself raises `CorruptionError` and is never returned.
  - `acquire` fences: once a later writer acquired the store, `commit` of an earlier one raises `StaleEpochError`.
"""

import enum
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol


class Space(enum.Enum):
    """A keyspace of its own, ordered by key. The values name RocksDB column families: never change one."""

    # Members are single objects; Enum's own hash is a Python call for each lookup, and batches look up thousands.
    __hash__ = object.__hash__

    META = "meta"
    """Schema version, epoch, head, base: a handful of keys."""
    STATE = "state"
    """Newest folded value of every key (`records.encode_value`)."""
    JOURNAL = "journal"
    """Commit records by version and commit id (`records.encode_record`)."""
    COMMITS = "commits"
    """Commit summaries under the same keys (`records.encode_summary`)."""
    RECEIPTS = "receipts"
    """Transaction records by transaction hash (`records.encode_receipt`)."""
    GRAVES = "graves"
    """Folded deletions by version and key, until their tombstones in STATE are collected."""


class EngineBatch:
    """Changes to apply as one: puts and deletes, the later of two on the same key wins."""

    __slots__ = ("operations",)

    def __init__(self) -> None:
        self.operations: list[tuple[Space, bytes, bytes | None]] = []

    def put(self, space: Space, key: bytes, value: bytes) -> None:
        """Sets a key."""
        self.operations.append((space, key, value))

    def delete(self, space: Space, key: bytes) -> None:
        """Removes a key; one that is not there is no error."""
        self.operations.append((space, key, None))


class StorageEngine(Protocol):
    """What a store must offer; see the module's CONTRACT."""

    async def acquire(self) -> int:
        """Becomes the writer: raises the stored epoch by one, durably, and returns it."""
        ...

    async def get_many(self, space: Space, keys: Sequence[bytes]) -> list[bytes | None]:
        """Returns the values of keys in their order; None for a key that is not there."""
        ...

    async def scan(self, space: Space, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Returns up to `limit` pairs with start <= key < end in key order; `end` None: no bound."""
        ...

    async def commit(self, batch: EngineBatch, *, sync: bool) -> None:
        """Applies a batch; see CONTRACT for what a return and an exception mean.

        Raises:
            StaleEpochError: another writer acquired the store.
            StorageFullError: no space.
            CorruptionError: the store is damaged.
            StorageFailedError: anything else; the outcome is uncertain.
        """
        ...

    def changes(self, from_version: int) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yields key and bytes of the JOURNAL from a version on, in version order, up to what is there when reached."""
        ...

    async def checkpoint(self, folder: Path) -> None:
        """Writes a consistent copy of everything committed so far into a folder that does not exist yet."""
        ...

    async def verify(self) -> int:
        """Reads everything once against its checksums.

        Returns:
            Number of pairs read.

        Raises:
            CorruptionError: with the place.
        """
        ...

    def stats(self) -> dict[str, int]:
        """Returns figures of the engine by name."""
        ...

    async def close(self) -> None:
        """Releases the store; safe to call twice."""
        ...
