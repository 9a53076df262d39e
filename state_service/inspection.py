"""InspectionService: heads, receipts and the event outbox.

Events are read out of the change feed, so they are delivered after their commit is published, in order, and from any
cursor inside the remembered window.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from iost.chain.v1 import receipt_pb2
from iost.state.v1 import inspection_service_pb2 as pb
from iost.state.v1 import inspection_service_pb2_grpc as rpc
from iost.state.v1 import state_service_pb2 as state_pb
from state_service import convert
from state_service.errors import InvalidRequestError
from state_service.feed import Feed, Position, Unwind
from state_service.model import CommitRecord
from state_service.server import Context
from state_service.store import Store

MAX_PARSED_RECORDS = 16
"""Newest records whose events are kept parsed: streams of the head are at the same record, or a few behind."""

MAX_PARSED_EVENTS = 20_000
"""Most events kept parsed: some 10 MB of ordinary ones."""


class InspectionServicer(rpc.InspectionServiceServicer):
    """Serves `iost.state.v1.InspectionService`."""

    def __init__(self, store: Callable[[], Store]) -> None:
        """Takes a way to the open store; it raises while the store is being reopened."""
        self._store = store
        self._parsed: OrderedDict[tuple[int, bytes], tuple[object, Sequence[_Posted]]] = OrderedDict()
        self._parsed_count = 0

    async def GetHead(self, request: pb.GetHeadRequest, context: Context) -> pb.GetHeadResponse:
        """Answers the newest version and the live range."""
        head = self._store().reader.head()
        return pb.GetHeadResponse(
            version=head.version,
            block_id=head.block_id,
            commitment=head.commitment,
            final_version=head.final_version,
            oldest_version=head.oldest_version,
            epoch=head.epoch,
            header=head.header,
            number=head.number,
            time_ns=head.time_ns,
            parent_id=head.parent_id,
            block_hash=head.block_hash,
        )

    async def BatchGetReceipts(
        self, request: pb.BatchGetReceiptsRequest, context: Context
    ) -> pb.BatchGetReceiptsResponse:
        """Reads receipts by transaction hash."""
        if len(request.tx_hashes) > convert.MAX_RECEIPTS:
            raise InvalidRequestError(f"at most {convert.MAX_RECEIPTS} hashes", field="tx_hashes")
        wanted = [convert.check_id(tx_hash, "tx_hashes") for tx_hash in request.tx_hashes]
        view = convert.to_view(state_pb.View(version=request.version, block_id=request.block_id))
        found = await self._store().reader.receipts(wanted, view)
        return pb.BatchGetReceiptsResponse(receipts=map(convert.from_receipt, found))

    async def StreamEvents(
        self, request: pb.StreamEventsRequest, context: Context
    ) -> AsyncIterator[pb.StreamEventsResponse]:
        """Streams events of committed transactions."""
        feed = self._store().feed
        skip = _BEFORE_ALL
        if request.HasField("cursor"):
            position, skip = _start(feed, request.cursor)
        else:
            position = Position(feed.tree.head.version, feed.tree.head.commit_id)
        await feed.locate(position)
        await context.send_initial_metadata(())  # tells the caller that it is following from here on
        async for item in feed.follow(position, until_head=request.until_head, final_only=request.final_only):
            if isinstance(item, Unwind):
                yield pb.StreamEventsResponse(cursor=_end_of(item), unwind=True)
                skip = _BEFORE_ALL  # what the caller had seen of the dropped branch says nothing about this one
                continue
            for posted in self._events_of(item, is_live=feed.is_live(item.version)):
                if posted.place > skip and matches(request, posted.event):
                    await feed.wait_for_turn(item.version)
                    yield posted.response(item.commit_id)

    def _events_of(self, record: CommitRecord, *, is_live: bool) -> Sequence["_Posted"]:
        """Returns the events of a record; those of a live one are parsed once for all streams."""
        if not is_live:
            return _parse(record)
        kept = self._parsed.get((record.version, record.commit_id))
        if kept is not None and kept[0] is record.transactions:  # an id may be committed again after it was dropped
            return kept[1]
        found = _parse(record)
        self._keep(record, found)
        return found

    def _keep(self, record: CommitRecord, events: Sequence["_Posted"]) -> None:
        name = (record.version, record.commit_id)
        _, replaced = self._parsed.pop(name, (None, ()))
        self._parsed[name] = (record.transactions, events)
        self._parsed_count += len(events) - len(replaced)
        while len(self._parsed) > MAX_PARSED_RECORDS or self._parsed_count > MAX_PARSED_EVENTS:
            _, (_, gone) = self._parsed.popitem(last=False)
            self._parsed_count -= len(gone)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    version: int
    transaction_index: int
    event_index: int


_BEFORE_ALL = _Place(0, -1, -1)

_END = 2**31 - 1
"""Transaction index of a cursor that lies behind every event of its version."""


def _end_of(commit: Unwind) -> pb.EventCursor:
    """Returns the cursor behind every event of a commit."""
    return pb.EventCursor(version=commit.version, transaction_index=_END, event_index=_END, block_id=commit.commit_id)


def _start(feed: Feed, cursor: pb.EventCursor) -> tuple[Position, _Place]:
    """Returns where a cursor goes on: after which commit, and after which event of the record that comes next."""
    convert.check_version(cursor.version, "cursor.version")
    if cursor.transaction_index < 0 or cursor.event_index < -1:
        raise InvalidRequestError("an index is not negative (an event index not below -1)", field="cursor")
    if len(cursor.block_id) > convert.MAX_ID_BYTES:
        raise InvalidRequestError(f"a block id has at most {convert.MAX_ID_BYTES} bytes", field="cursor.block_id")
    if cursor.transaction_index == _END:
        return Position(cursor.version, cursor.block_id or None), _BEFORE_ALL
    if not cursor.version:
        return Position(feed.oldest_version - 1, None), _BEFORE_ALL
    place = _Place(cursor.version, cursor.transaction_index, cursor.event_index)
    if not cursor.block_id:  # says nothing of the version itself, which may be the next one to be committed
        return Position(cursor.version - 1, None), place
    return Position(cursor.version, cursor.block_id, partial=True), place


def matches(wanted: pb.StreamEventsRequest, event: receipt_pb2.Event) -> bool:
    """Tells whether a stream wants an event; an empty text or an unspecified topic wants all."""
    return (
        wanted.contract in ("", event.contract)
        and wanted.action_name in ("", event.action_name)
        and (not wanted.topic or wanted.topic == event.topic)
        and event.data.startswith(wanted.data_prefix)
    )


@dataclass(frozen=True, slots=True)
class _Posted:
    """An event with its place."""

    place: _Place
    tx_hash: bytes
    event: receipt_pb2.Event

    def response(self, block_id: bytes) -> pb.StreamEventsResponse:
        """Writes the event as streams get it."""
        at = self.place
        cursor = pb.EventCursor(
            version=at.version,
            transaction_index=at.transaction_index,
            event_index=at.event_index,
            block_id=block_id,
        )
        return pb.StreamEventsResponse(cursor=cursor, tx_hash=self.tx_hash, event=self.event)


def _parse(record: CommitRecord) -> list[_Posted]:
    return [
        _Posted(_Place(record.version, index, number), transaction.tx_hash, event)
        for index, transaction in enumerate(record.transactions)
        if transaction.event_count
        for number, event in enumerate(state_pb.TransactionRecord.FromString(transaction.payload).events)
    ]
