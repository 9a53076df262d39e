"""The state service as a store: one blocking channel, opened once, used from the main thread and from V8's.

The connection is opened once: a confined worker cannot make another one. When it breaks, calls fail at once and
`on_lost` is called; the worker leaves, and its batch runs again on one that has a connection. A commit whose reply was
lost is then found by its receipts.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from chassis import channels, failpoint
from chassis.errors import RemoteError, from_rpc_error
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.state.v1 import inspection_service_pb2_grpc as inspection_grpc
from iost.state.v1 import state_service_pb2 as state_pb
from iost.state.v1 import state_service_pb2_grpc as state_grpc
from vm_service.model import Committed, Place, PlaceWish, View
from vm_service.worker.state_reader import CommitRequest, ConflictError, Entry, FirstExecution, OpenedView

M = TypeVar("M", bound=Message)
NEVER_MS = 2**31 - 1
"""gRPC closes a connection that idles for half an hour; this one could not be opened again."""


PLACE_LOST = "PLACE_LOST"
"""Reason of a commit that came too late for its place."""

OUT_OF_ORDER = "OUT_OF_ORDER"
"""Reason of a commit whose number or time does not exceed its parent's: no further run helps a given header."""

HOLDER_UNKNOWN = "HOLDER_UNKNOWN"
"""Reason of a wish for a place whose stream has ended."""


class HeldStream(Protocol):
    """What grpc hands out for a stream of responses."""

    def is_active(self) -> bool:
        """Whether the stream has not ended."""
        ...

    def __next__(self) -> state_pb.HoldPlacesResponse:
        """Waits for the next response; raises grpc.RpcError."""
        ...


class StateClient:
    """StateStore over gRPC, with the receipts index."""

    RECEIPT_PAGE = 1000
    """Hashes the store takes in one call."""

    def __init__(
        self, target: str, *, max_message_bytes: int, timeout_ms: int, on_lost: Callable[[], None] | None = None
    ) -> None:
        """Opens the channel; `connect` connects it.

        Args:
            target: address of the state service.
            max_message_bytes: largest message, either way.
            timeout_ms: how long one call may take.
            on_lost: called once, on a thread of gRPC, when the connection breaks.
        """
        policies = (channels.CallPolicy(timeout_ms=0, attempts=1),)
        options = (*channels.channel_options(max_message_bytes, policies), ("grpc.client_idle_timeout_ms", NEVER_MS))
        self._channel = grpc.insecure_channel(target, options=options)
        self._timeout_s = timeout_ms / 1000
        self._on_lost = on_lost
        self._state = state_grpc.StateServiceStub(self._channel)
        self._inspection = inspection_grpc.InspectionServiceStub(self._channel)
        self.read_call_count = 0
        self.epoch = 0
        self._was_ready = False
        self._has_genesis = False
        self._holding: HeldStream | None = None
        self._holder_id = 0
        self._place_id = 0

    def connect(self, timeout_s: float) -> None:
        """Waits for the connection.

        Raises:
            RemoteError: the store cannot be reached.
        """
        try:
            head = self._inspection.GetHead(inspection_pb.GetHeadRequest(), wait_for_ready=True, timeout=timeout_s)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        self._has_genesis = head.version > 0
        if self._on_lost is not None:
            self._channel.subscribe(self._watch)

    def _watch(self, state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.READY:
            self._was_ready = True
        elif self._was_ready and self._on_lost is not None:
            on_lost, self._on_lost = self._on_lost, None
            on_lost()

    def has_genesis(self) -> bool:
        """Tells whether the store holds a first version; asks it until it does, and never again.

        Raises:
            RemoteError: the store cannot be reached.
        """
        if not self._has_genesis:
            self._has_genesis = self._call(self._inspection.GetHead, inspection_pb.GetHeadRequest()).version > 0
        return self._has_genesis

    # -- reads ---------------------------------------------------------------------------------------------------

    def open_view(
        self,
        known: View | None,
        keys: Sequence[str],
        at: View | None = None,
        hashes: Sequence[bytes] = (),
        place: PlaceWish | None = None,
    ) -> OpenedView:
        """As StateReader."""
        request = state_pb.OpenViewRequest(keys=[key.encode() for key in keys], tx_hashes=hashes)
        if at is not None:
            request.at.CopyFrom(_named(at))
        if known is not None:
            request.known_version = known.version
            request.known_block_id = known.block_id
        response = self._open(request, place)
        self.epoch = response.epoch
        changed = [key.decode() for key in response.changed_keys] if known and response.complete else None
        seen = {
            item.tx_hash: FirstExecution(item.receipt, item.events, item.version, item.block_id, item.commitment)
            for item in response.seen
        }
        return OpenedView(_view(response), changed, _entries(response.entries), seen, self._take_place(response))

    def _open(self, request: state_pb.OpenViewRequest, wish: PlaceWish | None) -> state_pb.OpenViewResponse:
        if wish is None:
            return self._call(self._state.OpenView, request)
        request.place.expected_ms, request.place.first = wish.expected_ms, wish.first
        request.place.cells.extend(wish.cells)
        request.place.least_time_ns = wish.least_time_ns
        request.place.holder_id = self.hold_places()
        try:
            return self._call(self._state.OpenView, request)
        except RemoteError as error:
            if error.reason != HOLDER_UNKNOWN:
                raise
        self._holding = None  # the store was opened anew meanwhile
        request.place.holder_id = self.hold_places()
        return self._call(self._state.OpenView, request)

    # -- places --------------------------------------------------------------------------------------------------

    def hold_places(self) -> int:
        """Opens the stream that holds places, unless it is open; returns the id of this holder.

        Raises:
            RemoteError: the store cannot be reached.
        """
        if self._holding is None or not self._holding.is_active():
            self._holding = self._state.HoldPlaces(state_pb.HoldPlacesRequest())
            try:
                self._holder_id = next(self._holding).holder_id
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
        return self._holder_id

    def _take_place(self, response: state_pb.OpenViewResponse) -> Place | None:
        if not response.HasField("place"):
            return None
        given = response.place
        self._place_id = given.place_id
        return Place(given.place_id, given.number, given.time_ns, given.waited)

    def give_back_place(self) -> None:
        """Gives back the place of the last view, without waiting, unless it went with a commit."""
        if self._place_id:
            request = state_pb.GiveBackPlaceRequest(place_id=self._place_id)
            self._state.GiveBackPlace.future(request, timeout=self._timeout_s)
            self._place_id = 0

    def get_many(self, keys: Sequence[str], view: View) -> Sequence[Entry]:
        """As StateReader."""
        self.read_call_count += 1
        request = state_pb.BatchGetRequest(view=_named(view), keys=[key.encode() for key in keys])
        return _entries(self._call(self._state.BatchGet, request).entries)

    # -- commits -------------------------------------------------------------------------------------------------

    def commit(self, request: CommitRequest, *, validate_only: bool = False) -> Committed:
        """As StateStore."""
        message = state_pb.CommitRequest(
            commit_id=request.commit_id,
            parent_id=request.parent_id,
            reads=[state_pb.ReadVersion(key=key.encode(), version=at) for key, at in request.reads.items()],
            writes=[
                state_pb.Write(key=key.encode(), value=None if value is None else value.encode())
                for key, value in request.writes.items()
            ],
            transactions=request.transactions,
            durability=state_pb.DURABILITY_SYNCED,
            epoch=self.epoch,
            header=request.header,
            answer=request.answer,
            named=request.named,
            newest_id=request.newest_id,
            validate_only=validate_only,
            place_id=request.place_id,
        )
        failpoint.hit("worker.before_commit")
        try:
            response = self._call(self._state.Commit, message)
        except RemoteError as error:
            conflict = error.detail(state_pb.ConflictDetail)
            if conflict is None or (error.reason == OUT_OF_ORDER and not request.reruns):
                raise
            self._place_id = 0
            raise ConflictError([key.decode() for key in conflict.keys], late=error.reason == PLACE_LOST) from error
        if not validate_only:
            self._place_id = 0
        failpoint.hit("worker.after_commit")
        return Committed(response.version, response.commitment, response.parent_version, response.duplicate)

    def finalize(self, block_id: bytes) -> None:
        """Makes a block final: it can no longer be discarded.

        Raises:
            RemoteError: the store cannot be reached, or does not know the block.
        """
        self._call(self._state.FinalizeBlock, state_pb.FinalizeBlockRequest(block_id=block_id))

    # -- blocks --------------------------------------------------------------------------------------------------

    def block(self, block_id: bytes) -> state_pb.GetBlockContentResponse | None:
        """Reads a block with its content; None when the store does not know it.

        Raises:
            RemoteError: the store cannot be reached.
        """
        try:
            return self._call(self._state.GetBlockContent, state_pb.GetBlockContentRequest(block_id=block_id))
        except RemoteError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return None
            raise

    def block_view(self, block_id: bytes) -> View | None:
        """Reads where a block stands; None when the store does not know it.

        Raises:
            RemoteError: the store cannot be reached.
        """
        try:
            found = self._call(self._state.GetBlock, state_pb.GetBlockRequest(block_id=block_id))
        except RemoteError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return _view(found)

    def _call(self, method: Callable[..., M], request: Message) -> M:
        try:
            return method(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()


def _named(view: View) -> state_pb.View:
    return state_pb.View(version=0 if view.block_id else view.version, block_id=view.block_id)


def _view(response: state_pb.OpenViewResponse | state_pb.GetBlockResponse) -> View:
    header = response.header if response.HasField("header") else None
    return View(
        response.version,
        response.block_id,
        number=None if header is None else header.number,
        time_ns=0 if header is None else header.time_ns,
        parent_id=response.parent_id,
        block_hash=response.block_hash,
        commitment=response.commitment,
    )


def _entries(entries: Sequence[state_pb.Entry]) -> list[Entry]:
    return [(entry.value.decode() if entry.HasField("value") else None, entry.version) for entry in entries]
