"""Attackers that use up worker time: honest callers get theirs, and no request holds a worker for long."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from iost.vm.v1 import compilation_service_pb2 as compilation_pb
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.fault.exhaustion import COUNTER, SLOW, publish, suffer
from tests.support.vm_world import VmWorld, running

pytestmark = pytest.mark.timeout(180)

SECONDS = 5
FLIPS = 64
"""Calls of a contract that was quick before, all at once."""

LONG = 200
"""Items of a request that would take minutes."""


@pytest.mark.parametrize(("name", "kinds"), [("queries", ("known", "new")), ("trials", ("known",))])
def test_honest_callers_do_not_wait_for_the_whole_queue_of_an_attack(
    tmp_path: Path, name: str, kinds: Sequence[str]
) -> None:
    toll = suffer(name, tmp_path, SECONDS)
    assert [kind.faults for kind in toll.kinds.values()] == [[], [], []]
    for kind in kinds:
        assert toll.kinds[kind].median_s < toll.attack.median_s / 2, str(toll)


def slow_calls(world: VmWorld, contract: str) -> None:
    call = pb.ContractCall(contract=contract, action_name="run", data="[]", publisher="alice")
    world.execution.CallContracts(pb.CallContractsRequest(calls=[call] * LONG), timeout=120)


def slow_dry_runs(world: VmWorld, contract: str) -> None:
    made = [world.signer.transaction("alice", (contract, "run", ())) for _ in range(LONG)]
    world.execution.ExecuteTransactions(
        pb.ExecuteTransactionsRequest(transactions=made, dry_run=True, assume_paid=True), timeout=120
    )


def slow_transactions(world: VmWorld, contract: str) -> None:
    made = [world.signer.transaction("alice", (contract, "run", ())) for _ in range(LONG)]
    world.execution.ExecuteTransactions(pb.ExecuteTransactionsRequest(transactions=made), timeout=120)


def slow_sources(world: VmWorld, _contract: str) -> None:
    body = "\n".join(f"f{number}() {{ return [1, 2].map(x => x + {number}).length; }}" for number in range(1200))
    made = compilation_pb.ContractSource(source=f"class A {{ init() {{}}\n{body} }}\nmodule.exports = A;")
    world.compilation.CompileContracts(compilation_pb.CompileContractsRequest(sources=[made] * 100), timeout=120)


@pytest.mark.parametrize("ask", [slow_calls, slow_dry_runs, slow_transactions, slow_sources])
def test_no_request_holds_a_worker_for_long(tmp_path: Path, ask: Callable[[VmWorld, str], None]) -> None:
    with running(tmp_path, users=["alice"], worker_count_min=1, worker_count_max=1) as world:
        contract = publish(world, "alice", SLOW, "quick", "run")
        before = world.head().version
        with pytest.raises(grpc.RpcError, match="items ran") as refused:
            ask(world, contract)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert world.head().version == before
        # The worker goes on: nothing of the refused request is left in it.
        outcome = world.execute(world.signer.transaction("alice", (contract, "quick", ()))).outcomes[0]
        assert outcome.receipt.status.code == 1
        assert world.workers.ListWorkers(worker_pb.ListWorkersRequest()).restart_count == 0


def test_a_contract_that_was_quick_and_is_slow_now_holds_up_no_batch(tmp_path: Path) -> None:
    with running(tmp_path, users=["alice", "mallo"], worker_count_min=2, worker_count_max=2) as world:
        slow, honest = publish(world, "mallo", SLOW, "quick", "run"), publish(world, "alice", COUNTER, "add")
        for _ in range(2):
            for sender, contract, method in (("mallo", slow, "quick"), ("alice", honest, "add")):
                world.execute(world.signer.transaction(sender, (contract, method, ())))

        answers: list[str] = []

        def call(sender: str, contract: str, method: str) -> None:
            outcome = world.execute(world.signer.transaction(sender, (contract, method, ()))).outcomes[0]
            assert outcome.verdict == pb.VERDICT_EXECUTED
            answers.append(sender)

        with ThreadPoolExecutor(FLIPS + 1) as threads:
            calls = [threads.submit(call, "mallo", slow, "run") for _ in range(FLIPS)]
            calls.append(threads.submit(call, "alice", honest, "add"))
        for made in calls:
            made.result()
        # Some slow calls run first, and some in the batch of the honest one until its time is over.
        assert answers.index("alice") < FLIPS / 2
