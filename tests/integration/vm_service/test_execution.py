"""Transactions, validation, calls and blocks through a real VM service and a real store."""

import json
import time
from collections.abc import Iterator

import grpc
import pytest

from chassis.errors import from_rpc_error
from iost.chain.v1 import block_pb2, receipt_pb2
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2
from tests.support.vm_world import IOST, VmWorld, running
from vm_service import gas_schedule

pytestmark = pytest.mark.timeout(120)

ALICE, BOBBY, CAROL = "user00000", "user00001", "user00002"
SUCCESS = receipt_pb2.STATUS_CODE_SUCCESS


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmWorld]:
    with running(tmp_path_factory.mktemp("vm"), worker_count_min=2, worker_count_max=2) as world:
        yield world


def header(world: VmWorld, number: int) -> block_pb2.BlockHeader:
    return block_pb2.BlockHeader(
        number=number, parent_hash=world.head().block_id, witness="witness", time_ns=time.time_ns()
    )


# -- transactions ------------------------------------------------------------------------------------------------------


def test_a_transfer_moves_money_and_leaves_a_receipt(world: VmWorld) -> None:
    before = world.balance(ALICE), world.balance(BOBBY)
    made = world.signer.transfer(ALICE, BOBBY, "1.5")
    response = world.execute(made)
    outcome = response.outcomes[0]
    assert outcome.verdict == pb.VERDICT_EXECUTED
    assert outcome.receipt.status.code == SUCCESS
    assert [event.action_name for event in outcome.events] == ["transfer"]
    assert world.head().version == response.version
    assert world.head().commitment == response.commitment
    assert world.balance(ALICE) == before[0] - 3 * IOST // 2
    assert world.balance(BOBBY) == before[1] + 3 * IOST // 2
    stored = world.inspection.BatchGetReceipts(
        inspection_pb.BatchGetReceiptsRequest(tx_hashes=[outcome.tx_hash])
    ).receipts[0]
    assert stored.receipt == outcome.receipt
    assert stored.version == response.version


def test_the_service_tells_the_version_of_its_gas_schedule(world: VmWorld) -> None:
    answer = world.workers.ListWorkers(worker_service_pb2.ListWorkersRequest())

    assert answer.gas_schedule_version == gas_schedule.VERSION
    assert f"gas-{gas_schedule.VERSION}" in answer.build_id.split()


def test_transactions_of_a_batch_see_each_other_and_commit_together(world: VmWorld) -> None:
    version = world.head().version
    chain = [world.signer.transfer(ALICE, BOBBY, "2"), world.signer.transfer(BOBBY, CAROL, "2")]
    response = world.execute(*chain)
    assert [outcome.receipt.status.code for outcome in response.outcomes] == [SUCCESS, SUCCESS]
    assert response.version == version + 1


def test_a_failed_transaction_pays_gas_and_leaves_nothing_else(world: VmWorld) -> None:
    total, before = world.total(), world.balance(ALICE)
    response = world.execute(world.signer.transfer(ALICE, BOBBY, "99999999"))
    receipt = response.outcomes[0].receipt
    assert receipt.status.code == receipt_pb2.STATUS_CODE_RUNTIME_ERROR
    assert "balance not enough" in receipt.status.message
    assert receipt.gas_usage > 0
    assert not receipt.receipts
    assert not response.outcomes[0].events
    assert (world.total(), world.balance(ALICE)) == (total, before)


def test_a_transaction_of_several_actions_is_refused_whole(world: VmWorld) -> None:
    before = world.balance(BOBBY)
    actions = [
        ("token.iost", "transfer", ("iost", ALICE, BOBBY, "1", "")),
        ("token.iost", "transfer", ("iost", ALICE, BOBBY, "99999999", "")),
    ]
    outcome = world.execute(world.signer.transaction(ALICE, *actions)).outcomes[0]
    assert outcome.receipt.status.code == receipt_pb2.STATUS_CODE_RUNTIME_ERROR
    assert world.balance(BOBBY) == before


def test_the_same_transaction_again_is_answered_with_its_first_receipt(world: VmWorld) -> None:
    made = world.signer.transfer(ALICE, BOBBY)
    first = world.execute(made)
    before = world.balance(ALICE)
    again = world.execute(made)
    assert again.outcomes[0].verdict == pb.VERDICT_DUPLICATE
    assert again.outcomes[0].receipt == first.outcomes[0].receipt
    assert world.balance(ALICE) == before
    assert world.head().version == first.version


def test_the_same_transaction_twice_in_a_batch_runs_once(world: VmWorld) -> None:
    before = world.balance(BOBBY)
    made = world.signer.transfer(ALICE, BOBBY)
    response = world.execute(made, made)
    assert [outcome.verdict for outcome in response.outcomes] == [pb.VERDICT_EXECUTED, pb.VERDICT_DUPLICATE]
    assert world.balance(BOBBY) == before + IOST


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sign": False}, "publisher error"),
        ({"chain_id": 1}, "invalid chain_id"),
        ({"gas_limit": 1}, "gas limit illegal"),
        ({"delay_ns": 5}, "invalid delay time"),
        ({"expiration_ns": 1}, "invalid time and expiration"),
        ({"sender": "nobody__1"}, "gas not enough"),
    ],
)
def test_a_transaction_that_must_not_run_is_refused_without_a_receipt(
    world: VmWorld, fields: dict[str, object], message: str
) -> None:
    version = world.head().version
    given = {"sender": ALICE, "receiver": BOBBY, **fields}
    made = world.signer.transfer(**given)  # type: ignore[arg-type]
    outcome = world.execute(made).outcomes[0]
    assert outcome.verdict == pb.VERDICT_REFUSED
    assert message in outcome.message
    assert not outcome.HasField("receipt")
    assert world.head().version == version


def test_signature_claims_are_not_believed_unless_configured(world: VmWorld) -> None:
    made = world.signer.transfer(ALICE, BOBBY, sign=False)
    assert world.execute(made, signatures_checked=True).outcomes[0].verdict == pb.VERDICT_REFUSED


def test_a_refused_neighbour_changes_nothing_for_the_others(world: VmWorld) -> None:
    good, bad = world.signer.transfer(ALICE, BOBBY), world.signer.transfer(ALICE, BOBBY, sign=False)
    response = world.execute(bad, good)
    assert [outcome.verdict for outcome in response.outcomes] == [pb.VERDICT_REFUSED, pb.VERDICT_EXECUTED]


def test_a_dry_run_tells_and_keeps_nothing(world: VmWorld) -> None:
    version, before = world.head().version, world.balance(ALICE)
    made = world.signer.transfer(ALICE, BOBBY)
    response = world.execute(made, dry_run=True)
    assert response.outcomes[0].receipt.status.code == SUCCESS
    assert response.commitment == b""
    assert (world.head().version, world.balance(ALICE)) == (version, before)
    assert world.execute(made).outcomes[0].verdict == pb.VERDICT_EXECUTED


def test_validation_judges_each_transaction_alone_and_keeps_nothing(world: VmWorld) -> None:
    version = world.head().version
    made = [world.signer.transfer(ALICE, BOBBY), world.signer.transfer(ALICE, BOBBY, sign=False)]
    response = world.execution.ValidateTransactions(pb.ValidateTransactionsRequest(transactions=made))
    assert [outcome.verdict for outcome in response.outcomes] == [pb.VERDICT_EXECUTED, pb.VERDICT_REFUSED]
    assert response.version == version == world.head().version


def test_an_expired_transaction_is_refused_by_the_clock_of_the_request(world: VmWorld) -> None:
    made = world.signer.transfer(ALICE, BOBBY)
    request = pb.ValidateTransactionsRequest(transactions=[made], time_ns=made.expiration_ns + 1)
    outcome = world.execution.ValidateTransactions(request).outcomes[0]
    assert outcome.verdict == pb.VERDICT_REFUSED
    assert "expired" in outcome.message


# -- calls -------------------------------------------------------------------------------------------------------------


def balance_call() -> pb.ContractCall:
    return pb.ContractCall(contract="token.iost", action_name="balanceOf", data=json.dumps(["iost", ALICE]))


def test_a_call_reads_without_a_transaction(world: VmWorld) -> None:
    response = world.execution.CallContracts(pb.CallContractsRequest(calls=[balance_call()]))
    outcome = response.outcomes[0]
    assert outcome.status.code == SUCCESS
    [text] = json.loads(outcome.returns)
    assert round(float(text) * IOST) == world.balance(ALICE)
    assert outcome.verdict == pb.VERDICT_EXECUTED


def test_a_call_at_an_older_version_reads_that_version(world: VmWorld) -> None:
    version = world.head().version
    before = world.execution.CallContracts(pb.CallContractsRequest(calls=[balance_call()])).outcomes[0].returns
    world.execute(world.signer.transfer(ALICE, BOBBY, "3"))
    old = world.execution.CallContracts(pb.CallContractsRequest(calls=[balance_call()], version=version))
    new = world.execution.CallContracts(pb.CallContractsRequest(calls=[balance_call()]))
    assert old.outcomes[0].returns == before != new.outcomes[0].returns
    assert old.version == version


def test_an_unknown_contract_or_action_is_the_outcome_of_the_call(world: VmWorld) -> None:
    calls = [
        pb.ContractCall(contract="Contractnone", action_name="x"),
        pb.ContractCall(contract="token.iost", action_name="nothing"),
        pb.ContractCall(contract="token.iost", action_name="balanceOf", data="[1, 2, 3]"),
        pb.ContractCall(contract="token.iost", action_name="balanceOf", data="{broken"),
    ]
    outcomes = world.execution.CallContracts(pb.CallContractsRequest(calls=calls)).outcomes
    assert [outcome.status.code for outcome in outcomes] == [receipt_pb2.STATUS_CODE_RUNTIME_ERROR] * 4
    assert "not found" in outcomes[0].status.message


# -- blocks ------------------------------------------------------------------------------------------------------------


def executed_block(world: VmWorld) -> tuple[pb.ExecuteBlockRequest, pb.ExecuteBlockResponse]:
    made = [world.signer.transfer(ALICE, BOBBY), world.signer.transfer(BOBBY, CAROL, "99999999")]
    head = world.head()
    request = pb.ExecuteBlockRequest(parent_id=head.block_id, header=header(world, head.number + 1), transactions=made)
    return request, world.execution.ExecuteBlock(request)


def test_a_block_is_one_commit_named_by_the_block(world: VmWorld) -> None:
    request, response = executed_block(world)
    head = world.head()
    assert (head.version, head.block_id, head.commitment) == (response.version, response.block_id, response.commitment)
    assert [outcome.verdict for outcome in response.outcomes] == [pb.VERDICT_EXECUTED] * 2
    assert response.gas_usage == sum(outcome.receipt.gas_usage for outcome in response.outcomes)
    assert block_pb2.BlockHeader.FromString(head.header) == request.header


def test_the_same_block_again_is_answered_as_the_first_time(world: VmWorld) -> None:
    request, first = executed_block(world)
    again = world.execution.ExecuteBlock(request)
    assert again.version == first.version == world.head().version
    assert again.commitment == first.commitment
    assert [outcome.receipt for outcome in again.outcomes] == [outcome.receipt for outcome in first.outcomes]


def validation(world: VmWorld, commit: bool = False) -> pb.ValidateBlockRequest:
    """Executes a block on the head, then asks for its validation on the same parent, as another node would."""
    head = world.head()
    request, response = executed_block(world)
    return pb.ValidateBlockRequest(
        block_id=bytes(31) + b"\1" if commit else b"",
        parent_id=head.block_id,
        header=request.header,
        transactions=request.transactions,
        receipts=[outcome.receipt for outcome in response.outcomes],
        commitment=response.commitment,
        commit=commit,
    )


def test_a_block_executed_elsewhere_is_valid(world: VmWorld) -> None:
    request = validation(world)
    version = world.head().version
    request.block_id = bytes(32)
    response = world.execution.ValidateBlock(request)
    assert response.valid
    assert not response.HasField("difference")
    assert response.version == 0
    assert world.head().version == version


def test_a_valid_block_is_committed_on_request(world: VmWorld) -> None:
    request = validation(world, commit=True)
    response = world.execution.ValidateBlock(request)
    assert response.valid
    assert response.version == world.head().version


@pytest.mark.parametrize(
    ("change", "field", "index"),
    [
        (lambda r: setattr(r.receipts[0], "gas_usage", 7), "gas_usage", 0),
        (lambda r: setattr(r.receipts[1].status, "message", "?"), "status.message", 1),
        (lambda r: setattr(r.receipts[1].status, "code", 1), "status.code", 1),
        (lambda r: r.receipts[0].returns.append("x"), "returns", 0),
        (lambda r: r.receipts[0].receipts.add(func_name="f", content="c"), "receipts", 0),
        (lambda r: r.receipts[0].ram_usages.add(payer="p", bytes=1), "ram_usages", 0),
        (lambda r: r.receipts.pop(), "receipts", -1),
        (lambda r: setattr(r, "commitment", bytes(32)), "commitment", -1),
        (lambda r: r.transactions[0].publisher_signatures.pop(), "verdict", 0),
    ],
)
def test_a_wrong_block_is_refused_with_its_first_difference(
    world: VmWorld, change: object, field: str, index: int
) -> None:
    request = validation(world)
    request.block_id = bytes(32)
    change(request)  # type: ignore[operator]
    version = world.head().version
    response = world.execution.ValidateBlock(request)
    assert not response.valid
    assert (response.difference.field, response.difference.transaction_index) == (field, index)
    assert response.difference.expected != response.difference.actual
    assert world.head().version == version


def test_a_block_on_an_unknown_parent_is_an_error(world: VmWorld) -> None:
    request = pb.ExecuteBlockRequest(parent_id=b"x" * 32, header=header(world, 5))
    with pytest.raises(grpc.RpcError) as caught:
        world.execution.ExecuteBlock(request)
    assert from_rpc_error(caught.value).reason == "BLOCK_NOT_FOUND"


# -- what nobody may ask for -------------------------------------------------------------------------------------------


def test_block_0_is_refused_once_there_is_a_genesis(world: VmWorld) -> None:
    made = world.signer.transfer(ALICE, BOBBY, sign=False)
    genesis = block_pb2.BlockHeader(number=0, time_ns=time.time_ns())
    with pytest.raises(grpc.RpcError) as caught:
        world.execute(made, header=genesis)
    assert from_rpc_error(caught.value).reason == "BLOCK_REFUSED"
    with pytest.raises(grpc.RpcError):
        world.execution.ExecuteBlock(pb.ExecuteBlockRequest(header=genesis, transactions=[made]))


def test_the_publisher_of_base_transactions_is_refused_anywhere_but_at_the_head_of_a_block(world: VmWorld) -> None:
    base = world.signer.transaction("base.iost", ("base.iost", "exec", ('{"parent":["a","1",true]}',)), sign=False)
    del base.publisher_signatures[:]
    assert world.execute(base).outcomes[0].verdict == pb.VERDICT_REFUSED
    block = header(world, world.head().number + 1)
    request = pb.ExecuteBlockRequest(header=block, transactions=[world.signer.transfer(ALICE, BOBBY), base])
    outcomes = world.execution.ExecuteBlock(request).outcomes
    assert [outcome.verdict for outcome in outcomes] == [pb.VERDICT_EXECUTED, pb.VERDICT_REFUSED]


def test_a_call_gets_no_more_gas_than_a_transaction(world: VmWorld) -> None:
    call = balance_call()
    call.gas_limit = 2**60
    outcome = world.execution.CallContracts(pb.CallContractsRequest(calls=[call])).outcomes[0]
    assert outcome.status.code == SUCCESS
