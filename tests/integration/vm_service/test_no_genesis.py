"""A store without genesis: the VM service and the gateway refuse work on it, and genesis stays possible."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from chassis.errors import from_rpc_error
from iost.chain.v1 import block_pb2, receipt_pb2
from iost.vm.v1 import compilation_service_pb2 as compilation_pb
from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.gateway_process import in_front_of
from tests.support.vm_world import VmWorld, running

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
