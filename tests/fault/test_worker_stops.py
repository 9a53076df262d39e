"""Transactions that this machine stops: answered with what stopped them, never committed, and nobody else pays."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from chassis.errors import from_rpc_error
from iost.chain.v1 import block_pb2, transaction_pb2
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.support.vm_world import VmWorld, running
from vm_service.transactions import contract_id

pytestmark = pytest.mark.timeout(180)

SPINNER = """class Spinner {
    init() {}
    step(i) { return i; }
    spin(rounds) { let n = 0; for (let i = 0; i < rounds; i++) { n += this.step(i); } return n; }
    hoard(count) { const kept = []; for (let i = 0; i < count; i++) { kept.push([i, i, i]); } return kept.length; }
}
module.exports = Spinner;
"""
ABI = {
    "lang": "javascript",
    "version": "1.0.0",
    "abi": [{"name": name, "args": ["number"], "amountLimit": []} for name in ("spin", "hoard")],
}
ROUNDS = 100_000
"""About 3,400,000 gas, and a second in an engine that writes a line for each call (`--trace`). Without that flag the
gas limit ends everything known within 50 ms, and no timer would be seen."""

SLOW: dict[str, object] = {"v8_flags": "--trace", "transaction_ms": 200, "worker_count_min": 1, "worker_count_max": 1}
"""A service whose transfers take a few ms of 200, and whose spinners take a second."""


def publish(world: VmWorld) -> str:
    """Publishes the sample; returns its id."""
    outcome = world.execute(world.signer.publish(world.users[0], SPINNER, ABI)).outcomes[0]
    assert outcome.receipt.status.code == 1, outcome
    return contract_id(outcome.tx_hash)


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[tuple[VmWorld, str]]:
    """A slow world with a short timer, and a contract in it."""
    with running(tmp_path, users=4, **SLOW) as world:
        yield world, publish(world)


def spin(world: VmWorld, contract: str) -> object:
    return world.signer.transaction(world.users[0], (contract, "spin", (ROUNDS,)))


def test_a_transaction_beyond_the_timer_is_answered_and_its_neighbours_execute(strict: tuple[VmWorld, str]) -> None:
    world, contract = strict
    before = world.balance(world.users[2])
    made = [
        world.signer.transfer(world.users[1], world.users[2]),
        spin(world, contract),
        world.signer.transfer(world.users[3], world.users[2]),
    ]
    response = world.execute(*made)  # type: ignore[arg-type]
    assert [outcome.verdict for outcome in response.outcomes] == [
        pb.VERDICT_EXECUTED,
        pb.VERDICT_TIMEOUT,
        pb.VERDICT_EXECUTED,
    ]
    stopped = response.outcomes[1]
    assert "limit 200 ms" in stopped.message
    assert not stopped.HasField("receipt")
    assert world.balance(world.users[2]) == before + 2 * 10**8
    request = inspection_pb.BatchGetReceiptsRequest(tx_hashes=[stopped.tx_hash])
    assert not world.inspection.BatchGetReceipts(request).receipts[0].HasField("receipt")


def test_a_stopped_transaction_is_quarantined(strict: tuple[VmWorld, str]) -> None:
    world, contract = strict
    made = spin(world, contract)
    assert world.execute(made).outcomes[0].verdict == pb.VERDICT_TIMEOUT  # type: ignore[arg-type]
    lost = world.workers.ListWorkers(worker_pb.ListWorkersRequest()).restart_count
    started = time.monotonic()
    again = world.execute(made, world.signer.transfer(world.users[1], world.users[2]))  # type: ignore[arg-type]
    assert [outcome.verdict for outcome in again.outcomes] == [pb.VERDICT_TIMEOUT, pb.VERDICT_EXECUTED]
    assert time.monotonic() - started < 2
    assert world.workers.ListWorkers(worker_pb.ListWorkersRequest()).restart_count == lost


def test_a_dry_run_and_a_call_are_stopped_alike(strict: tuple[VmWorld, str]) -> None:
    world, contract = strict
    dry = world.execute(spin(world, contract), dry_run=True)  # type: ignore[arg-type]
    assert dry.outcomes[0].verdict == pb.VERDICT_TIMEOUT
    calls = [
        pb.ContractCall(contract="token.iost", action_name="balanceOf", data=json.dumps(["iost", world.users[0]])),
        pb.ContractCall(contract=contract, action_name="spin", data=f"[{ROUNDS}]"),
    ]
    outcomes = world.execution.CallContracts(pb.CallContractsRequest(calls=calls)).outcomes
    assert [outcome.verdict for outcome in outcomes] == [pb.VERDICT_EXECUTED, pb.VERDICT_TIMEOUT]


def test_a_block_leaves_the_stopped_transaction_out_and_its_validation_fails_as_infrastructure(
    strict: tuple[VmWorld, str],
) -> None:
    world, contract = strict
    made = [world.signer.transfer(world.users[1], world.users[2]), spin(world, contract)]
    again = [made[0], spin(world, contract)]
    head = world.head()
    header = block_pb2.BlockHeader(
        number=head.number + 1, witness="witness", time_ns=max(time.time_ns(), head.time_ns + 1)
    )
    block = world.execution.ExecuteBlock(
        pb.ExecuteBlockRequest(header=header, transactions=made, parent_id=head.block_id)  # type: ignore[arg-type]
    )
    assert [outcome.verdict for outcome in block.outcomes] == [pb.VERDICT_EXECUTED, pb.VERDICT_TIMEOUT]
    assert block.version == head.version + 1
    request = pb.ValidateBlockRequest(
        header=header,
        transactions=again,  # type: ignore[arg-type]
        parent_id=head.block_id,
        receipts=[block.outcomes[0].receipt, block.outcomes[0].receipt],
    )
    with pytest.raises(grpc.RpcError) as caught:
        world.execution.ValidateBlock(request)
    error = from_rpc_error(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "EXECUTION_STOPPED")
    assert error.metadata["transaction_index"] == "1"


def test_a_transaction_beyond_the_heap_limit_is_answered_as_memory(tmp_path: Path) -> None:
    with running(tmp_path, users=4, worker_count_min=1, worker_count_max=1) as world:
        contract = publish(world)
        world.restart_vm(heap_bytes=4 << 20)
        hoard = world.signer.transaction(world.users[0], (contract, "hoard", (150_000,)))
        outcome = world.execute(hoard, world.signer.transfer(world.users[1], world.users[2])).outcomes
        assert [item.verdict for item in outcome] == [pb.VERDICT_MEMORY, pb.VERDICT_EXECUTED]
        assert "heap limit" in outcome[0].message


def test_many_large_transactions_end_no_transaction(tmp_path: Path) -> None:
    # Batches of 15 MB, one and two bytes to a character: what a fresh worker holds, and more than a used one may.
    with running(tmp_path, users=4, worker_count_min=1, worker_count_max=1) as world:
        for character, length, count in [("a", 60_000, 270), ("a", 60_000, 270), *[("\u4e2d", 20_500, 270)] * 3]:
            arguments = ("iost", world.users[0], world.users[1], "1", "", character * length)
            data = json.dumps(arguments, ensure_ascii=False)
            action = transaction_pb2.Action(contract="token.iost", action_name="transfer", data=data)
            made = [world.signer.transaction(world.users[0], actions=[action]) for _ in range(count)]
            verdicts = {outcome.verdict for outcome in world.execute(*made).outcomes}
            assert verdicts <= {pb.VERDICT_EXECUTED, pb.VERDICT_REFUSED}
        assert world.workers.ListWorkers(worker_pb.ListWorkersRequest()).quarantine_count == 0


def kill_while_busy(world: VmWorld, made: object) -> pb.TransactionOutcome:
    """Has a transaction executed and kills the first worker that runs it; returns its outcome."""
    assert world.vm is not None
    answers: list[pb.ExecuteTransactionsResponse] = []
    caller = threading.Thread(target=lambda: answers.append(world.execute(made)))  # type: ignore[arg-type]
    caller.start()
    busy = None
    while busy is None:
        listing = world.workers.ListWorkers(worker_pb.ListWorkersRequest())
        busy = next((w.pid for w in listing.workers if w.state == worker_pb.WORKER_STATE_BUSY), None)
    world.vm.kill_worker(busy)
    caller.join(60)
    return answers[0].outcomes[0]


def test_a_transaction_whose_second_worker_ends_after_the_commit_is_answered_as_executed(tmp_path: Path) -> None:
    # Each worker ends after its first commit; the first one is killed before.
    failpoints = "worker.after_commit=panic"
    with running(
        tmp_path, users=4, worker_count_min=1, worker_count_max=1, worker_spare_count=4, failpoints=failpoints
    ) as world:
        contract = publish(world)
        made = world.signer.transaction(world.users[0], *[(contract, "spin", (ROUNDS,))] * 2)
        before = world.head().version
        outcome = kill_while_busy(world, made)
        assert world.head().version == before + 1
        assert outcome.verdict == pb.VERDICT_EXECUTED
        assert outcome.HasField("receipt")


def test_a_transaction_during_which_two_workers_end_is_answered_as_crash(tmp_path: Path) -> None:
    with running(
        tmp_path, users=4, worker_count_min=1, worker_count_max=1, failpoints="worker.announce=panic"
    ) as world:
        # The failpoint ends every careful run at its first announcement; one kill makes the first run careful.
        contract = publish(world)
        outcome = kill_while_busy(world, world.signer.transaction(world.users[0], *[(contract, "spin", (ROUNDS,))] * 2))
        assert outcome.verdict == pb.VERDICT_CRASH
        assert world.execute(world.signer.transfer(world.users[1], world.users[2])).outcomes[0].receipt.status.code == 1
