"""Checks of a store against itself: one range of commitments while serving, everything offline.

Offline (`verify_store`), in this order, each naming the place of the first damage:

    1. checksums     every block of every file is read once
    2. recovery      the journal above the base replays, and ends at the recorded head
    3. commitments   every recorded version's write set gives its commitment, chained to the one before
    4. STATE         a key written in the recorded folded versions has its newest value among them, or a later one
    5. receipts      every transaction of a recorded folded version is in the receipts index
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from state_service import commitment, records
from state_service.cache import Cache
from state_service.errors import CorruptionError, VersionUnavailableError
from state_service.history import History
from state_service.model import CommitRecord
from state_service.recovery import check_schema, load
from state_service.retention import Retention
from state_service.storage import Space, StorageEngine
from state_service.tree import Block, BlockTree


@dataclass(frozen=True, slots=True)
class RangeReport:
    """Result of recomputing the commitments of a range."""

    first_version: int
    """First version that was recomputed; 0 for an empty range."""
    last_version: int
    """Last version that was recomputed."""
    mismatch_version: int
    """First version whose commitment does not match its write set; 0: all match."""


@dataclass(frozen=True, slots=True)
class StoreReport:
    """Result of checking a store offline."""

    pair_count: int
    """Pairs read against their checksums."""
    head_version: int
    """Version of the head."""
    base_version: int
    """Newest folded version."""
    block_count: int
    """Live blocks above the base, branches included."""
    first_version: int
    """First version whose commitment was recomputed."""
    last_version: int
    """Last version whose commitment was recomputed."""
    checked_keys: int
    """Keys compared between journal and STATE."""


async def verify_range(tree: BlockTree, history: History, first: int, last: int) -> RangeReport:
    """Recomputes commitments of the main chain.

    Args:
        tree: Live commits.
        history: Folded commits that are recorded.
        first: First version; 0: the oldest recorded one.
        last: Last version; 0: the head.

    Raises:
        VersionUnavailableError: part of the range is not recorded.
        CorruptionError: a journal record is damaged.
    """
    oldest = history.oldest_version or tree.root.version + 1
    newest = tree.head.version
    if not newest:
        return RangeReport(0, 0, 0)
    first, last = first or oldest, last or newest
    if not oldest <= first <= last <= newest:
        raise VersionUnavailableError(first if first < oldest or first > newest else last, oldest, newest)
    before = await _commitment_at(tree, history, first - 1)
    for version in range(first, last + 1):
        await asyncio.sleep(0)  # reading and hashing a record takes a while, and the engine need not wait
        summary = await history.summary_at(version)
        block = tree.main_at(version)
        if summary is not None:
            section, claimed = (await history.body(summary)).writes_section, summary.commitment
        elif block is not None:
            section, claimed = records.encode_writes(block.writes), block.commitment
        else:  # folded and trimmed while this waited
            raise VersionUnavailableError(version, history.oldest_version, newest)
        # Of the oldest recorded version the parent's commitment is gone: its own is taken as the start of the chain.
        if before is not None and commitment.chain(before, version, section) != claimed:
            return RangeReport(first, last, version)
        before = claimed
    return RangeReport(first, last, 0)


async def _commitment_at(tree: BlockTree, history: History, version: int) -> bytes | None:
    if version == 0:
        return bytes(records.COMMITMENT_BYTES)
    found = await history.summary_at(version) or tree.main_at(version)
    return None if found is None else found.commitment


async def verify_store(engine: StorageEngine) -> StoreReport:
    """Checks a store that nobody serves; changes nothing.

    Raises:
        UnknownSchemaError: another version of this software wrote it.
        CorruptionError: damaged; names the place.
    """
    pair_count = await engine.verify()
    if not await check_schema(engine):
        return StoreReport(pair_count, 0, 0, 0, 0, 0, 0)
    recovered = await load(engine)
    tree = recovered.tree
    history = History(engine, Cache(0, 0), Retention(0, 0, 1), 0, recorded_from=recovered.recorded_from)
    for summary in recovered.history:
        history.add(summary)
    await _verify_chain(history)
    report = await verify_range(tree, history, 0, 0)
    if report.mismatch_version:
        raise CorruptionError(
            f"journal record of version {report.mismatch_version}", "its writes do not match its commitment"
        )
    checked = await _verify_folded(engine, tree.root, history)
    blocks = tree.blocks()
    return StoreReport(
        pair_count,
        tree.head.version,
        tree.root.version,
        len(blocks) - 1,
        report.first_version,
        report.last_version,
        checked,
    )


async def _verify_chain(history: History) -> None:
    """Checks that every recorded version follows from the one before."""
    parent_id: bytes | None = None
    for version in range(history.oldest_version, history.oldest_version + len(history)):
        summary = await history.summary_at(version)
        if summary is None or parent_id not in (None, summary.parent_id):
            raise CorruptionError(f"commit summary of version {version}", "the version before it is missing")
        parent_id = summary.commit_id


async def _verify_folded(engine: StorageEngine, root: Block, history: History) -> int:
    """Compares what recorded folded versions wrote with STATE; memory holds deleted keys only.

    Returns:
        Number of keys compared.
    """
    checked, gone = 0, _Gone()
    for version in range(history.oldest_version, root.version + 1) if history else ():
        summary = await history.summary_at(version)
        assert summary is not None, "the window has no gaps"
        record = await history.read(summary)
        found = await engine.get_many(Space.STATE, list(record.writes))
        for (key, value), stored in zip(record.writes.items(), found, strict=True):
            if stored is None:
                gone.note(key, version, value)
            else:
                checked += _compare(key, version, value, stored)
        await _verify_receipts(engine, record)
    return checked + gone.check()


class _Gone:
    """Keys that STATE does not have: the newest recorded write of each must be a deletion."""

    def __init__(self) -> None:
        self._missing: dict[bytes, int] = {}
        self._deleted: set[bytes] = set()

    def note(self, key: bytes, version: int, value: bytes | None) -> None:
        """Takes a write of such a key. REQUIRES: called in the order of versions."""
        if value is None:
            self._missing.pop(key, None)
            self._deleted.add(key)
        else:
            self._missing[key] = version

    def check(self) -> int:
        """Returns the number of keys; raises CorruptionError when one is missing."""
        for key, version in self._missing.items():
            raise CorruptionError(f"state key {key.hex()}", f"version {version} wrote it, STATE does not have it")
        return len(self._deleted)


def _compare(key: bytes, version: int, value: bytes | None, stored: bytes) -> bool:
    """Compares a write with STATE; returns whether STATE has this very write, and not a later one."""
    entry = records.decode_value(key, stored)
    # A later write is another record's matter, or lies above the base: a fold that a crash interrupted stored it.
    if entry.version < version or (entry.version == version and entry.value != value):
        cause = f"version {version} wrote it, STATE has version {entry.version}"
        raise CorruptionError(f"state key {key.hex()}", cause)
    return entry.version == version


async def _verify_receipts(engine: StorageEngine, record: CommitRecord) -> None:
    hashes: Sequence[bytes] = [transaction.tx_hash for transaction in record.transactions]
    for tx_hash, stored in zip(hashes, await engine.get_many(Space.RECEIPTS, hashes), strict=True):
        if stored is None or records.decode_receipt(tx_hash, stored).version < record.version:
            raise CorruptionError(f"receipt of {tx_hash.hex()}", f"version {record.version} recorded it")
