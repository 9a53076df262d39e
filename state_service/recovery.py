"""Opening a store: check its schema, replay its journal, and stand where it stood.

    1. schema     refuse what another version of this software wrote
    2. acquire    become the writer; the epoch goes up
    3. history    load the summaries of the newest folded commits, as many as are held in memory
    4. replay     every journal record above the base becomes a block again; its commitment is recomputed and compared
    5. head       the main chain is the one that ends at the recorded head

After it, the tree is exactly what it was at the last durable batch: nothing acknowledged is missing, nothing is half
there.
"""

import logging
import time
from dataclasses import dataclass

from state_service import commitment, keys, records
from state_service.errors import CorruptionError, UnknownSchemaError
from state_service.model import GENESIS_COMMITMENT, GENESIS_ID, CommitSummary, Durability
from state_service.records import Place
from state_service.retention import Segment, read_segments
from state_service.storage import EngineBatch, Space, StorageEngine
from state_service.tree import Block, BlockTree, root_block

SCHEMA_VERSION = 2
"""Version of keys and records together. A change that an older software would misread raises it."""

READABLE_SCHEMAS = (1, 2)
"""Schemas that this software reads. Opening a store for writing raises its schema to the newest: records that are there
stay as they are, since each names its format. 2 differs from 1 in the formats of records and summaries, and in that
summaries of dropped commits are kept."""

_PAGE = 1000
"""Summaries read at a time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found."""

    epoch: int
    """Epoch of this writer; 0 when the store was opened without becoming one."""
    tree: BlockTree
    """Live commits."""
    history: list[CommitSummary]
    """Folded commits that are held in memory, oldest first."""
    dropped: list[CommitSummary]
    """Dropped commits that are held in memory."""
    recorded_from: int
    """Oldest recorded version; one above the base when there is none."""
    segments: list[Segment]
    """Segments of recorded history, oldest first."""
    floor: int
    """No view below this version can be served."""


async def check_schema(engine: StorageEngine) -> bool:
    """Checks who wrote the store.

    Returns:
        True when it holds something, False when it is new.

    Raises:
        UnknownSchemaError: another version of this software wrote it.
    """
    (stored,) = await engine.get_many(Space.META, [keys.META_SCHEMA])
    if stored is None:
        return False
    if int.from_bytes(stored) not in READABLE_SCHEMAS:
        raise UnknownSchemaError(int.from_bytes(stored), SCHEMA_VERSION)
    return True


async def recover(engine: StorageEngine, held_versions: int) -> Recovered:
    """Becomes the writer of a store and loads what is live.

    Args:
        engine: An open engine.
        held_versions: Newest folded versions to hold in memory, from 1.

    Raises:
        UnknownSchemaError: see `check_schema`.
        CorruptionError: what is stored does not fit together; names the place.
    """
    started = time.perf_counter()
    await check_schema(engine)
    epoch = await engine.acquire()
    await _raise_schema(engine)
    recovered = await load(engine, held_versions, epoch)
    log.info(
        "store_opened",
        extra={
            "epoch": epoch,
            "head_version": recovered.tree.head.version,
            "base_version": recovered.tree.root.version,
            "replayed_count": len(recovered.tree.blocks()) - 1,
            "elapsed_ms": round((time.perf_counter() - started) * 1000, 1),
        },
    )
    return recovered


async def _raise_schema(engine: StorageEngine) -> None:
    newest = SCHEMA_VERSION.to_bytes(4)
    if await engine.get_many(Space.META, [keys.META_SCHEMA]) != [newest]:
        batch = EngineBatch()
        batch.put(Space.META, keys.META_SCHEMA, newest)
        await engine.commit(batch, sync=True)


async def load(engine: StorageEngine, held_versions: int = 1, epoch: int = 0) -> Recovered:
    """Loads what is live without changing anything; arguments as for `recover`.

    Raises:
        CorruptionError: what is stored does not fit together; names the place.
    """
    names = (keys.META_BASE, keys.META_HEAD, keys.META_FINAL)
    genesis = Place(0, GENESIS_COMMITMENT, GENESIS_ID)
    stored = await engine.get_many(Space.META, names)
    base, head, final = (
        genesis if record is None else records.decode_place(name, record)
        for name, record in zip(names, stored, strict=True)
    )
    (floor,) = await engine.get_many(Space.META, [keys.META_FLOOR])
    found = await _summaries(engine, base.version - held_versions + 1)
    dropped = [summary for summary in found if summary.dropped]
    summaries = [summary for summary in found if not summary.dropped]
    folded = [summary for summary in summaries if summary.version <= base.version]
    tree = BlockTree(root_block(_base_summary(base, folded), await _header(engine, folded)))
    await _replay(engine, tree, {(s.version, s.commit_id): s for s in summaries if s.version > base.version})
    tree.set_head(_find(tree, head, "head"))
    tree.final = tree.root if final.version <= base.version else _find(tree, final, "final block")
    segments = await read_segments(engine)
    recorded_from = await _recorded_from(engine, segments, base.version)
    oldest_view = max(base.version, int.from_bytes(floor or b""))
    return Recovered(epoch, tree, folded, dropped, recorded_from, segments, oldest_view)


async def _recorded_from(engine: StorageEngine, segments: list[Segment], base_version: int) -> int:
    """Returns the oldest recorded version. What a removal that a crash interrupted left behind counts as recorded."""
    # Most removed versions lie below the first segment: their tombstones need not be passed over.
    start = keys.version_bound(segments[0].first) if segments else b""
    while page := await engine.scan(Space.COMMITS, start, keys.version_bound(base_version + 1), _PAGE):
        for key, record in page:
            version, commit_id = keys.parse_journal_key(key)
            if not records.decode_summary(version, commit_id, record).dropped:
                return version
        start = page[-1][0] + b"\0"
    return base_version + 1


async def _summaries(engine: StorageEngine, from_version: int) -> list[CommitSummary]:
    """Reads the summaries of all commits from a version on."""
    found: list[CommitSummary] = []
    start = keys.version_bound(max(from_version, 0))
    while page := await engine.scan(Space.COMMITS, start, None, _PAGE):
        for key, record in page:
            found.append(records.decode_summary(*keys.parse_journal_key(key), record))
        start = page[-1][0] + b"\0"
    return found


def _base_summary(base: Place, folded: list[CommitSummary]) -> CommitSummary:
    """Returns the summary of the newest folded commit, which the base must name."""
    if not base.version:
        return CommitSummary(GENESIS_ID, 0, GENESIS_ID, GENESIS_COMMITMENT, Durability.SYNCED, linear=True)
    newest = folded[-1] if folded else None
    if newest is None or (newest.version, newest.commit_id) != (base.version, base.commit_id):
        raise CorruptionError("base", f"version {base.version}, commit {base.commit_id.hex()} has no summary")
    if newest.commitment != base.commitment:
        raise CorruptionError("base", f"version {base.version} has another commitment than its summary")
    return newest


async def _header(engine: StorageEngine, folded: list[CommitSummary]) -> bytes:
    """Returns the header of the newest folded commit."""
    if not folded:
        return b""
    key = keys.journal_key(folded[-1].version, folded[-1].commit_id)
    (record,) = await engine.get_many(Space.JOURNAL, [key])
    return records.decode_record(key, record or b"").header


async def _replay(engine: StorageEngine, tree: BlockTree, summaries: dict[tuple[int, bytes], CommitSummary]) -> None:
    async for key, record in engine.changes(tree.root.version + 1):
        place = f"journal record {key.hex()}"
        summary = summaries.pop(keys.parse_journal_key(key), None)
        if summary is None:
            raise CorruptionError(place, "has no summary")
        parent = tree.find(summary.parent_id)
        if parent is None or parent.version != summary.version - 1:
            raise CorruptionError(place, "has no parent")
        body = records.decode_record(key, record)
        if commitment.chain(parent.commitment, summary.version, body.writes_section) != summary.commitment:
            raise CorruptionError(place, "its writes do not match its commitment")
        block = Block(summary, parent, body.writes, body.transactions, body.header, body.answer, len(record))
        tree.attach(block)
        tree.publish(block)
    if summaries:
        version, commit_id = min(summaries)
        raise CorruptionError(f"journal record {keys.journal_key(version, commit_id).hex()}", "missing")


def _find(tree: BlockTree, place: Place, what: str) -> Block:
    block = tree.find(place.commit_id)
    if block is None or block.version != place.version or block.commitment != place.commitment:
        raise CorruptionError(what, f"version {place.version}, commit {place.commit_id.hex()} is not in the journal")
    return block
