"""Protobuf to model and back: the edge of the service. Every check of form is here, every limit in one table."""

import base64
import binascii
from collections.abc import Iterable, Sequence

from google.protobuf.message import DecodeError

from iost.chain.v1.block_pb2 import BlockHeader
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.state.v1 import state_service_pb2 as state_pb
from state_service import headers, keys
from state_service.errors import InvalidRequestError, OutOfOrderError, PlaceLostError, WriteConflictError
from state_service.model import (
    CommitRecord,
    CommitResult,
    Durability,
    Entry,
    OpenedView,
    StoredBlock,
    StoredReceipt,
    TransactionRecord,
    View,
    WriteBatch,
)
from state_service.places import HeldPlace, PlaceWish

MAX_KEY_BYTES = 4096
"""Far above any key of the chain (contract, map name and field), far below what RocksDB or a page token would suffer
from."""

MAX_ID_BYTES = 64
"""Commit ids and transaction hashes: 32-byte hashes, with room for their hex form."""

MAX_BATCH_GET_KEYS = 100_000
"""Keys of one BatchGet, as the interface says."""

MAX_RECEIPTS = 1000
"""Hashes of one BatchGetReceipts, as the interface says."""

MAX_SEEN = 10_000
"""Hashes asked for with one view, as the interface says: the largest block."""

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000
"""Page sizes, as the interface says."""

DEFAULT_CHANGED_KEYS = 10_000
"""Changed keys that OpenView lists when the caller names no number, as the interface says."""

MAX_CONFLICT_BYTES = 128 << 10
"""Keys in a ConflictDetail, in bytes: a status travels in trailers. A caller with more conflicts than that starts
anew anyway."""

_DURABILITIES = {
    state_pb.DURABILITY_UNSPECIFIED: Durability.SYNCED,
    state_pb.DURABILITY_SYNCED: Durability.SYNCED,
    state_pb.DURABILITY_BUFFERED: Durability.BUFFERED,
}
_WIRE_DURABILITIES = {
    Durability.SYNCED: state_pb.DURABILITY_SYNCED,
    Durability.BUFFERED: state_pb.DURABILITY_BUFFERED,
}


def to_view(view: state_pb.View) -> View:
    """Reads a view.

    Raises:
        InvalidRequestError: negative version or oversized block id.
    """
    check_version(view.version, "view.version")
    if len(view.block_id) > MAX_ID_BYTES:
        raise InvalidRequestError(f"a block id has at most {MAX_ID_BYTES} bytes", field="view.block_id")
    return View(view.version, view.block_id or None)


def check_version(version: int, field: str) -> None:
    """Refuses a negative version.

    Raises:
        InvalidRequestError: negative.
    """
    if version < 0:
        raise InvalidRequestError("a version is not negative", field=field)


def check_id(value: bytes, field: str) -> bytes:
    """Refuses an identifier of the wrong length.

    Raises:
        InvalidRequestError: empty or longer than 64 bytes.
    """
    if not 1 <= len(value) <= MAX_ID_BYTES:
        raise InvalidRequestError(f"an id has 1 to {MAX_ID_BYTES} bytes, not {len(value)}", field=field)
    return value


def check_keys(wanted: Iterable[bytes], limit: int, field: str) -> list[bytes]:
    """Checks a list of keys.

    Raises:
        InvalidRequestError: too many, or one of the wrong length.
    """
    found = list(wanted)
    if len(found) > limit:
        raise InvalidRequestError(f"at most {limit} keys, not {len(found)}", field=field)
    if found and not 1 <= min(map(len, found)) <= max(map(len, found)) <= MAX_KEY_BYTES:
        raise InvalidRequestError(f"a key has 1 to {MAX_KEY_BYTES} bytes", field=field)
    return found


def to_write_batch(request: state_pb.CommitRequest) -> WriteBatch:
    """Reads a commit.

    Raises:
        InvalidRequestError: an id or key of the wrong length, a key written or read twice, an unknown durability, bytes
            that are no header.
    """
    if len(request.parent_id) > MAX_ID_BYTES:
        raise InvalidRequestError(f"a commit id has at most {MAX_ID_BYTES} bytes", field="parent_id")
    if request.durability not in _DURABILITIES:
        raise InvalidRequestError("unknown durability", field="durability")
    if request.epoch < 0:
        raise InvalidRequestError("an epoch is not negative", field="epoch")
    if request.place_id and request.parent_id:
        raise InvalidRequestError("a commit with a parent has no place", field="place_id")
    return WriteBatch(
        commit_id=check_id(request.commit_id, "commit_id"),
        parent_id=request.parent_id or None,
        newest_id=request.newest_id or None,
        reads=_to_reads(request.reads),
        writes=to_writes(request.writes),
        transactions=_to_transactions(request.transactions),
        header=_check_header(request.header),
        answer=request.answer,
        named=request.named,
        durability=_DURABILITIES[request.durability],
        epoch=request.epoch,
        place_id=request.place_id,
    )


def _check_header(header: bytes) -> bytes:
    try:
        parsed = BlockHeader.FromString(header)
    except DecodeError as error:
        raise InvalidRequestError("the bytes are not a block header", field="header") from error
    if parsed.number < 0 or parsed.time_ns < 0:
        raise InvalidRequestError("number and time of a block are not negative", field="header")
    return header


def _to_reads(reads: Sequence[state_pb.ReadVersion]) -> dict[bytes, int]:
    found = {read.key: read.version for read in reads}
    if len(found) != len(reads):
        raise InvalidRequestError("a key is listed twice", field="reads")
    check_keys(found, len(found), "reads")
    if found and min(found.values()) < 0:
        raise InvalidRequestError("a version is not negative", field="reads")
    return found


def to_writes(writes: Sequence[state_pb.Write]) -> dict[bytes, bytes | None]:
    """Reads a write set.

    Raises:
        InvalidRequestError: a key of the wrong length or written twice.
    """
    found = {write.key: write.value if write.HasField("value") else None for write in writes}
    if len(found) != len(writes):
        raise InvalidRequestError("a key is written twice", field="writes")
    check_keys(found, len(found), "writes")
    return found


def _to_transactions(transactions: Sequence[state_pb.TransactionRecord]) -> list[TransactionRecord]:
    found = [TransactionRecord(t.tx_hash, len(t.events), t.SerializeToString()) for t in transactions]
    for record in found:
        if not 1 <= len(record.tx_hash) <= MAX_ID_BYTES:
            check_id(record.tx_hash, "transactions.tx_hash")
    return found


def from_result(result: CommitResult) -> state_pb.CommitResponse:
    """Writes the answer to a commit."""
    return state_pb.CommitResponse(
        version=result.version,
        commitment=result.commitment,
        duplicate=result.duplicate,
        durability=_WIRE_DURABILITIES[result.durability],
        parent_version=result.parent_version,
    )


def to_place_wish(wish: state_pb.PlaceWish) -> PlaceWish:
    """Reads a wish for a place.

    Raises:
        InvalidRequestError: a negative time, or too many cells.
    """
    for name in ("expected_ms", "least_time_ns"):
        if getattr(wish, name) < 0:
            raise InvalidRequestError("a time is not negative", field=f"place.{name}")
    if len(wish.cells) > MAX_BATCH_GET_KEYS:
        raise InvalidRequestError(f"at most {MAX_BATCH_GET_KEYS} cells", field="place.cells")
    return PlaceWish(wish.holder_id, wish.expected_ms, wish.first, frozenset(wish.cells), wish.least_time_ns)


def from_place(place: HeldPlace) -> state_pb.Place:
    """Writes a place that was handed out."""
    number, time_ns = place.moment
    return state_pb.Place(place_id=place.place_id, number=number, time_ns=time_ns, waited=place.waited)


def with_order_detail(error: PlaceLostError | OutOfOrderError, version: int) -> PlaceLostError | OutOfOrderError:
    """Returns the error with the ConflictDetail that callers read."""
    details = [state_pb.ConflictDetail(version=version)]
    if isinstance(error, PlaceLostError):
        return PlaceLostError(error.place_id, details)
    return OutOfOrderError(error.given, error.parent, error.version, details)


def with_conflict_detail(error: WriteConflictError) -> WriteConflictError:
    """Returns the error with the ConflictDetail that callers read; keys beyond a limit of bytes are left out."""
    named: list[bytes] = []
    room = MAX_CONFLICT_BYTES
    for key in error.conflicting_keys:
        room -= len(key) + 4
        if room < 0:
            break
        named.append(key)
    detail = state_pb.ConflictDetail(keys=named, version=error.version)
    return WriteConflictError(error.conflicting_keys, error.version, [detail])


def from_entries(wanted: Iterable[bytes], entries: Iterable[Entry]) -> list[state_pb.Entry]:
    """Writes keys with what a view shows for them."""
    make = state_pb.Entry
    return [
        make(key=key, version=version) if value is None else make(key=key, value=value, version=version)
        for key, (value, version) in zip(wanted, entries, strict=True)
    ]


def check_hashes(tx_hashes: Sequence[bytes]) -> list[bytes]:
    """Checks the hashes of transactions asked for with a view.

    Raises:
        InvalidRequestError: too many, or of a wrong length.
    """
    if len(tx_hashes) > MAX_SEEN:
        raise InvalidRequestError(f"at most {MAX_SEEN} hashes", field="tx_hashes")
    return [check_id(tx_hash, "tx_hashes") for tx_hash in tx_hashes]


def from_opened_view(
    opened: OpenedView,
    wanted: Sequence[bytes],
    seen: Iterable[tuple[bytes, StoredReceipt]] = (),
    place: HeldPlace | None = None,
) -> state_pb.OpenViewResponse:
    """Writes an opened view, with the transactions that were seen before and the place."""
    summary = opened.summary
    return state_pb.OpenViewResponse(
        version=summary.version,
        block_id=summary.commit_id,
        header=headers.parse(opened.header, summary.version) if summary.version else None,
        parent_id=summary.parent_id,
        block_hash=summary.block_hash,
        changed_keys=opened.changed_keys,
        complete=opened.complete,
        entries=from_entries(wanted, opened.entries),
        epoch=opened.epoch,
        seen=[_from_seen(tx_hash, receipt) for tx_hash, receipt in seen],
        commitment=summary.commitment,
        place=None if place is None else from_place(place),
    )


def _from_seen(tx_hash: bytes, receipt: StoredReceipt) -> state_pb.SeenTransaction:
    record = state_pb.TransactionRecord.FromString(receipt.payload)
    return state_pb.SeenTransaction(
        tx_hash=tx_hash,
        receipt=record.receipt,
        events=record.events,
        version=receipt.version,
        block_id=receipt.commit_id,
        commitment=receipt.commitment,
    )


def from_record(record: CommitRecord) -> state_pb.StreamChangesResponse:
    """Writes a change record."""
    return state_pb.StreamChangesResponse(
        version=record.version,
        commit_id=record.commit_id,
        commitment=record.commitment,
        parent_id=record.parent_id,
        header=record.header,
        writes=[
            state_pb.Write(key=key) if value is None else state_pb.Write(key=key, value=value)
            for key, value in record.writes.items()
        ],
        transactions=[
            state_pb.TransactionRecord.FromString(transaction.payload) for transaction in record.transactions
        ],
    )


def from_stored_block(block: StoredBlock) -> state_pb.GetBlockResponse:
    """Writes a block without its content."""
    summary = block.summary
    return state_pb.GetBlockResponse(
        version=summary.version,
        block_id=summary.commit_id,
        parent_id=summary.parent_id,
        commitment=summary.commitment,
        header=headers.parse(block.header, summary.version),
        block_hash=summary.block_hash,
    )


def from_block_content(block: StoredBlock) -> state_pb.GetBlockContentResponse:
    """Writes a block with its content."""
    return state_pb.GetBlockContentResponse(
        block=from_stored_block(block),
        transactions=[state_pb.TransactionRecord.FromString(item.payload) for item in block.transactions],
        answer=block.answer,
    )


def from_receipt(receipt: StoredReceipt | None) -> inspection_pb.StoredReceipt:
    """Writes a receipt with its place; an empty message for an unknown hash."""
    if receipt is None:
        return inspection_pb.StoredReceipt()
    record = state_pb.TransactionRecord.FromString(receipt.payload)
    return inspection_pb.StoredReceipt(receipt=record.receipt, version=receipt.version, transaction_index=receipt.index)


def to_page_size(page_size: int) -> int:
    """Reads a page size: 0 is the default, too large is the most.

    Raises:
        InvalidRequestError: negative.
    """
    if page_size < 0:
        raise InvalidRequestError("a page size is not negative", field="page_size")
    return min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def to_range(request: state_pb.ScanRequest) -> tuple[bytes, bytes | None]:
    """Reads the range of a scan: what has the prefix, not below start, below end.

    Raises:
        InvalidRequestError: an oversized bound.
    """
    for field in ("prefix", "start_key", "end_key"):
        if len(getattr(request, field)) > MAX_KEY_BYTES:
            raise InvalidRequestError(f"a key has at most {MAX_KEY_BYTES} bytes", field=field)
    ends = [end for end in (keys.prefix_end(request.prefix), request.end_key or None) if end is not None]
    return max(request.prefix, request.start_key), min(ends, default=None)


def to_page_token(version: int, block_id: bytes, next_key: bytes) -> str:
    """Writes a page token: the view and where the next page starts. Opaque to callers."""
    raw = version.to_bytes(8) + bytes((len(block_id),)) + block_id + next_key
    return base64.urlsafe_b64encode(raw).decode()


def from_page_token(token: str) -> tuple[int, bytes, bytes]:
    """Reads a page token: version, block id, first key.

    Raises:
        InvalidRequestError: not one of ours.
    """
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidRequestError("not a page token of this service", field="page_token") from error
    if len(raw) < 9 or len(raw) <= 9 + raw[8]:
        raise InvalidRequestError("not a page token of this service", field="page_token")
    split = 9 + raw[8]
    return int.from_bytes(raw[:8]), raw[9:split], raw[split:]
