"""A reader whose cursor is no longer recorded is told the oldest one, as a value that it can go on with."""

import time
from pathlib import Path

import grpc
import pytest

from chassis.channels import sync_channel
from chassis.errors import from_rpc_error
from gateway.client import oldest_cursor
from iost.state.v1 import inspection_service_pb2 as pb
from iost.state.v1 import state_service_pb2 as state_pb
from iost.state.v1.admin_service_pb2 import GetStatsRequest
from iost.state.v1.admin_service_pb2_grpc import AdminServiceStub
from iost.state.v1.inspection_service_pb2_grpc import InspectionServiceStub
from iost.state.v1.state_service_pb2_grpc import StateServiceStub
from tests.integration.state_service.test_service import with_events
from tests.support.state_process import running


def test_the_oldest_cursor_is_told_and_can_be_followed(tmp_path: Path) -> None:
    settings = {"feed_versions": 3, "history_ms": 0, "retained_versions": 0, "flush_age_ms": 1}
    with running(tmp_path / "data", **settings) as process, sync_channel(process.address) as channel:
        state, inspection = StateServiceStub(channel), InspectionServiceStub(channel)
        for number in range(20):
            record = with_events(f"tx{number}", str(number))
            state.Commit(state_pb.CommitRequest(commit_id=b"c%d" % number, transactions=[record]))
        stats = AdminServiceStub(channel).GetStats
        deadline = time.monotonic() + 10
        while next(s.value for s in stats(GetStatsRequest()).stats if s.name == "history_oldest_version") < 18:
            assert time.monotonic() < deadline
            time.sleep(0.01)

        def follow(cursor: pb.EventCursor) -> list[str]:
            request = pb.StreamEventsRequest(cursor=cursor, until_head=True)
            return [found.event.data for found in inspection.StreamEvents(request)]

        with pytest.raises(grpc.RpcError) as caught:
            follow(pb.EventCursor(version=2, block_id=b"c1"))
        error = from_rpc_error(caught.value)
        assert error.reason == "CURSOR_UNAVAILABLE"
        cursor = oldest_cursor(error)
        assert cursor is not None
        assert (cursor.version, cursor.block_id) == (18, b"c17")
        assert follow(pb.EventCursor.FromString(cursor.SerializeToString())) == ["17", "18", "19"]
