"""What the gateway answers itself, health, reflection, and events across broken connections."""

import asyncio
import json

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.channels import CallPolicy, aio_channel
from chassis.errors import from_rpc_error
from gateway.client import AsyncClient, Client, EventFilter, RemoteError
from iost.chain.v1.transaction_pb2 import Transaction
from iost.gateway.v1 import inspection_service_pb2 as pb
from iost.gateway.v1.inspection_service_pb2_grpc import InspectionServiceStub
from iost.gateway.v1.transaction_service_pb2 import ExecuteTransactionsRequest
from iost.gateway.v1.transaction_service_pb2_grpc import TransactionServiceStub
from tests.support.waiting import until

RECORD = {
    "id": "ContractX",
    "info": {
        "lang": "javascript",
        "version": "1.0.0",
        "abi": [{"name": "add", "args": ["number"], "amountLimit": [{"token": "iost", "val": "5"}]}],
    },
    "code": "class A {}",
}


@pytest.fixture
def cells(world) -> None:
    world.state.cells.update(
        {
            b"b9:ContractXcount": b"s7@alice",
            b"b9:ContractXcolor": b"sblue@alice",
            b"l9:ContractXusers": b"s@bob@carol@",
            b"m9:ContractX5:usersbob": b"i12@bob",
            b"m9:ContractX5:userscarol": b"sx@bob",
            b"cContractX": f"j{json.dumps(RECORD)}@alice".encode(),
            b"m11:system.iost14:contract_ownerContractX": b"salice@alice",
            b"m10:token.iost6:TIiostdecimal": b"i8@",
            b"m10:token.iost7:TBaliceiost": b"i1250000001@",
            b"m10:token.iost7:TFaliceiost": b'j[{"Amount":100000000,"Ftime":17}]@',
        }
    )


@pytest.mark.usefixtures("cells")
async def test_state_by_name(world) -> None:
    names = ["b-ContractX-count", "m-ContractX-users-bob", "m-ContractX-users", "b-ContractX-none"]
    entries = await world.client.state(names)
    assert [entry.name for entry in entries] == names
    assert [entry.value.text for entry in entries] == ["7", "12", "@bob@carol", ""]
    assert [entry.HasField("value") for entry in entries] == [True, True, True, False]
    assert entries[0].value.payer == "alice"
    assert entries[2].value.type == pb.VALUE_TYPE_FIELD_LIST


@pytest.mark.usefixtures("cells")
async def test_state_by_prefix_in_pages(world) -> None:
    async def listed(prefix: str) -> list[str]:
        return [entry.name async for entry in world.client.list_state(prefix, page_size=1)]

    assert await listed("b-ContractX-co") == ["b-ContractX-color", "b-ContractX-count"]
    assert await listed("m-ContractX-") == ["m-ContractX-users"]
    assert await listed("m-ContractX-users-") == ["m-ContractX-users-bob", "m-ContractX-users-carol"]
    assert await listed("c-") == ["c-ContractX"]


@pytest.mark.usefixtures("cells")
async def test_balances_are_exact(world) -> None:
    alice, nobody = await world.client.balances([("alice", "iost"), ("nobody", "iost")])
    assert (alice.amount, alice.decimal_count) == ("12.50000001", 8)
    assert [(item.amount, item.thaw_time_ns) for item in alice.frozen_amounts] == [("1", 17)]
    assert (nobody.amount, len(nobody.frozen_amounts)) == ("0", 0)


@pytest.mark.usefixtures("cells")
async def test_contracts_with_their_abi(world) -> None:
    (contract,) = await world.client.contracts(["ContractX"])
    assert (contract.id, contract.owner, contract.source) == ("ContractX", "alice", "class A {}")
    assert (contract.methods[0].name, contract.methods[0].args) == ("add", ["number"])
    assert contract.methods[0].amount_limits[0].value == "5"
    assert len(contract.code_hash) == 32


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda client: client.contracts(["ContractX", "ContractY"]), "CONTRACT_NOT_FOUND"),
        (lambda client: client.balances([("alice", "gold")]), "TOKEN_NOT_FOUND"),
        (lambda client: client.balances([("", "iost")]), "MALFORMED_REQUEST"),
        (lambda client: client.state(["nonsense"]), "MALFORMED_REQUEST"),
        (lambda client: client.state(["b-c-k"] * 10_001), "MALFORMED_REQUEST"),
        (lambda client: anext(client.list_state("b-Contr")), "MALFORMED_REQUEST"),
        (lambda client: anext(client.list_state("c-", page_size=-1)), "MALFORMED_REQUEST"),
    ],
)
async def test_what_cannot_be_answered_is_said(world, ask, reason: str) -> None:
    with pytest.raises(RemoteError) as raised:
        await ask(world.client)
    assert raised.value.reason == reason


async def test_events_survive_a_restart_of_the_gateway(world) -> None:
    received: list[str] = []

    async def listen() -> None:
        async for item in world.client.events():
            received.append(item.event.data)
            if len(received) == 6:
                return

    world.state.post("before")
    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.3)
    for i in range(3):
        world.state.post(str(i))
    await until(lambda: len(received) == 3)
    port = world.server.port
    await world.stop_gateway()
    for i in range(3, 6):
        world.state.post(str(i))
    await world.start_gateway(port)
    async with asyncio.timeout(10):
        await listening
    assert received == ["0", "1", "2", "3", "4", "5"]


async def test_events_from_a_cursor_to_the_head(world) -> None:
    for data in "abc":
        world.state.post(data)
    wanted = EventFilter(until_head=True)
    everything = [item async for item in world.client.events(wanted, cursor=pb.EventCursor())]
    rest = [item.event.data async for item in world.client.events(wanted, cursor=everything[0].cursor)]
    assert [item.event.data for item in everything] == ["a", "b", "c"]
    assert rest == ["b", "c"]


async def test_a_stopping_gateway_ends_its_streams_at_once(world) -> None:
    world.state.post("a")
    async with aio_channel(world.address) as channel:
        stream = InspectionServiceStub(channel).StreamEvents(pb.StreamEventsRequest(cursor=pb.EventCursor()))
        assert (await anext(aiter(stream))).event.data == "a"
        world.server.request_stop("test")
        async with asyncio.timeout(3):
            draining = asyncio.create_task(world.server.drain(10_000))
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await anext(aiter(stream))
            await draining
    error = from_rpc_error(raised.value)
    assert (error.reason, error.code) == ("GATEWAY_DRAINING", grpc.StatusCode.UNAVAILABLE)


async def test_calls_that_outlive_the_drain_of_a_gateway_are_told_to_go_elsewhere(world) -> None:
    async with aio_channel(world.address, policies=(CallPolicy(attempts=1),)) as channel:
        request = ExecuteTransactionsRequest(transactions=[Transaction(publisher="slow")])
        call = TransactionServiceStub(channel).ExecuteTransactions(request)
        await until(lambda: world.vm.batches == [["slow"]])
        world.server.request_stop("test")
        await world.server.drain(50)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call
    error = from_rpc_error(raised.value)
    assert (error.reason, error.code) == ("GATEWAY_DRAINING", grpc.StatusCode.UNAVAILABLE)
    assert error.retryable
    await until(lambda: world.vm.cancelled == 1)


async def test_a_client_goes_on_where_it_was_once_the_gateway_is_back(world) -> None:
    world.state.post("a")
    stream = world.client.events(cursor=pb.EventCursor())
    assert (await anext(stream)).event.data == "a"
    following = asyncio.create_task(anext(stream))
    port = world.server.port
    world.server.request_stop("test")
    await world.server.drain(50)
    await world.gateway.stop()
    await world.start_gateway(port)
    world.state.post("b")
    async with asyncio.timeout(10):
        assert (await following).event.data == "b"
    await stream.aclose()


@pytest.mark.parametrize("world", [{"stream_count": 1}], indirect=True)
async def test_the_number_of_streams_is_bounded(world) -> None:
    world.state.post("a")
    first = world.client.events(cursor=pb.EventCursor())
    assert (await anext(first)).event.data == "a"
    with pytest.raises(RemoteError) as raised:
        await anext(world.client.events(cursor=pb.EventCursor()))
    assert raised.value.reason == "GATEWAY_SATURATED"
    await first.aclose()


async def serving(channel) -> bool:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    return answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("world", [{"peer_loss_ms": 700}], indirect=True)
async def test_health_follows_the_services_behind(world) -> None:
    async with aio_channel(world.address) as channel:

        async def lost() -> bool:
            return not await serving(channel)

        for server in (world.vm_server, world.state_server):
            assert await serving(channel)
            await server.stop()
            assert await serving(channel)
            await until(lost)
            await server.start()
            await until(lambda: serving(channel))


async def test_reflection_lists_the_services(world) -> None:
    async with aio_channel(world.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="*")
        async for answer in stub.ServerReflectionInfo(iter([request])):
            names = {service.name for service in answer.list_services_response.service}
    assert names >= {
        "iost.gateway.v1.TransactionService",
        "iost.gateway.v1.BlockService",
        "iost.gateway.v1.ContractService",
        "iost.gateway.v1.InspectionService",
        "grpc.health.v1.Health",
    }


@pytest.mark.usefixtures("cells")
async def test_the_blocking_client_does_the_same(world) -> None:
    def work() -> tuple[int, str, list[str], list[str]]:
        with Client(world.address) as client:
            version = client.head().version
            balance = client.balances([("alice", "iost")])[0].amount
            listed = [entry.name for entry in client.list_state("m-ContractX-users-", page_size=1)]
            wanted = EventFilter(until_head=True)
            events = [item.event.data for item in client.events(wanted, cursor=pb.EventCursor())]
            with pytest.raises(RemoteError):
                client.contracts(["ContractY"])
            return version, balance, listed, events

    world.state.post("a")
    version, balance, listed, events = await asyncio.to_thread(work)
    assert (version, balance, events) == (4, "12.50000001", ["a"])
    assert listed == ["m-ContractX-users-bob", "m-ContractX-users-carol"]


async def test_an_unreachable_gateway_is_said_quickly() -> None:
    async with AsyncClient("127.0.0.1:1") as client, asyncio.timeout(5):
        with pytest.raises(RemoteError) as raised:
            await client.head()
    assert raised.value.reason == "PEER_UNAVAILABLE"
