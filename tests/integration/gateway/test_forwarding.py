"""Calls that pass through: bytes, company, errors, deadlines, limits."""

import asyncio
import time

import grpc
import pytest
from google.rpc import error_details_pb2

from chassis.channels import aio_channel
from gateway.client import Account, KeyPair, RemoteError, action, build, signed
from gateway.client.canonical import transaction_hash
from iost.chain.v1.transaction_pb2 import Transaction
from iost.gateway.v1 import block_service_pb2 as blocks
from iost.gateway.v1 import contract_service_pb2 as contracts
from iost.state.v1.state_service_pb2 import ConflictDetail
from tests.support.waiting import until

ALICE = Account("alice", KeyPair("ed25519", bytes(32)))
EXECUTE = "/iost.gateway.v1.TransactionService/ExecuteTransactions"


def transaction(publisher: str, *contracts: str) -> Transaction:
    return build(publisher, [action(contract, "m") for contract in contracts or ("c",)])


async def test_a_transaction_is_answered_by_the_vm_service(world) -> None:
    mine = signed(ALICE, action("c", "m", 1))
    response = await world.client.execute([mine])
    assert response.outcomes[0].tx_hash == transaction_hash(mine)
    assert (response.version, response.build_id) == (1, "fake")


async def test_every_forwarded_method_arrives(world) -> None:
    client = world.client
    assert (await client.validate([transaction("bob")])).outcomes[0].message == "bob"
    assert (await client.call("c", "m", "x", 2)).returns == '["x",2]'
    assert (await client.compile("source")).instrumented == "source"
    assert (await client.execute_block(blocks.ExecuteBlockRequest(block_id=b"b"))).version == 5
    assert (await client.validate_block(blocks.ValidateBlockRequest(block_id=b"b"))).valid
    assert (await client.finalize_block(b"ab")).dropped_block_ids == [b"ba"]
    assert (await client.discard_block(b"ab")).dropped_block_ids == [b"ab"]
    assert (await client.head()).block_id == b"head"
    assert [item.pid for item in (await client.workers()).workers] == [7]
    assert not (await client.receipts([b"unknown"]))[0].HasField("receipt")


async def test_concurrent_single_transactions_share_batches_and_get_their_own_outcomes(world) -> None:
    world.vm.delay_s = 0.02
    names = [f"user{i}" for i in range(200)]
    responses = await asyncio.gather(*(world.client.execute([transaction(name)]) for name in names))
    assert [response.outcomes[0].message for response in responses] == names
    assert all(len(response.outcomes) == 1 and response.build_id == "fake" for response in responses)
    assert len(world.vm.batches) < 40
    assert sorted(name for batch in world.vm.batches for name in batch) == sorted(names)


@pytest.mark.parametrize("contracts", [("token.iost",), ("auth.iost", "token.iost"), ("ContractB",)])
@pytest.mark.parametrize("slow", [("ContractA",), ("token.iost", "ContractA"), ("system.iost",)])
async def test_nobody_waits_for_a_contract_that_he_does_not_call(world, slow, contracts) -> None:
    first = [transaction("slow", *slow)] * 4
    waiting = [asyncio.create_task(world.client.execute([item])) for item in first]
    await until(lambda: bool(world.vm.batches))
    async with asyncio.timeout(10):
        await asyncio.gather(*(world.client.execute([transaction(f"user{i}", *contracts)]) for i in range(8)))
    mixed = asyncio.gather(
        *(world.client.execute([transaction("slow", *slow)]) for _ in range(4)),
        *(world.client.execute([transaction(f"more{i}", *contracts)]) for i in range(4)),
    )
    await until(lambda: {f"more{i}" for i in range(4)} <= {name for batch in world.vm.batches for name in batch})
    assert not any("slow" in batch and set(batch) != {"slow"} for batch in world.vm.batches)
    assert not any(call.done() for call in waiting)
    world.vm.release.set()
    await asyncio.gather(mixed, *waiting)


async def test_publications_share_no_batch(world) -> None:
    world.vm.delay_s = 0.02
    await asyncio.gather(*(world.client.execute([transaction(f"p{i}", "system.iost")]) for i in range(20)))
    assert [len(batch) for batch in world.vm.batches] == [1] * 20


async def test_a_transaction_ahead_of_the_clock_holds_up_nobody(world) -> None:
    world.vm.delay_s = 0.02
    early = [build(f"early{i}", [action("c", "m")], time_ns=time.time_ns() + 20 * 10**9) for i in range(3)]
    made = [*early, *(transaction(f"x{i}") for i in range(20))]
    await asyncio.gather(*(world.client.execute([item]) for item in made))
    assert [len(batch) for batch in world.vm.batches if batch[0].startswith("early")] == [1, 1, 1]
    assert len(world.vm.batches) < len(made)


async def test_an_idle_gateway_does_not_wait_for_company(world) -> None:
    for name in ("a", "b", "c"):
        await world.client.execute([transaction(name)])
    assert world.vm.batches == [["a"], ["b"], ["c"]]


async def test_dry_runs_and_batches_travel_alone(world) -> None:
    world.vm.delay_s = 0.02
    await asyncio.gather(
        *(world.client.execute([transaction(f"dry{i}")], dry_run=True) for i in range(3)),
        *(world.client.execute([transaction(f"x{i}"), transaction(f"y{i}")]) for i in range(3)),
    )
    assert sorted(map(len, world.vm.batches)) == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("world", [{"gather_in_flight": 1}], indirect=True)
async def test_bad_company_harms_nobody(world) -> None:
    world.vm.delay_s = 0.01
    names = ["first", *(f"user{i}" for i in range(20)), "malformed", *(f"more{i}" for i in range(20))]
    results = await asyncio.gather(
        *(world.client.execute([transaction(name)]) for name in names), return_exceptions=True
    )
    for name, result in zip(names, results, strict=True):
        if name == "malformed":
            assert isinstance(result, RemoteError)
            assert result.reason == "MALFORMED_REQUEST"
        else:
            assert not isinstance(result, BaseException)
            assert result.outcomes[0].message == name


async def test_errors_pass_through_unchanged(world) -> None:
    for batch in ([transaction("odd")], [transaction("odd"), transaction("odd")]):
        with pytest.raises(RemoteError) as raised:
            await world.client.execute(batch)
        error = raised.value
        assert (error.reason, error.code, error.message) == (
            "SOMETHING_ODD",
            grpc.StatusCode.FAILED_PRECONDITION,
            "odd",
        )
        assert error.metadata == {"who": "vm"}
        assert error.retry_delay_ms == 123
        assert error.detail(ConflictDetail).version == 9


async def test_deadlines_are_handed_on(world) -> None:
    world.vm.delay_s = 5
    for batch in ([transaction("a")], [transaction("a"), transaction("b")]):
        with pytest.raises(RemoteError) as raised:
            await world.client.execute(batch, timeout_s=0.3)
        assert raised.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert all(left is not None and left < 0.35 for left in world.vm.deadlines), world.vm.deadlines


@pytest.mark.parametrize("names", [("a", "b"), ("a",)])
async def test_a_caller_that_gives_up_ends_the_call_behind_it(world, names) -> None:
    world.vm.delay_s = 5
    call = asyncio.create_task(world.client.execute([transaction(name) for name in names]))
    await until(lambda: bool(world.vm.batches))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: world.vm.cancelled == 1)


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0a\x05abc", b"\x0a\x03\xff\xff\xff", b"\x0a\x02\x0a\x05"])
async def test_bytes_that_are_no_request_are_malformed(world, raw: bytes) -> None:
    async with aio_channel(world.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(EXECUTE, None, None)(raw)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("world", [{"in_flight_count": 3}], indirect=True)
async def test_too_much_in_progress_is_refused_at_once(world) -> None:
    world.vm.delay_s = 0.5
    results = await asyncio.gather(
        *(world.client.execute([transaction("a"), transaction(f"b{i}")]) for i in range(8)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, RemoteError)]
    assert len(refused) == 5
    assert {(error.reason, error.code) for error in refused} == {
        ("GATEWAY_SATURATED", grpc.StatusCode.RESOURCE_EXHAUSTED)
    }
    assert all(error.retryable and error.retry_delay_ms for error in refused)
    world.vm.delay_s = 0
    await world.client.execute([transaction("a")])


async def test_a_lost_vm_service_is_unavailable_with_a_reason(world) -> None:
    await world.vm_server.stop()
    with pytest.raises(RemoteError) as raised:
        await world.client.execute([transaction("a")], timeout_s=3)
    assert raised.value.code is grpc.StatusCode.UNAVAILABLE
    assert raised.value.reason == "PEER_UNAVAILABLE"
    assert "127.0.0.1" not in raised.value.message
    await world.vm_server.start()
    assert (await world.client.execute([transaction("b")])).outcomes[0].message == "b"


async def test_compile_errors_of_the_form_are_listed_by_field(world) -> None:
    request = contracts.BatchGetContractsRequest(ids=[""])
    async with aio_channel(world.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(
                "/iost.gateway.v1.ContractService/BatchGetContracts",
                contracts.BatchGetContractsRequest.SerializeToString,
                contracts.BatchGetContractsResponse.FromString,
            )(request)
    details = dict(raised.value.trailing_metadata())["grpc-status-details-bin"]
    assert b"MALFORMED_REQUEST" in details
    assert error_details_pb2.BadRequest.DESCRIPTOR.full_name.encode() in details
