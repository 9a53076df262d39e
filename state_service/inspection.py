"""InspectionService: heads, receipts and the event outbox.

Events are read out of the change feed, so they are delivered after their commit is published, in order, and from any
cursor inside the remembered window.
"""

from collections.abc import AsyncIterator, Callable, Iterator
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


class InspectionServicer(rpc.InspectionServiceServicer):
    """Serves `iost.state.v1.InspectionService`."""

    def __init__(self, store: Callable[[], Store]) -> None:
        """Takes a way to the open store; it raises while the store is being reopened."""
        self._store = store

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
            for response in _events(item, request):
                cursor = response.cursor
                if _Place(cursor.version, cursor.transaction_index, cursor.event_index) > skip:
                    yield response


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


def _events(record: CommitRecord, wanted: pb.StreamEventsRequest) -> Iterator[pb.StreamEventsResponse]:
    for index, transaction in enumerate(record.transactions):
        if not transaction.event_count:
            continue
        parsed = state_pb.TransactionRecord.FromString(transaction.payload)
        for number, event in enumerate(parsed.events):
            if matches(wanted, event):
                cursor = pb.EventCursor(
                    version=record.version, transaction_index=index, event_index=number, block_id=record.commit_id
                )
                yield pb.StreamEventsResponse(cursor=cursor, tx_hash=transaction.tx_hash, event=event)
