"""The service as its callers see it: a real process over gRPC."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.channels import CallPolicy, aio_channel
from chassis.errors import RemoteError, from_rpc_error
from iost.chain.v1 import receipt_pb2
from iost.chain.v1.block_pb2 import BlockHeader
from iost.state.v1 import (
    admin_service_pb2 as admin_pb,
)
from iost.state.v1 import (
    admin_service_pb2_grpc,
    inspection_service_pb2_grpc,
    state_service_pb2_grpc,
)
from iost.state.v1 import (
    inspection_service_pb2 as inspection_pb,
)
from iost.state.v1 import (
    state_service_pb2 as pb,
)
from tests.support.state_process import StateProcess, running
from tests.support.waiting import until

SERVICES = ("iost.state.v1.StateService", "iost.state.v1.InspectionService", "iost.state.v1.AdminService")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateProcess]:
    folder = tmp_path_factory.mktemp("state")
    with running(folder / "data", checkpoint_dir=folder / "checkpoints") as started:
        yield started


@pytest.fixture
async def stubs(process: StateProcess) -> AsyncIterator[SimpleNamespace]:
    async with aio_channel(process.address, policies=(CallPolicy(attempts=1, timeout_ms=10_000),)) as channel:
        yield SimpleNamespace(
            state=state_service_pb2_grpc.StateServiceStub(channel),
            inspection=inspection_service_pb2_grpc.InspectionServiceStub(channel),
            admin=admin_service_pb2_grpc.AdminServiceStub(channel),
            channel=channel,
        )


def fresh(prefix: str) -> str:
    return f"{prefix}-{random.randbytes(8).hex()}"


def writes(**values: str | None) -> list[pb.Write]:
    return [pb.Write(key=k.encode(), value=None if v is None else v.encode()) for k, v in values.items()]


def batch(**fields: object) -> pb.CommitRequest:
    return pb.CommitRequest(commit_id=fresh("commit").encode(), **fields)


def with_events(tx_hash: str, *data: str, contract: str = "token") -> pb.TransactionRecord:
    return pb.TransactionRecord(
        tx_hash=tx_hash.encode(),
        receipt=receipt_pb2.Receipt(tx_hash=tx_hash.encode(), gas_usage=7),
        events=[
            receipt_pb2.Event(
                topic=receipt_pb2.EVENT_TOPIC_CONTRACT_EVENT, contract=contract, action_name="move", data=text
            )
            for text in data
        ],
    )


async def refusal(call: grpc.aio.UnaryUnaryCall) -> RemoteError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_a_batch_is_applied_read_and_answered_again(stubs: SimpleNamespace) -> None:
    header = BlockHeader(number=7, time_ns=70)
    request = batch(writes=writes(a="1", b=""), header=header.SerializeToString(), answer=b"answer", named=True)
    first = await stubs.state.Commit(request)
    assert first.parent_version == first.version - 1
    assert first.durability == pb.DURABILITY_SYNCED
    again = await stubs.state.Commit(request)
    assert again.duplicate
    again.duplicate = False
    assert again == first
    got = await stubs.state.BatchGet(pb.BatchGetRequest(keys=[b"b", b"a", b"none"]))
    assert got.version == first.version
    assert [(e.key, e.HasField("value"), e.value, e.version) for e in got.entries] == [
        (b"b", True, b"", first.version),
        (b"a", True, b"1", first.version),
        (b"none", False, b"", 0),
    ]
    head = await stubs.inspection.GetHead(inspection_pb.GetHeadRequest())
    assert (head.version, head.block_id, head.commitment, head.header) == (
        first.version,
        request.commit_id,
        first.commitment,
        request.header,
    )
    assert (head.number, head.time_ns, head.block_hash) == (7, 70, request.commit_id)
    block = pb.GetBlockResponse(
        version=first.version,
        block_id=request.commit_id,
        parent_id=head.parent_id,
        commitment=first.commitment,
        header=header,
        block_hash=request.commit_id,
    )
    assert await stubs.state.GetBlock(pb.GetBlockRequest(block_id=request.commit_id)) == block
    content = await stubs.state.GetBlockContent(pb.GetBlockContentRequest(block_id=request.commit_id))
    assert content == pb.GetBlockContentResponse(block=block, answer=b"answer")
    view = await stubs.state.OpenView(pb.OpenViewRequest(at=pb.View(block_id=request.commit_id)))
    assert (view.header, view.parent_id, view.block_hash) == (header, head.parent_id, request.commit_id)


async def test_the_hash_of_a_block_is_recorded_once(stubs: SimpleNamespace) -> None:
    request = batch()
    version = (await stubs.state.Commit(request)).version
    record = pb.RecordBlockHashRequest(block_id=request.commit_id, block_hash=b"h" * 32)
    for _ in range(2):
        assert (await stubs.state.RecordBlockHash(record)).version == version
    listed = (await stubs.admin.ListBlocks(admin_pb.ListBlocksRequest(page_size=1000))).blocks[-1]
    assert (listed.block_id, listed.block_hash, listed.number) == (request.commit_id, b"h" * 32, version - 1)
    record.block_hash = b"i" * 32
    error = await refusal(stubs.state.RecordBlockHash(record))
    assert (error.reason, error.metadata["expected"], error.metadata["actual"]) == (
        "BLOCK_HASH_DIFFERS",
        (b"h" * 32).hex(),
        (b"i" * 32).hex(),
    )
    for block_id, block_hash, reason in ((b"none", b"h", "BLOCK_NOT_FOUND"), (b"x", b"", "MALFORMED_REQUEST")):
        error = await refusal(
            stubs.state.RecordBlockHash(pb.RecordBlockHashRequest(block_id=block_id, block_hash=block_hash))
        )
        assert error.reason == reason
    assert (await refusal(stubs.state.GetBlock(pb.GetBlockRequest(block_id=b"none")))).reason == "BLOCK_NOT_FOUND"


async def test_a_commit_whose_header_is_none_is_refused(stubs: SimpleNamespace) -> None:
    for header in (b"header", BlockHeader(number=-1).SerializeToString(), BlockHeader(time_ns=-1).SerializeToString()):
        error = await refusal(stubs.state.Commit(batch(header=header)))
        assert (error.reason, error.metadata["field"]) == ("MALFORMED_REQUEST", "header")


async def test_a_conflict_names_the_keys(stubs: SimpleNamespace) -> None:
    first = await stubs.state.Commit(batch(writes=writes(x="1", y="1")))
    reads = [pb.ReadVersion(key=b"x", version=first.version - 1), pb.ReadVersion(key=b"y", version=first.version)]
    error = await refusal(stubs.state.Commit(batch(reads=reads, writes=writes(z="1"))))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "WRITE_CONFLICT")
    detail = error.detail(pb.ConflictDetail)
    assert (list(detail.keys), detail.version) == ([b"x"], first.version)
    assert not (await stubs.state.BatchGet(pb.BatchGetRequest(keys=[b"z"]))).entries[0].HasField("value")


async def test_thousands_of_conflicts_still_fit_into_a_status(stubs: SimpleNamespace) -> None:
    reads = [pb.ReadVersion(key=b"%0100d" % n, version=1) for n in range(20_000)]
    error = await refusal(stubs.state.Commit(batch(reads=reads)))
    assert error.reason == "WRITE_CONFLICT"
    assert error.metadata["key_count"] == "20000"
    assert 1000 < len(error.detail(pb.ConflictDetail).keys) < 20_000


async def test_a_dry_commit_answers_and_applies_nothing(stubs: SimpleNamespace) -> None:
    request = batch(writes=writes(dry="1"), validate_only=True)
    preview = await stubs.state.Commit(request)
    assert not (await stubs.state.BatchGet(pb.BatchGetRequest(keys=[b"dry"]))).entries[0].HasField("value")
    request.validate_only = False
    applied = await stubs.state.Commit(request)
    assert (applied.version, applied.commitment) == (preview.version, preview.commitment)


async def test_pages_of_a_scan_show_one_version_whatever_is_written_meanwhile(stubs: SimpleNamespace) -> None:
    keys = [f"scan/{n:03}" for n in range(25)]
    await stubs.state.Commit(batch(writes=writes(**dict.fromkeys(keys, "old"), **{"scan0": "out", "scan.": "out"})))
    request = pb.ScanRequest(prefix=b"scan/", page_size=10)
    found: list[tuple[str, str]] = []
    sizes = []
    while True:
        page = await stubs.state.Scan(request)
        found += [(e.key.decode(), e.value.decode()) for e in page.entries]
        sizes.append(len(page.entries))
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
        await stubs.state.Commit(batch(writes=writes(**dict.fromkeys(keys, "new"), **{fresh("scan/"): "1"})))
    assert found == [(key, "old") for key in keys]
    assert sizes == [10, 10, 5]
    bounded = pb.ScanRequest(prefix=b"scan/", start_key=b"scan/010", end_key=b"scan/012", keys_only=True)
    page = await stubs.state.Scan(bounded)
    assert [(e.key, e.HasField("value")) for e in page.entries] == [(b"scan/010", False), (b"scan/011", False)]


async def test_views_tell_what_changed(stubs: SimpleNamespace) -> None:
    known = await stubs.state.Commit(batch(writes=writes(v1="1")))
    await stubs.state.Commit(batch(writes=writes(v2="1", v3=None)))
    view = await stubs.state.OpenView(pb.OpenViewRequest(known_version=known.version, keys=[b"v1"]))
    assert (view.complete, list(view.changed_keys), view.entries[0].value) == (True, [b"v2", b"v3"], b"1")
    assert not (await stubs.state.OpenView(pb.OpenViewRequest())).complete


async def test_branches_are_built_finalised_and_discarded(stubs: SimpleNamespace) -> None:
    base = batch(writes=writes(fork="base"))
    await stubs.state.Commit(base)
    one, two = (batch(parent_id=base.commit_id, writes=writes(fork=name)) for name in ("one", "two"))
    for request in (one, two):
        await stubs.state.Commit(request)
    for request, value in ((one, b"one"), (two, b"two"), (base, b"base")):
        view = pb.View(block_id=request.commit_id)
        assert (await stubs.state.BatchGet(pb.BatchGetRequest(view=view, keys=[b"fork"]))).entries[0].value == value
    listed = await stubs.admin.ListBlocks(admin_pb.ListBlocksRequest(page_size=1000))
    assert {block.block_id: block.main_chain for block in listed.blocks}[two.commit_id] is False
    done = await stubs.state.FinalizeBlock(pb.FinalizeBlockRequest(block_id=two.commit_id))
    assert list(done.dropped_block_ids) == [one.commit_id]
    three = batch(writes=writes(fork="three"))
    await stubs.state.Commit(three)
    assert list((await stubs.state.DiscardBlock(pb.DiscardBlockRequest(block_id=three.commit_id))).dropped_block_ids)
    assert (await stubs.state.BatchGet(pb.BatchGetRequest(keys=[b"fork"]))).entries[0].value == b"two"
    error = await refusal(stubs.state.DiscardBlock(pb.DiscardBlockRequest(block_id=two.commit_id)))
    assert error.reason == "FINALITY_VIOLATED"


async def test_receipts_are_found_by_hash(stubs: SimpleNamespace) -> None:
    one, two = fresh("tx"), fresh("tx")
    done = await stubs.state.Commit(batch(transactions=[with_events(one), with_events(two, "e")]))
    request = inspection_pb.BatchGetReceiptsRequest(tx_hashes=[two.encode(), b"unknown", one.encode()])
    found = (await stubs.inspection.BatchGetReceipts(request)).receipts
    assert [(r.version, r.transaction_index, r.HasField("receipt")) for r in found] == [
        (done.version, 1, True),
        (0, 0, False),
        (done.version, 0, True),
    ]
    assert found[0].receipt.tx_hash == two.encode()


async def collect(stream: AsyncIterator[Message], count: int) -> list[Message]:
    found = []
    async with asyncio.timeout(10):
        async for item in stream:
            found.append(item)
            if len(found) == count:
                break
    return found


async def test_events_come_after_their_commit_filtered_and_from_any_cursor(stubs: SimpleNamespace) -> None:
    contract = fresh("c")
    start = (await stubs.inspection.GetHead(inspection_pb.GetHeadRequest())).version
    live = stubs.inspection.StreamEvents(inspection_pb.StreamEventsRequest(contract=contract))
    await live.wait_for_connection()
    listening = asyncio.create_task(collect(live, 5))
    for n in range(2):
        records = [
            with_events(fresh("tx"), "skip", contract="other"),
            with_events(fresh("tx"), f"{n}-a", f"{n}-b", contract=contract),
            with_events(fresh("tx"), f"{n}-c", contract=contract),
        ]
        await stubs.state.Commit(batch(transactions=records))
    await stubs.state.Commit(batch(transactions=[with_events(fresh("tx"), "2-a", contract=contract)]))
    expected = ["0-a", "0-b", "0-c", "1-a", "1-b", "1-c", "2-a"]
    received = await listening
    assert [item.event.data for item in received] == expected[:5]

    for number, item in enumerate(received):
        request = inspection_pb.StreamEventsRequest(cursor=item.cursor, contract=contract, until_head=True)
        rest = [found.event.data async for found in stubs.inspection.StreamEvents(request)]
        assert rest == expected[number + 1 :]

    async def texts(**wanted: object) -> list[str]:
        cursor = inspection_pb.EventCursor(version=start + 1, event_index=-1)
        request = inspection_pb.StreamEventsRequest(cursor=cursor, until_head=True, **wanted)
        return [found.event.data async for found in stubs.inspection.StreamEvents(request)]

    assert await texts(contract=contract, data_prefix="1-") == ["1-a", "1-b", "1-c"]
    assert await texts(contract="other", action_name="move") == ["skip", "skip"]
    assert await texts(action_name="nothing") == []
    assert await texts(topic=receipt_pb2.EVENT_TOPIC_CONTRACT_RECEIPT) == []


async def test_events_of_a_dropped_branch_are_unwound_for_a_cursor_that_saw_them(stubs: SimpleNamespace) -> None:
    contract = fresh("c")
    base = batch()
    await stubs.state.Commit(base)
    sides = {
        name: batch(parent_id=base.commit_id, transactions=[with_events(fresh("tx"), name, "late", contract=contract)])
        for name in ("one", "two")
    }
    for request in sides.values():
        await stubs.state.Commit(request)

    async def events(cursor: inspection_pb.EventCursor | None) -> list[inspection_pb.StreamEventsResponse]:
        request = inspection_pb.StreamEventsRequest(cursor=cursor, contract=contract, until_head=True)
        return [found async for found in stubs.inspection.StreamEvents(request)]

    seen = await events(inspection_pb.EventCursor(version=1, event_index=-1))
    assert [found.event.data for found in seen] == ["one", "late"]
    await stubs.state.FinalizeBlock(pb.FinalizeBlockRequest(block_id=sides["two"].commit_id))
    rest = await events(seen[-1].cursor)
    assert [(found.unwind, found.event.data) for found in rest] == [(True, ""), (False, "two"), (False, "late")]
    assert [found.event.data for found in await events(rest[0].cursor)] == ["two", "late"]


async def test_changes_are_streamed_gap_free(stubs: SimpleNamespace) -> None:
    first = await stubs.state.Commit(batch(writes=writes(s1="1"), transactions=[with_events("t")]))
    stream = stubs.state.StreamChanges(pb.StreamChangesRequest(from_version=first.version))
    listening = asyncio.create_task(collect(stream, 4))
    for n in range(3):
        await stubs.state.Commit(batch(writes=writes(s1=None, s2=str(n))))
    found = await listening
    assert [record.version for record in found] == list(range(first.version, first.version + 4))
    assert [(w.key, w.HasField("value")) for w in found[-1].writes] == [(b"s1", False), (b"s2", True)]
    assert [record.parent_id for record in found[1:]] == [record.commit_id for record in found[:-1]]
    assert found[0].transactions[0].receipt.gas_usage == 7
    error = await refusal_of_stream(stubs.state.StreamChanges(pb.StreamChangesRequest(from_version=10**6)))
    assert (error.reason, error.code) == ("CURSOR_UNAVAILABLE", grpc.StatusCode.FAILED_PRECONDITION)


async def refusal_of_stream(stream: AsyncIterator[Message]) -> RemoteError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect(stream, 1)
    return from_rpc_error(caught.value)


async def test_clients_that_vanish_in_mid_stream_leave_nothing_behind(stubs: SimpleNamespace) -> None:
    async def streams() -> int:
        stats = await stubs.admin.GetStats(admin_pb.GetStatsRequest())
        return next(stat.value for stat in stats.stats if stat.name == "stream_count")

    calls = [
        stubs.state.StreamChanges(pb.StreamChangesRequest(from_version=1))
        if n % 2
        else stubs.inspection.StreamEvents(inspection_pb.StreamEventsRequest())
        for n in range(20)
    ]
    await asyncio.gather(*(call.wait_for_connection() for call in calls))

    async def open_count_is(count: int) -> bool:
        return await streams() == count

    await until(lambda: open_count_is(20))
    for call in calls:
        call.cancel()
    await until(lambda: open_count_is(0))
    await stubs.state.Commit(batch(writes=writes(after="1")))


LONG = b"x" * 65
BAD_REQUESTS = [
    ("state.Commit", pb.CommitRequest(), "commit_id"),
    ("state.Commit", pb.CommitRequest(commit_id=LONG), "commit_id"),
    ("state.Commit", pb.CommitRequest(commit_id=b"c", parent_id=LONG), "parent_id"),
    ("state.Commit", pb.CommitRequest(commit_id=b"c", writes=[pb.Write(key=b"")]), "writes"),
    ("state.Commit", pb.CommitRequest(commit_id=b"c", writes=[pb.Write(key=b"x" * 4097)]), "writes"),
    ("state.Commit", pb.CommitRequest(commit_id=b"c", writes=[pb.Write(key=b"x"), pb.Write(key=b"x")]), "writes"),
    ("state.Commit", pb.CommitRequest(commit_id=b"c", reads=[pb.ReadVersion(key=b"x", version=-1)]), "reads"),
    ("state.Commit", pb.CommitRequest(commit_id=b"c", reads=[pb.ReadVersion(key=b"x")] * 2), "reads"),
    ("state.Commit", pb.CommitRequest(commit_id=b"c", durability=9), "durability"),
    ("state.Commit", pb.CommitRequest(commit_id=b"c", epoch=-1), "epoch"),
    ("state.Commit", pb.CommitRequest(commit_id=b"c", transactions=[pb.TransactionRecord()]), "transactions.tx_hash"),
    ("state.BatchGet", pb.BatchGetRequest(view=pb.View(version=-1)), "view.version"),
    ("state.BatchGet", pb.BatchGetRequest(view=pb.View(block_id=LONG)), "view.block_id"),
    ("state.BatchGet", pb.BatchGetRequest(keys=[b""]), "keys"),
    ("state.BatchGet", pb.BatchGetRequest(keys=[b"k"] * 100_001), "keys"),
    ("state.OpenView", pb.OpenViewRequest(known_version=-1), "known_version"),
    ("state.OpenView", pb.OpenViewRequest(max_changed_count=-1), "max_changed_count"),
    ("state.Scan", pb.ScanRequest(page_size=-1), "page_size"),
    ("state.Scan", pb.ScanRequest(page_token="???"), "page_token"),
    ("state.Scan", pb.ScanRequest(page_token="AAAA"), "page_token"),
    ("state.Scan", pb.ScanRequest(page_token="ü"), "page_token"),
    ("state.Scan", pb.ScanRequest(prefix=b"x" * 4097), "prefix"),
    ("state.FinalizeBlock", pb.FinalizeBlockRequest(), "block_id"),
    ("state.DiscardBlock", pb.DiscardBlockRequest(block_id=LONG), "block_id"),
    ("inspection.BatchGetReceipts", inspection_pb.BatchGetReceiptsRequest(tx_hashes=[b"x"] * 1001), "tx_hashes"),
    ("inspection.BatchGetReceipts", inspection_pb.BatchGetReceiptsRequest(tx_hashes=[b""]), "tx_hashes"),
    ("admin.CreateCheckpoint", admin_pb.CreateCheckpointRequest(name="../x"), "name"),
    ("admin.ListBlocks", admin_pb.ListBlocksRequest(page_size=-1), "page_size"),
    ("admin.VerifyRange", admin_pb.VerifyRangeRequest(first_version=-1), "first_version"),
]


@pytest.mark.parametrize(("method", "request_message", "field"), BAD_REQUESTS)
async def test_bad_input_is_refused_with_its_field_and_changes_nothing(
    stubs: SimpleNamespace, method: str, request_message: Message, field: str
) -> None:
    before = await stubs.inspection.GetHead(inspection_pb.GetHeadRequest())
    service, name = method.split(".")
    error = await refusal(getattr(getattr(stubs, service), name)(request_message))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    assert error.metadata["field"] == field
    assert await stubs.inspection.GetHead(inspection_pb.GetHeadRequest()) == before


async def test_a_bad_cursor_is_refused(stubs: SimpleNamespace) -> None:
    for cursor in (
        inspection_pb.EventCursor(version=-1),
        inspection_pb.EventCursor(version=1, event_index=-2),
        inspection_pb.EventCursor(version=1, block_id=LONG),
    ):
        request = inspection_pb.StreamEventsRequest(cursor=cursor)
        error = await refusal_of_stream(stubs.inspection.StreamEvents(request))
        assert error.code == grpc.StatusCode.INVALID_ARGUMENT


async def code_of(call: grpc.aio.UnaryUnaryCall) -> grpc.StatusCode:
    return await call.code()


async def test_random_bytes_never_reach_the_store(stubs: SimpleNamespace) -> None:
    """Mutated requests are refused or valid; the service stays as it was."""
    seed = random.Random(7)
    answers = set()
    sample = batch(writes=writes(k="v"), transactions=[with_events("t", "e")], validate_only=True).SerializeToString()
    for method in ("Commit", "BatchGet", "Scan", "OpenView"):
        call = stubs.channel.unary_unary(f"/iost.state.v1.StateService/{method}")
        for _ in range(50):
            data = bytearray(sample)
            for _ in range(seed.randrange(1, 6)):
                data[seed.randrange(len(data))] = seed.randrange(256)
            answers.add(await code_of(call(bytes(data))))
    assert answers <= {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
    assert grpc.StatusCode.INVALID_ARGUMENT in answers
    assert (await stubs.inspection.GetHead(inspection_pb.GetHeadRequest())).version >= 0


async def test_unknown_versions_and_blocks_name_the_live_range(stubs: SimpleNamespace) -> None:
    error = await refusal(stubs.state.BatchGet(pb.BatchGetRequest(view=pb.View(version=10**9), keys=[b"k"])))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "VERSION_UNAVAILABLE")
    assert set(error.metadata) == {"version", "oldest_version", "newest_version"}
    error = await refusal(stubs.state.BatchGet(pb.BatchGetRequest(view=pb.View(block_id=b"no"), keys=[b"k"])))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "BLOCK_NOT_FOUND")


async def test_a_stale_epoch_is_refused(stubs: SimpleNamespace) -> None:
    epoch = (await stubs.inspection.GetHead(inspection_pb.GetHeadRequest())).epoch
    await stubs.state.Commit(batch(epoch=epoch))
    error = await refusal(stubs.state.Commit(batch(epoch=epoch + 1)))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STALE_EPOCH")


async def test_the_operator_sees_figures_and_checks(stubs: SimpleNamespace) -> None:
    await stubs.state.Commit(batch(writes=writes(exp1="1", exp2="2")))
    stats = {s.name: s.value for s in (await stubs.admin.GetStats(admin_pb.GetStatsRequest())).stats}
    head = await stubs.inspection.GetHead(inspection_pb.GetHeadRequest())
    assert (stats["head_version"], stats["writes_stopped_count"]) == (head.version, 0)
    report = await stubs.admin.VerifyRange(admin_pb.VerifyRangeRequest())
    assert (report.last_version, report.mismatch_version) == (head.version, 0)
    exported = stubs.admin.ExportEntries(admin_pb.ExportEntriesRequest(prefix=b"exp"))
    entries = [entry.key async for message in exported for entry in message.entries]
    assert entries == [b"exp1", b"exp2"]
    name = fresh("cp")
    made = await stubs.admin.CreateCheckpoint(admin_pb.CreateCheckpointRequest(name=name))
    assert (made.version, made.commitment) == (head.version, head.commitment)
    error = await refusal(stubs.admin.CreateCheckpoint(admin_pb.CreateCheckpointRequest(name=name)))
    assert error.code == grpc.StatusCode.ALREADY_EXISTS


async def test_health_and_reflection_know_all_services(stubs: SimpleNamespace) -> None:
    health = health_pb2_grpc.HealthStub(stubs.channel)
    for name in ("", *SERVICES):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    async def ask() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    async for answer in reflection_pb2_grpc.ServerReflectionStub(stubs.channel).ServerReflectionInfo(ask()):
        assert {s.name for s in answer.list_services_response.service} >= set(SERVICES)


async def test_stopping_ends_streams_at_once_and_a_restart_goes_on(tmp_path: Path) -> None:
    with running(tmp_path / "data") as process:
        async with aio_channel(process.address, policies=(CallPolicy(attempts=1),)) as channel:
            state = state_service_pb2_grpc.StateServiceStub(channel)
            done = await state.Commit(batch(writes=writes(k="1")))
            stream = state.StreamChanges(pb.StreamChangesRequest(from_version=1))
            assert (await stream.read()).commit_id
            stopping = asyncio.create_task(asyncio.to_thread(process.stop))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await asyncio.wait_for(stream.read(), 3)
            assert from_rpc_error(caught.value).reason == "SERVICE_DRAINING"
            assert await stopping == 0
    with running(tmp_path / "data") as process:
        async with aio_channel(process.address) as channel:
            state = state_service_pb2_grpc.StateServiceStub(channel)
            view = await state.OpenView(pb.OpenViewRequest(keys=[b"k"]))
            assert (view.version, view.entries[0].value, view.epoch) == (done.version, b"1", 2)


def test_a_second_service_on_the_folder_says_who_holds_it(tmp_path: Path) -> None:
    with running(tmp_path / "data") as process:
        assert process.address
        with running(tmp_path / "data") as second:
            assert second.wait() == 2
            reason = str(second.find("service_not_started"))
            assert "STORE_LOCKED" in reason
            assert str(process.popen.pid) in reason


async def test_a_commit_sent_again_after_a_lost_reply_is_applied_once(stubs: SimpleNamespace) -> None:
    requests = [batch(writes=writes(**{f"lost{n}": "1"})) for n in range(20)]
    calls = [stubs.state.Commit(request) for request in requests]
    for number, call in enumerate(calls):
        await asyncio.sleep(0.0005 * (number % 4))
        call.cancel()  # the reply is lost; the commit may or may not have been applied
    answers = [await stubs.state.Commit(request) for request in requests]
    assert len({answer.version for answer in answers}) == 20
    again = [await stubs.state.Commit(request) for request in requests]
    assert all(answer.duplicate for answer in again)
    assert [answer.version for answer in again] == [answer.version for answer in answers]


async def test_buffered_commits_say_so(stubs: SimpleNamespace) -> None:
    done = await stubs.state.Commit(batch(durability=pb.DURABILITY_BUFFERED))
    assert done.durability == pb.DURABILITY_BUFFERED


async def hold(stubs: SimpleNamespace) -> tuple[int, grpc.aio.UnaryStreamCall]:
    """Opens a stream that holds places."""
    stream = stubs.state.HoldPlaces(pb.HoldPlacesRequest())
    return (await stream.read()).holder_id, stream


async def with_place(stubs: SimpleNamespace, holder_id: int, **wish: object) -> pb.Place:
    opened = await stubs.state.OpenView(pb.OpenViewRequest(place=pb.PlaceWish(holder_id=holder_id, **wish)))
    return opened.place


def placed(place: pb.Place) -> pb.CommitRequest:
    header = BlockHeader(number=place.number, time_ns=place.time_ns).SerializeToString()
    return batch(header=header, place_id=place.place_id)


async def test_the_place_of_a_holder_is_given_back_when_its_stream_ends(stubs: SimpleNamespace) -> None:
    (gone, stream), (stays, other) = await hold(stubs), await hold(stubs)
    first, second = await with_place(stubs, gone, expected_ms=5000, first=True), await with_place(stubs, stays)
    assert (second.number, second.time_ns > first.time_ns) == (first.number + 1, True)
    committing = asyncio.ensure_future(stubs.state.Commit(placed(second)))
    await asyncio.sleep(0.05)
    assert not committing.done()
    stream.cancel()
    await asyncio.wait_for(committing, 3)
    error = await refusal(stubs.state.Commit(placed(first)))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "PLACE_LOST")
    assert error.detail(pb.ConflictDetail) is not None
    refused = await refusal(stubs.state.OpenView(pb.OpenViewRequest(place=pb.PlaceWish(holder_id=gone))))
    assert refused.reason == "HOLDER_UNKNOWN"
    other.cancel()


async def test_no_place_is_handed_out_for_a_batch_that_was_seen_before(stubs: SimpleNamespace) -> None:
    holder, stream = await hold(stubs)
    seen = fresh("tx")
    place = await with_place(stubs, holder)
    request = placed(place)
    request.transactions.append(with_events(seen))
    await stubs.state.Commit(request)
    wish = pb.PlaceWish(holder_id=holder)
    opened = await stubs.state.OpenView(pb.OpenViewRequest(place=wish, tx_hashes=[seen.encode()]))
    assert (len(opened.seen), opened.HasField("place")) == (1, False)
    assert (await with_place(stubs, holder)).number == place.number + 1
    stream.cancel()


async def test_a_place_goes_with_a_linear_commit_only(stubs: SimpleNamespace) -> None:
    error = await refusal(stubs.state.Commit(batch(parent_id=b"p", place_id=1)))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
