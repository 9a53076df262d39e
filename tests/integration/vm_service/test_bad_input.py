"""Malformed requests: INVALID_ARGUMENT with its field, nothing stored, the service healthy afterwards."""

import random
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.errors import from_rpc_error
from iost.chain.v1 import block_pb2, transaction_pb2
from iost.vm.v1 import compilation_service_pb2 as compilation_pb
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.support.vm_world import VmWorld, running
from vm_service.server import METHODS

pytestmark = pytest.mark.timeout(120)

PATHS = [f"/{service}/{method}" for service, methods in METHODS.items() for method in methods]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmWorld]:
    with running(tmp_path_factory.mktemp("vm"), users=2) as world:
        yield world


@pytest.fixture(autouse=True)
def healthy_afterwards(world: VmWorld) -> Iterator[None]:
    version = world.head().version
    yield
    assert world.vm is not None
    assert world.vm.popen.poll() is None
    assert world.workers.ListWorkers(worker_pb.ListWorkersRequest()).restart_count == 0
    assert world.head().version == version
    dry = world.execute(world.signer.transfer(*world.users), dry_run=True)
    assert dry.outcomes[0].verdict == pb.VERDICT_EXECUTED


def refused(world: VmWorld, path: str, raw: bytes) -> Any:
    assert world.channel is not None
    with pytest.raises(grpc.RpcError) as caught:
        world.channel.unary_unary(path)(raw, timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    error = from_rpc_error(caught.value)
    assert error.reason == "MALFORMED_REQUEST"
    return error


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("raw", [b"\xff", b"\x0a\xff\xff\xff\xff\x7f", b"\x0a\x05ab", b"\x12\x02\xff\xfe\x00\x00"])
def test_bytes_that_are_no_request_are_refused(world: VmWorld, path: str, raw: bytes) -> None:
    refused(world, path, raw)


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_request_is_refused(world: VmWorld, path: str) -> None:
    assert refused(world, path, b"").metadata["field"]


@pytest.mark.parametrize(
    ("method", "request_message", "field"),
    [
        (
            "ExecuteTransactions",
            pb.ExecuteTransactionsRequest(transactions=[transaction_pb2.Transaction()] * 10_001),
            "transactions",
        ),
        ("CallContracts", pb.CallContractsRequest(calls=[pb.ContractCall(contract="c")]), "calls[0].action_name"),
        (
            "CallContracts",
            pb.CallContractsRequest(calls=[pb.ContractCall(contract="c" * 129, action_name="a")]),
            "calls[0].contract",
        ),
        (
            "CallContracts",
            pb.CallContractsRequest(calls=[pb.ContractCall(contract="c", action_name="a")], version=-1),
            "version",
        ),
        ("ExecuteBlock", pb.ExecuteBlockRequest(block_id=b"x", header=block_pb2.BlockHeader()), "block_id"),
        ("ExecuteBlock", pb.ExecuteBlockRequest(header=block_pb2.BlockHeader(number=-1)), "header.number"),
        ("ValidateBlock", pb.ValidateBlockRequest(header=block_pb2.BlockHeader(), commit=True), "block_id"),
        ("ValidateBlock", pb.ValidateBlockRequest(header=block_pb2.BlockHeader(), commitment=b"x"), "commitment"),
    ],
)
def test_a_request_of_wrong_form_names_its_field(world: VmWorld, method: str, request_message: Any, field: str) -> None:
    service = next(service for service, methods in METHODS.items() if method in methods)
    error = refused(world, f"/{service}/{method}", request_message.SerializeToString())
    assert error.metadata["field"] == field


def test_transactions_of_nonsense_are_refused_one_by_one(world: VmWorld) -> None:
    texts = ["", "\0", "é" * 50, "x" * 70_000, "a@b@c", "\ufffd"]
    made = []
    for text in texts:
        nonsense = world.signer.transfer(*world.users)
        nonsense.actions[0].data = text
        nonsense.actions[0].contract = text[:1000]
        made.append(nonsense)
    made.append(transaction_pb2.Transaction())
    made.append(transaction_pb2.Transaction(signatures=[transaction_pb2.Signature(algorithm=300)]))  # type: ignore[arg-type]
    made.append(world.signer.transaction(world.users[0], gas_limit=2**63 - 1, gas_ratio=-(2**63)))
    outcomes = world.execute(*made, dry_run=True).outcomes
    assert len(outcomes) == len(made)
    assert all(outcome.verdict in (pb.VERDICT_REFUSED, pb.VERDICT_EXECUTED) for outcome in outcomes)
    assert all(outcome.receipt.status.code != 1 for outcome in outcomes if outcome.verdict == pb.VERDICT_EXECUTED)


@pytest.mark.parametrize(
    "data",
    [
        '["\\ud800", "\\udfff", "x", "1", ""]',
        '["iost", "user00000", "\\ud800", "1", ""]',
        '["iost", "user00000", "user00001", "1", "\\udc00"]',
        '{"__proto__": {}}',
        "[" * 5000,
        "1e999",
        '["' + "\\u0000" * 2000 + '"]',
    ],
)
def test_arguments_of_every_kind_end_in_a_receipt_with_clean_text(world: VmWorld, data: str) -> None:
    made = world.signer.transaction(world.users[0])
    made.actions.add(contract="token.iost", action_name="transfer", data=data)
    del made.publisher_signatures[:]
    from tests.support.vm_world import KEY, PUBLIC_KEY
    from vm_service import transactions

    signature = KEY.sign(transactions.digest(transactions.canonical_forms(made).publish))
    made.publisher_signatures.add(algorithm=2, signature=signature, public_key=PUBLIC_KEY)
    outcome = world.execute(made, dry_run=True).outcomes[0]
    assert outcome.verdict == pb.VERDICT_EXECUTED
    message = outcome.receipt.status.message
    assert "/" not in message.replace("\\/", "") or "token" in message
    assert not any(word in message for word in (".js:", ".py", "/work", "/tmp", "0x"))


def test_random_bytes_never_end_the_service(world: VmWorld) -> None:
    assert world.channel is not None
    dice = random.Random(7)
    valid = pb.ExecuteTransactionsRequest(
        transactions=[world.signer.transfer(*world.users)], dry_run=True
    ).SerializeToString()
    for _ in range(300):
        raw = bytearray(valid)
        for _ in range(dice.randint(1, 8)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        try:
            world.channel.unary_unary(PATHS[0])(bytes(raw), timeout=10)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017


def test_compiling_nonsense_answers_why(world: VmWorld) -> None:
    sources = [
        compilation_pb.ContractSource(source=source, abi_json=abi)
        for source, abi in [("", "{}"), ("class {", "{}"), ("class C{init(){}}\nmodule.exports=C;", "nonsense")]
    ]
    outcomes = world.compilation.CompileContracts(compilation_pb.CompileContractsRequest(sources=sources)).outcomes
    assert [bool(outcome.message) for outcome in outcomes] == [True, True, True]
    assert not any(outcome.HasField("contract") for outcome in outcomes)


def test_health_and_reflection_know_all_services(world: VmWorld) -> None:
    assert world.channel is not None
    check = health_pb2_grpc.HealthStub(world.channel).Check
    for service in ("", *METHODS):
        assert check(health_pb2.HealthCheckRequest(service=service)).status == health_pb2.HealthCheckResponse.SERVING
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    stub = reflection_pb2_grpc.ServerReflectionStub(world.channel)
    [listing] = stub.ServerReflectionInfo(requests)
    names = {service.name for service in listing.list_services_response.service}
    assert {*METHODS, "iost.vm.v1.WorkerService", "grpc.health.v1.Health", "externalscaler.ExternalScaler"} <= names
