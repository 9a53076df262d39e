"""StateService: decode, call the store, encode. Every rule lives behind it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc.aio

from chassis.errors import DrainingError
from iost.state.v1 import state_service_pb2 as pb
from iost.state.v1 import state_service_pb2_grpc as rpc
from state_service import convert
from state_service.errors import (
    InvalidRequestError,
    OutOfOrderError,
    PlaceLostError,
    WriteConflictError,
)
from state_service.feed import Position, Unwind
from state_service.metrics import COMMIT_SECONDS, CONFLICTS
from state_service.model import View
from state_service.store import Store

Context = grpc.aio.ServicerContext[Any, Any]
"""What grpc hands to every method beside the request."""


class StateServicer(rpc.StateServiceServicer):
    """Serves `iost.state.v1.StateService`; errors leave as exceptions and are mapped by the chassis."""

    def __init__(self, store: Callable[[], Store]) -> None:
        """Takes a way to the open store; it raises while the store is being reopened."""
        self._store = store

    async def OpenView(self, request: pb.OpenViewRequest, context: Context) -> pb.OpenViewResponse:
        """Opens a view, with a place if one is asked for."""
        convert.check_version(request.known_version, "known_version")
        if request.max_changed_count < 0:
            raise InvalidRequestError("a count is not negative", field="max_changed_count")
        wanted = convert.check_keys(request.keys, convert.MAX_BATCH_GET_KEYS, "keys")
        hashes = convert.check_hashes(request.tx_hashes)
        at = convert.to_view(request.at)
        store = self._store()
        place = None
        if request.HasField("place"):
            if at.version or at.block_id:
                raise InvalidRequestError("a place comes with the newest view only", field="place")
            place = await store.places.claim(convert.to_place_wish(request.place))
        try:
            opened = await store.reader.open_view(
                request.known_version,
                request.known_block_id,
                request.max_changed_count or convert.DEFAULT_CHANGED_KEYS,
                wanted,
                at,
            )
            seen = await store.reader.seen(hashes, at)
        except BaseException:
            if place is not None:
                store.places.give_back(place.place_id)
            raise
        if place is not None and seen:
            store.places.give_back(place.place_id)
            place = None
        return convert.from_opened_view(opened, wanted, seen, place)

    async def HoldPlaces(self, request: pb.HoldPlacesRequest, context: Context) -> AsyncIterator[pb.HoldPlacesResponse]:
        """Registers a holder for as long as the stream lasts."""
        places = self._store().places
        holder_id = places.enter()
        try:
            yield pb.HoldPlacesResponse(holder_id=holder_id)
            await places.closed()
        finally:
            places.leave(holder_id)
        raise DrainingError

    async def GiveBackPlace(self, request: pb.GiveBackPlaceRequest, context: Context) -> pb.GiveBackPlaceResponse:
        """Gives back a place that is not needed."""
        self._store().places.give_back(request.place_id)
        return pb.GiveBackPlaceResponse()

    async def BatchGet(self, request: pb.BatchGetRequest, context: Context) -> pb.BatchGetResponse:
        """Reads keys at a view."""
        wanted = convert.check_keys(request.keys, convert.MAX_BATCH_GET_KEYS, "keys")
        entries, version = await self._store().reader.get_many(convert.to_view(request.view), wanted)
        return pb.BatchGetResponse(entries=convert.from_entries(wanted, entries), version=version)

    async def Scan(self, request: pb.ScanRequest, context: Context) -> pb.ScanResponse:
        """Lists a page of entries."""
        reader = self._store().reader
        start, end = convert.to_range(request)
        view = convert.to_view(request.view)
        if request.page_token:
            version, block_id, start = convert.from_page_token(request.page_token)
            if (view.version and view.version != version) or (view.block_id and view.block_id != block_id):
                raise InvalidRequestError("the token belongs to another view", field="page_token")
            view = View(version, block_id)
        block = reader.resolve(view)
        pinned = View(block.version, block.commit_id)
        if end is not None and start >= end:
            return pb.ScanResponse(version=block.version)
        limit = convert.to_page_size(request.page_size)
        page = await reader.scan(pinned, start, end, limit, keys_only=request.keys_only)
        entries = convert.from_entries([key for key, _ in page.entries], [entry for _, entry in page.entries])
        if request.keys_only:
            for entry in entries:
                entry.ClearField("value")
        token = convert.to_page_token(block.version, block.commit_id, page.next_key) if page.next_key else ""
        return pb.ScanResponse(entries=entries, next_page_token=token, version=page.version)

    async def Commit(self, request: pb.CommitRequest, context: Context) -> pb.CommitResponse:
        """Applies a batch whole or refuses it whole."""
        batch = convert.to_write_batch(request)
        committer = self._store().committer
        try:
            if request.validate_only:
                return convert.from_result(await committer.preview(batch))
            with COMMIT_SECONDS.time():
                return convert.from_result(await committer.commit(batch))
        except WriteConflictError as error:
            CONFLICTS.inc()
            raise convert.with_conflict_detail(error) from error
        except (PlaceLostError, OutOfOrderError) as error:
            raise convert.with_order_detail(error, self._store().tree.head.version) from error

    async def FinalizeBlock(self, request: pb.FinalizeBlockRequest, context: Context) -> pb.FinalizeBlockResponse:
        """Makes a commit and its ancestors final."""
        block_id = convert.check_id(request.block_id, "block_id")
        version, dropped = await self._store().committer.finalize(block_id)
        return pb.FinalizeBlockResponse(version=version, dropped_block_ids=dropped)

    async def DiscardBlock(self, request: pb.DiscardBlockRequest, context: Context) -> pb.DiscardBlockResponse:
        """Drops a commit and its descendants."""
        block_id = convert.check_id(request.block_id, "block_id")
        return pb.DiscardBlockResponse(dropped_block_ids=await self._store().committer.discard(block_id))

    async def GetBlock(self, request: pb.GetBlockRequest, context: Context) -> pb.GetBlockResponse:
        """Reads a commit by its id."""
        block = await self._store().committer.stored_block(convert.check_id(request.block_id, "block_id"))
        return convert.from_stored_block(block)

    async def GetBlockContent(self, request: pb.GetBlockContentRequest, context: Context) -> pb.GetBlockContentResponse:
        """Reads a commit by its id, with its content."""
        block = await self._store().committer.stored_block(convert.check_id(request.block_id, "block_id"))
        return convert.from_block_content(block)

    async def RecordBlockHash(self, request: pb.RecordBlockHashRequest, context: Context) -> pb.RecordBlockHashResponse:
        """Records the hash of a block."""
        block_id = convert.check_id(request.block_id, "block_id")
        block_hash = convert.check_id(request.block_hash, "block_hash")
        return pb.RecordBlockHashResponse(version=await self._store().committer.record_hash(block_id, block_hash))

    async def StreamChanges(
        self, request: pb.StreamChangesRequest, context: Context
    ) -> AsyncIterator[pb.StreamChangesResponse]:
        """Streams committed batches."""
        convert.check_version(request.from_version, "from_version")
        feed = self._store().feed
        first = request.from_version or feed.oldest_version
        position = Position(first - 1, request.known_block_id or (b"" if first == 1 else None))
        await feed.locate(position)
        await context.send_initial_metadata(())  # tells the caller that it is following from here on
        async for item in feed.follow(position, until_head=request.until_head, final_only=request.final_only):
            if isinstance(item, Unwind):
                yield pb.StreamChangesResponse(version=item.version, commit_id=item.commit_id, unwind=True)
            else:
                yield convert.from_record(item)
