"""Followers over gRPC whose cursors lie on discarded blocks, before and after the service was killed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chassis.channels import CallPolicy, aio_channel
from iost.chain.v1.receipt_pb2 import Event, Receipt
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.state.v1 import state_service_pb2 as pb
from iost.state.v1.inspection_service_pb2_grpc import InspectionServiceStub
from iost.state.v1.state_service_pb2_grpc import StateServiceStub
from tests.support.state_process import StateProcess, running

Seen = list[tuple[str, int, bytes]]


class Caller:
    """Commits blocks of one event each, discards them, and follows."""

    def __init__(self, process: StateProcess) -> None:
        self._channel = aio_channel(process.address, policies=(CallPolicy(attempts=1, timeout_ms=10_000),))
        self._state = StateServiceStub(self._channel)
        self._inspection = InspectionServiceStub(self._channel)

    async def commit(self, *names: str) -> None:
        """Commits blocks onto the head, each with one event that bears its name."""
        for name in names:
            tx_hash = name.encode()
            record = pb.TransactionRecord(
                tx_hash=tx_hash, receipt=Receipt(tx_hash=tx_hash), events=[Event(contract="c", data=name)]
            )
            await self._state.Commit(pb.CommitRequest(commit_id=name.encode(), transactions=[record]))

    async def discard(self, name: str) -> None:
        """Discards a block with its descendants."""
        await self._state.DiscardBlock(pb.DiscardBlockRequest(block_id=name.encode()))

    async def events(self, cursor: inspection_pb.EventCursor) -> Seen:
        """Follows to the head; moves the cursor. Unwind notices bear the name `~`."""
        found = []
        request = inspection_pb.StreamEventsRequest(cursor=cursor, until_head=True)
        async for item in self._inspection.StreamEvents(request):
            found.append(("~" if item.unwind else item.event.data, item.cursor.version, item.cursor.block_id))
            cursor.CopyFrom(item.cursor)
        return found

    async def changes(self, from_version: int, known: str) -> Seen:
        """Follows StreamChanges to the head from a commit that the caller knows."""
        request = pb.StreamChangesRequest(from_version=from_version, known_block_id=known.encode(), until_head=True)
        return [
            ("~" if item.unwind else item.transactions[0].events[0].data, item.version, item.commit_id)
            async for item in self._state.StreamChanges(request)
        ]

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()


@asynccontextmanager
async def calling(folder: Path) -> AsyncIterator[Caller]:
    """Runs the service on a folder and calls it; kills it in the end."""
    with running(folder) as process:
        caller = Caller(process)
        try:
            yield caller
        finally:
            await caller.close()


async def test_a_cursor_on_a_discarded_block_goes_back_to_the_newest_common_one(tmp_path: Path) -> None:
    old, cursor = inspection_pb.EventCursor(), inspection_pb.EventCursor()
    # The cursor of the notice lies on a block that was discarded since.
    expected = [("~", 2, b"a2"), ("y3", 3, b"y3"), ("y4", 4, b"y4")]
    async with calling(tmp_path / "data") as caller:
        await caller.commit("a1", "a2", "x3", "x4")
        assert [name for name, *_ in await caller.events(old)] == ["a1", "a2", "x3", "x4"]
        cursor.CopyFrom(old)
        await caller.discard("x4")
        assert await caller.events(cursor) == [("~", 3, b"x3")]
        await caller.discard("x3")
        await caller.commit("y3", "y4")
        assert await caller.events(cursor) == expected
        assert await caller.events(cursor) == []
        assert await caller.changes(5, "x4") == await caller.changes(4, "x3") == expected
    async with calling(tmp_path / "data") as caller:
        assert await caller.events(old) == expected
        assert await caller.events(cursor) == []
        assert await caller.changes(5, "x4") == expected
        await caller.discard("a1")
        await caller.commit("b1")
        # Back to the empty store: everything that follows comes, from version 1 on.
        assert await caller.events(cursor) == [("~", 0, b""), ("b1", 1, b"b1")]
        assert await caller.changes(5, "y4") == [("~", 0, b""), ("b1", 1, b"b1")]
