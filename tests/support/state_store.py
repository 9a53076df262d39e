"""A state store for tests: open on memory or RocksDB, short-hands for commits and reads, a check after every test."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from iost.chain.v1 import receipt_pb2
from iost.chain.v1.block_pb2 import BlockHeader
from iost.state.v1 import state_service_pb2 as pb
from state_service import convert
from state_service.config import StateConfig
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.model import CommitResult, Durability, TransactionRecord, View, WriteBatch
from state_service.rocks import RocksEngine
from state_service.storage import StorageEngine
from state_service.store import Store, open_store
from state_service.verification import verify_range, verify_store

QUIET = StateConfig(retained_versions=1000, flush_age_ms=3_600_000, history_ms=0, min_free_bytes=0, check_every_hits=1)
"""Nothing is folded unless a test says so, folded versions stay recorded as long as they are held, and every L1 hit is
compared with the store."""

EAGER = replace(QUIET, retained_versions=0, flush_age_ms=1)
"""Everything is folded as soon as possible."""


@asynccontextmanager
async def opened(
    config: StateConfig = QUIET, *, disk: MemoryDisk | None = None, folder: Path | None = None
) -> AsyncIterator[Store]:
    """Opens a store, in memory unless a folder is given; checks its invariants before it closes."""
    engine: StorageEngine = MemoryEngine(disk) if folder is None else rocks(folder)
    store = await open_store(config, engine)
    try:
        yield store
        await check(store)
    finally:
        await store.close()


def rocks(folder: Path, *, min_free_bytes: int = 0, sync_writes: bool = True) -> RocksEngine:
    """Opens RocksDB with a small cache."""
    return RocksEngine(folder, block_cache_bytes=1 << 20, min_free_bytes=min_free_bytes, sync_writes=sync_writes)


async def check(store: Store) -> None:
    """What must hold whenever nothing is under way: sums agree, commitments recompute, cache equals store."""
    await store.journal.drained()
    tree = store.tree
    held = sum(block.held_bytes for block in tree._by_id.values() if block is not tree.root)
    assert tree.held_bytes == held
    assert store.cache.byte_count <= store.cache.limit_bytes
    assert store.cache.counts.mismatches == 0
    report = await verify_range(tree, store.history, 0, 0)
    assert report.mismatch_version == 0


async def verify_closed(engine: StorageEngine) -> None:
    """Runs the offline check and closes the engine."""
    try:
        await verify_store(engine)
    finally:
        await engine.close()


async def commit(
    store: Store,
    commit_id: str,
    writes: Mapping[str, str | None] | None = None,
    *,
    parent: str | None = None,
    reads: Mapping[str, int] | None = None,
    transactions: Sequence[TransactionRecord] = (),
    durability: Durability = Durability.SYNCED,
    header: BlockHeader | None = None,
    answer: bytes = b"",
    named: bool = False,
) -> CommitResult:
    """Commits texts."""
    return await store.committer.commit(
        WriteBatch(
            commit_id.encode(),
            {key.encode(): None if value is None else value.encode() for key, value in (writes or {}).items()},
            parent_id=None if parent is None else parent.encode(),
            reads={key.encode(): version for key, version in (reads or {}).items()},
            transactions=transactions,
            durability=durability,
            header=b"" if header is None else header.SerializeToString(),
            answer=answer,
            named=named,
        )
    )


async def get(store: Store, key: str, view: int | str = 0) -> str | None:
    """Reads one text at a version or block."""
    entries, _ = await store.reader.get_many(to_view(view), [key.encode()])
    return None if entries[0].value is None else entries[0].value.decode()


async def version_of(store: Store, key: str, view: int | str = 0) -> int:
    """Reads the version of one key."""
    entries, _ = await store.reader.get_many(to_view(view), [key.encode()])
    return entries[0].version


async def contents(store: Store, view: int | str = 0, *, page: int = 1000) -> dict[str, str]:
    """Scans everything at a version or block, in pages."""
    found: dict[str, str] = {}
    start: bytes | None = b""
    pinned = store.reader.resolve(to_view(view))
    while start is not None:
        got = await store.reader.scan(View(pinned.version, pinned.commit_id), start, None, page)
        assert [key for key, _ in got.entries] == sorted(key for key, _ in got.entries)
        found.update((key.decode(), (entry.value or b"").decode()) for key, entry in got.entries)
        start = got.next_key
    return found


def to_view(view: int | str) -> View:
    """A number is a version, a text a block id."""
    return View(view) if isinstance(view, int) else View(block_id=view.encode())


async def fold(store: Store) -> None:
    """Makes everything on the main chain final and folds it now."""
    if store.tree.head.version > store.tree.final.version:
        await store.committer.finalize(store.tree.head.commit_id)
    if store.tree.head is not store.tree.root:
        await store.flusher.fold(store.tree.head.version)


def transaction(tx_hash: str, *events: str, gas: int = 1) -> TransactionRecord:
    """Makes a transaction whose events have the given data, contract `c`, action `a`."""
    posted = [
        receipt_pb2.Event(topic=receipt_pb2.EVENT_TOPIC_CONTRACT_EVENT, contract="c", action_name="a", data=data)
        for data in events
    ]
    receipt = receipt_pb2.Receipt(tx_hash=tx_hash.encode(), gas_usage=gas)
    record = pb.TransactionRecord(tx_hash=tx_hash.encode(), receipt=receipt, events=posted)
    return convert.to_write_batch(pb.CommitRequest(commit_id=b"x", transactions=[record])).transactions[0]
