"""A store without genesis: the VM service and the gateway refuse work on it, and genesis stays possible."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis import health
from chassis.errors import from_rpc_error
from iost.chain.v1 import block_pb2, receipt_pb2
from iost.vm.v1 import compilation_service_pb2 as compilation_pb
from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.gateway_process import in_front_of
from tests.support.node import free_ports
from tests.support.vm_world import VmWorld, running
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

ALICE, BOBBY = "user00000", "user00001"
SUCCESS = receipt_pb2.STATUS_CODE_SUCCESS
CODE = "class Note { init() {} read() { return 'x'; } }\nmodule.exports = Note;\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VmWorld]:
    with running(tmp_path, users=2, with_genesis=False, worker_count_min=1, worker_count_max=1) as world:
        yield world


def requests(world: VmWorld) -> list[tuple[Callable[..., Message], Message]]:
    """Returns every kind of request that needs a chain, with the method that takes it."""
    execution, made = world.execution, world.signer.transfer(ALICE, BOBBY)
    abi = {"lang": "javascript", "version": "1.0.0", "abi": []}
    call = pb.ContractCall(contract="token.iost", action_name="supply", data='["iost"]')
    genesis = block_pb2.BlockHeader(number=0, time_ns=time.time_ns())
    block = block_pb2.BlockHeader(number=1, time_ns=time.time_ns())
    receipt = receipt_pb2.Receipt(tx_hash=bytes(32))
    return [
        (execution.ExecuteTransactions, pb.ExecuteTransactionsRequest(transactions=[made])),
        (execution.ExecuteTransactions, pb.ExecuteTransactionsRequest(transactions=[made], dry_run=True)),
        (execution.ExecuteTransactions, pb.ExecuteTransactionsRequest(transactions=[made], header=genesis)),
        (
            execution.ExecuteTransactions,
            pb.ExecuteTransactionsRequest(transactions=[world.signer.publish(ALICE, CODE, abi)]),
        ),
        (execution.ValidateTransactions, pb.ValidateTransactionsRequest(transactions=[made])),
        (execution.CallContracts, pb.CallContractsRequest(calls=[call])),
        (execution.CallContracts, pb.CallContractsRequest(calls=[call], version=3)),
        (execution.ExecuteBlock, pb.ExecuteBlockRequest(header=genesis, transactions=[made])),
        (execution.ExecuteBlock, pb.ExecuteBlockRequest(header=block, transactions=[made])),
        (execution.ExecuteBlock, pb.ExecuteBlockRequest(header=block, parent_id=b"p" * 32)),
        (
            execution.ValidateBlock,
            pb.ValidateBlockRequest(
                header=block, transactions=[made], block_id=bytes(32), receipts=[receipt], commit=True
            ),
        ),
    ]


def refusal(method: Callable[..., Message], request: Message) -> tuple[str, grpc.StatusCode, str]:
    """Returns reason, code and text with which a request is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=30)
    error = from_rpc_error(caught.value)
    return error.reason, error.code, error.message


def transfers(world: VmWorld) -> Any:
    """Returns the status of a transfer."""
    return world.execute(world.signer.transfer(ALICE, BOBBY)).outcomes[0].receipt.status.code


def health_of(channel: grpc.Channel, name: str) -> tuple[bool, str]:
    """Returns whether a health name says SERVING, and the reason beside it."""
    answer, call = health_pb2_grpc.HealthStub(channel).Check.with_call(  # type: ignore[attr-defined]
        health_pb2.HealthCheckRequest(service=name), timeout=10
    )
    reason = dict(call.trailing_metadata() or ()).get(health.REASON_KEY, "")
    return answer.status == health_pb2.HealthCheckResponse.SERVING, reason


def metrics_of(port: int) -> str:
    """Reads the page of metrics."""
    page: bytes = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read()
    return page.decode()


async def test_health_and_metrics_name_the_missing_genesis_until_it_is_there(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    with running(
        tmp_path, users=2, with_genesis=False, worker_count_min=1, worker_count_max=1, metrics_port=port
    ) as world:
        assert world.channel is not None
        channel = world.channel
        await until(lambda: health_of(channel, health.SUBMIT) == (False, "NO_GENESIS"))
        assert health_of(channel, "") == (True, "")
        assert health_of(channel, health.LIVENESS) == (True, "")
        assert 'v8vm_vm_submit_refused{reason="NO_GENESIS"} 1.0' in metrics_of(port)
        with in_front_of(world, tmp_path) as gateway:
            await until(lambda: health_of(gateway, health.SUBMIT) == (False, "NO_GENESIS"))
            assert health_of(gateway, "") == (True, "")

            world.commit_genesis()  # while both run: no request tells them

            await until(lambda: health_of(channel, health.SUBMIT) == (True, ""))
            await until(lambda: health_of(gateway, health.SUBMIT) == (True, ""))
        assert "submit_refused{" not in metrics_of(port)


def test_an_empty_store_takes_no_work_but_genesis(world: VmWorld) -> None:
    for method, request in requests(world):
        reason, code, message = refusal(method, request)
        assert (reason, code) == ("NO_GENESIS", grpc.StatusCode.FAILED_PRECONDITION), request
        assert "run `v8vm genesis FILE`" in message
    source = compilation_pb.ContractSource(source=CODE)
    compiled = world.compilation.CompileContracts(compilation_pb.CompileContractsRequest(sources=[source]))
    assert compiled.outcomes[0].message == ""
    assert world.head().version == 0

    world.commit_genesis()

    assert world.head().version == 1
    assert transfers(world) == SUCCESS


def test_the_first_call_through_a_gateway_is_refused_and_genesis_stays_possible(world: VmWorld, tmp_path: Path) -> None:
    with in_front_of(world, tmp_path):
        made = world.signer.transfer(ALICE, BOBBY)
        for request in (
            pb.ExecuteTransactionsRequest(transactions=[made]),
            pb.ExecuteTransactionsRequest(transactions=[made], dry_run=True),
        ):
            reason, code, message = refusal(world.execution.ExecuteTransactions, request)
            assert (reason, code) == ("NO_GENESIS", grpc.StatusCode.FAILED_PRECONDITION)
            assert "run `v8vm genesis FILE`" in message

        world.commit_genesis()

        assert transfers(world) == SUCCESS
