"""Times of transactions: ahead of the block, expired, too old; in the kernel, and through a real VM service."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from chassis.errors import from_rpc_error
from iost.chain.v1 import block_pb2
from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.kernel_world import TIME_NS, KernelWorld, sends
from tests.support.vm_world import SECOND_NS, VmWorld, running
from vm_service.model import Mode
from vm_service.state_keys import StoredValue, plain_key

MS = 10**6
BOUND = 30 * SECOND_NS
TRIALS = pytest.mark.parametrize("mode", [Mode.VALIDATE, Mode.DRY])

pytestmark = pytest.mark.timeout(120)


# -- the kernel's rules ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kernel() -> Iterator[KernelWorld]:
    with KernelWorld() as made:
        yield made


def verdict(kernel: KernelWorld, shift_ns: int, mode: Mode = Mode.EXECUTE, ahead_ns: int = 0) -> str | None:
    """Returns why a transfer of that time, seen from its block, is refused; None when it runs."""
    result = kernel.run([sends("alice", "bob", "1")], mode, shift_ns=shift_ns, ahead_ns=ahead_ns)
    kernel.drop(result)
    return result.results[0].refused


def test_a_block_takes_what_was_made_up_to_90_seconds_before_it(kernel: KernelWorld) -> None:
    assert verdict(kernel, 0) is None
    assert verdict(kernel, -90 * SECOND_NS + 1) is None


@pytest.mark.parametrize(
    ("shift_ns", "said"),
    [
        (
            1,
            f"too far ahead: its time {TIME_NS + 1} is after the block's time {TIME_NS}, at most 0 s ahead are allowed",
        ),
        (-90 * SECOND_NS, f"expired: its expiration {TIME_NS} is not after the block's time {TIME_NS}"),
        (-90 * SECOND_NS - 1, f"expired: its expiration {TIME_NS - 1} is not after the block's time {TIME_NS}"),
    ],
)
def test_a_refusal_names_both_times_and_the_bound(kernel: KernelWorld, shift_ns: int, said: str) -> None:
    assert verdict(kernel, shift_ns) == f"prepare tx error: transaction is {said}"


def test_a_late_expiration_makes_nobody_older_than_90_seconds(kernel: KernelWorld) -> None:
    late = kernel.run([sends("alice", "bob", "1")], shift_ns=-90 * SECOND_NS - 1, life_ns=200 * SECOND_NS)
    kernel.drop(late)

    old = TIME_NS - 90 * SECOND_NS - 1
    assert late.results[0].refused == (
        f"prepare tx error: transaction is too old: its time {old} is more than 90 s before the block's time {TIME_NS}"
    )


@TRIALS
def test_a_trial_takes_what_is_ahead_up_to_the_bound(kernel: KernelWorld, mode: Mode) -> None:
    assert verdict(kernel, BOUND, mode, BOUND) is None
    beyond = verdict(kernel, BOUND + 1, mode, BOUND)
    assert beyond is not None
    assert "too far ahead" in beyond
    assert "at most 30 s ahead are allowed" in beyond


def test_an_execution_takes_nothing_that_is_ahead_of_its_block(kernel: KernelWorld) -> None:
    assert "too far ahead" in str(verdict(kernel, 1, Mode.EXECUTE, BOUND))


def test_a_trial_runs_in_a_block_that_is_not_older_than_it(kernel: KernelWorld) -> None:
    result = kernel.run([sends("alice", "bob", "1")], Mode.DRY, shift_ns=SECOND_NS, ahead_ns=BOUND)
    kernel.drop(result)

    stored = result.writes[plain_key("gas.iost", "alicegu")]
    assert stored is not None
    assert StoredValue.decode(stored).data == str(TIME_NS + SECOND_NS)


# -- a served VM -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmWorld]:
    with running(tmp_path_factory.mktemp("times"), users=2) as made:
        yield made


def ahead(world: VmWorld, ns: int) -> "pb.ExecuteTransactionsRequest":
    """Asks for a transfer whose time lies that far ahead."""
    now_ns = time.time_ns()
    made = world.signer.transfer(*world.users, time_ns=now_ns + ns, expiration_ns=now_ns + ns + 80 * SECOND_NS)
    return pb.ExecuteTransactionsRequest(transactions=[made])


def block_time_ns(world: VmWorld) -> int:
    return block_pb2.BlockHeader.FromString(world.head().header).time_ns


@pytest.mark.parametrize("ahead_ms", [0, 1, 5, 20, 100, 500])
def test_a_transaction_never_runs_in_a_block_older_than_itself(world: VmWorld, ahead_ms: int) -> None:
    for _ in range(5):
        request = ahead(world, ahead_ms * MS)
        outcome = world.execution.ExecuteTransactions(request, timeout=30).outcomes[0]

        assert outcome.verdict == pb.VERDICT_EXECUTED, outcome.message
        assert block_time_ns(world) >= request.transactions[0].time_ns


def test_others_do_not_wait_for_a_transaction_ahead_of_the_clock(world: VmWorld) -> None:
    request = ahead(world, 3 * SECOND_NS)
    waiting = world.execution.ExecuteTransactions.future(request, timeout=30)

    world.execute(world.signer.transfer(*reversed(world.users)))

    assert block_time_ns(world) < request.transactions[0].time_ns
    assert waiting.result().outcomes[0].verdict == pb.VERDICT_EXECUTED
    assert block_time_ns(world) >= request.transactions[0].time_ns


def test_a_caller_that_cannot_wait_is_told_when_to_come_back(world: VmWorld) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        world.execution.ExecuteTransactions(ahead(world, 20 * SECOND_NS), timeout=10)

    error = from_rpc_error(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TRANSACTION_AHEAD")
    assert 15_000 < error.retry_delay_ms <= 20_000
    assert error.detail(error_details_pb2.RetryInfo) is not None


def test_beyond_the_bound_a_transaction_is_refused_at_once(world: VmWorld) -> None:
    request = ahead(world, 60 * SECOND_NS)

    outcome = world.execution.ExecuteTransactions(request, timeout=30).outcomes[0]

    assert outcome.verdict == pb.VERDICT_REFUSED
    said = r"too far ahead: its time \d{19} is after the block's time \d{19}, at most 30 s ahead are allowed"
    assert re.search(said, outcome.message)


def test_validation_takes_what_is_ahead_by_its_clock_or_the_given_one(world: VmWorld) -> None:
    made = ahead(world, 20 * SECOND_NS).transactions[0]

    def validate(time_ns: int) -> str:
        request = pb.ValidateTransactionsRequest(transactions=[made], time_ns=time_ns)
        outcome = world.execution.ValidateTransactions(request, timeout=30).outcomes[0]
        return "" if outcome.verdict == pb.VERDICT_EXECUTED else outcome.message

    assert validate(0) == ""
    assert validate(made.time_ns - BOUND) == ""
    assert "too far ahead" in validate(made.time_ns - BOUND - 1)
    assert "expired" in validate(made.expiration_ns)


def test_with_a_header_the_block_decides(world: VmWorld) -> None:
    request = ahead(world, 0)
    made = request.transactions[0]
    request.header.CopyFrom(
        block_pb2.BlockHeader(number=world.head().version + 1, witness="witness", time_ns=made.time_ns - 1)
    )
    request.dry_run = True

    outcome = world.execution.ExecuteTransactions(request, timeout=30).outcomes[0]

    assert "at most 0 s ahead are allowed" in outcome.message


@pytest.mark.parametrize(("behind_s", "executed"), [(5, True), (600, False)])
def test_a_state_service_whose_clock_is_behind_makes_no_block_older_than_its_transactions(
    tmp_path: Path, behind_s: int, executed: bool
) -> None:
    with running(tmp_path, users=2, state_flags={"clock_shift_ms": -behind_s * 1000}) as world:
        request = ahead(world, 0)
        response = world.execution.ExecuteTransactions(request, timeout=30)

        outcome = response.outcomes[0]
        assert (outcome.verdict == pb.VERDICT_EXECUTED) is executed, outcome.message
        if executed:
            assert block_time_ns(world) >= request.transactions[0].time_ns
        else:
            assert "too far ahead" in outcome.message
