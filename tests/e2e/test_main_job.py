"""Publish, execute and inspect through three real services."""

import hashlib
import json
import time
from pathlib import Path

import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.channels import sync_channel
from gateway.client import (
    Account,
    AsyncClient,
    EventFilter,
    TransactionError,
    action,
    build,
    check,
    sign,
    signed,
    transaction_hash,
)
from gateway.demo.plan import CONTRACTS
from gateway.demo.run import demonstrate
from iost.chain.v1.block_pb2 import BlockHeader
from iost.gateway.v1 import block_service_pb2 as blocks
from iost.gateway.v1.inspection_service_pb2 import EventCursor
from iost.gateway.v1.outcome_pb2 import VERDICT_DUPLICATE, VERDICT_EXECUTED
from tests.support.node import Node

pytestmark = pytest.mark.timeout(120)


def count(node: Node, counter: str) -> int:
    (entry,) = node.client.state([f"b-{counter}-count"])
    return int(entry.value.text)


def test_the_demonstration_holds(node: Node, tmp_path: Path) -> None:
    assert demonstrate(node.client, node.accounts, tmp_path)


def test_a_published_contract_is_shown(node: Node, counter: str) -> None:
    (contract,) = node.client.contracts([counter])
    assert contract.owner == "admin"
    assert [method.name for method in contract.methods] == ["can_update", "add", "get", "sum"]
    assert "class Counter" in contract.source
    checked = node.client.compile(contract.source)
    stored = json.loads(node.client.state([f"c-{counter}"])[0].value.text)
    assert contract.code_hash == hashlib.sha256(contract.source.encode()).digest()
    assert checked.contract.code_hash == contract.code_hash
    assert stored["code_hash"] == contract.code_hash.hex()


@pytest.mark.parametrize("name", ["counter", "token"])
def test_an_abi_is_derived_from_the_source(node: Node, name: str) -> None:
    derived = json.loads(node.client.compile((CONTRACTS / f"{name}.js").read_text()).abi_json)
    assert derived == json.loads((CONTRACTS / f"{name}.js.abi").read_text())


def test_a_call_changes_state_and_leaves_receipt_and_event(node: Node, counter: str) -> None:
    before = count(node, counter)
    version = node.client.head().version
    outcome = node.client.send(node.accounts["alice"], action(counter, "add", 7))
    assert outcome.receipt.returns == [f'["{before + 7}"]']
    assert outcome.receipt.gas_usage > 0
    assert count(node, counter) == before + 7
    (stored,) = node.client.receipts([outcome.tx_hash])
    assert stored.receipt == outcome.receipt
    assert stored.version == node.client.head().version > version
    cursor = EventCursor(version=version, transaction_index=2**31 - 1)
    (event,) = node.client.events(EventFilter(contract=counter, until_head=True), cursor=cursor)
    assert event.tx_hash == outcome.tx_hash
    assert event.event == outcome.events[0]


def test_older_versions_stay_readable(node: Node, counter: str) -> None:
    version, before = node.client.head().version, count(node, counter)
    node.client.send(node.accounts["alice"], action(counter, "add", 1))
    (entry,) = node.client.state([f"b-{counter}-count"], version=version)
    assert int(entry.value.text) == before
    assert node.client.call(counter, "get", version=version).returns == f'["{before}"]'


def test_reading_calls_and_dry_runs_keep_nothing(node: Node, counter: str) -> None:
    head, before = node.client.head(), count(node, counter)
    assert node.client.call(counter, "get").returns == f'["{before}"]'
    assert node.client.call(counter, "add", 5, publisher="alice").returns == f'["{before + 5}"]'
    dry = signed(node.accounts["alice"], action(counter, "add", 5))
    response = node.client.execute([dry], dry_run=True)
    assert check(response.outcomes[0]).receipt.returns == [f'["{before + 5}"]']
    validated = node.client.validate([dry]).outcomes[0]
    assert validated.verdict == VERDICT_EXECUTED
    assert node.client.head() == head
    assert not node.client.receipts([transaction_hash(dry)])[0].HasField("receipt")


def test_a_batch_runs_in_order_on_shared_state(node: Node, counter: str) -> None:
    before = count(node, counter)
    batch = [signed(node.accounts["alice"], action(counter, "add", i)) for i in range(1, 11)]
    response = node.client.execute(batch)
    returns = [outcome.receipt.returns[0] for outcome in response.outcomes]
    sums = [before + sum(range(1, i + 1)) for i in range(1, 11)]
    assert returns == [f'["{value}"]' for value in sums]
    assert response.version == node.client.head().version


def test_the_same_transaction_takes_effect_once(node: Node, counter: str) -> None:
    before = count(node, counter)
    once = signed(node.accounts["alice"], action(counter, "add", 3))
    first = node.client.execute([once]).outcomes[0]
    again = node.client.execute([once]).outcomes[0]
    assert again.verdict == VERDICT_DUPLICATE
    assert again.receipt == first.receipt
    assert count(node, counter) == before + 3


def test_actions_of_a_transaction_stand_or_fall_together(node: Node, counter: str) -> None:
    before, head = count(node, counter), node.client.head().version
    accounts = [("alice", "iost"), ("bobby", "iost")]
    balances = [item.amount for item in node.client.balances(accounts)]
    mixed = signed(
        node.accounts["alice"],
        action(counter, "add", 5),
        action("token.iost", "transfer", "iost", "alice", "bobby", "1", ""),
        action(counter, "add", -1),
    )
    outcome = node.client.execute([mixed]).outcomes[0]
    with pytest.raises(TransactionError, match="amount must be positive"):
        check(outcome)
    assert outcome.receipt.gas_usage > 0
    assert not outcome.receipt.receipts
    assert not outcome.receipt.returns
    assert not outcome.events
    assert count(node, counter) == before
    assert [item.amount for item in node.client.balances(accounts)] == balances
    cursor = EventCursor(version=head, transaction_index=2**31 - 1)
    assert not list(node.client.events(EventFilter(contract=counter, until_head=True), cursor=cursor))


def test_a_second_signature_gives_a_second_authority(node: Node) -> None:
    alice, bobby = node.accounts["alice"], node.accounts["bobby"]
    pull = action("token.iost", "transfer", "iost", "bobby", "alice", "0.00000001", "")
    with pytest.raises(TransactionError, match="no permission"):
        node.client.send(alice, pull)
    agreed = sign(build("alice", [pull], signers=["bobby@active"]), alice, bobby)
    check(node.client.execute([agreed]).outcomes[0])


def test_a_contract_is_replaced_by_its_owner_only(node: Node) -> None:
    contract = node.publish("counter")
    node.client.send(node.accounts["alice"], action(contract, "add", 41))
    (published,) = node.client.contracts([contract])
    source = published.source.replace("return storage.get('count');", "return 'count ' + storage.get('count');")
    abi = '{"lang":"javascript","version":"1.0.0","abi":[{"name":"get","args":[],"amountLimit":[]}]}'

    def update(account: Account) -> None:
        contract_json = f'{{"ID":"{contract}","info":{abi},"code":{json.dumps(source)}}}'
        call = action("system.iost", "updateCode", contract_json, "")
        node.client.send(account, call, gas_limit=400_000_000)

    with pytest.raises(TransactionError, match="update refused"):
        update(node.accounts["alice"])
    update(node.admin)
    assert node.client.call(contract, "get").returns == '["count 41"]'


def test_blocks_are_executed_validated_and_finalized(node: Node, counter: str) -> None:
    head = node.client.head()
    batch = [signed(node.accounts["alice"], action(counter, "add", i)) for i in (1, 2)]
    # Later than its transactions.
    header = BlockHeader(number=head.number + 1, parent_hash=head.block_id, witness="witness", time_ns=time.time_ns())
    made = node.client.execute_block(
        blocks.ExecuteBlockRequest(block_id=b"b" * 32, parent_id=head.block_id, header=header, transactions=batch)
    )
    receipts = [check(outcome).receipt for outcome in made.outcomes]
    assert made.gas_usage == sum(receipt.gas_usage for receipt in receipts)
    claim = blocks.ValidateBlockRequest(
        block_id=b"c" * 32,
        parent_id=head.block_id,
        header=header,
        transactions=batch,
        receipts=receipts,
        commitment=made.commitment,
    )
    assert node.client.validate_block(claim).valid
    claim.receipts[1].gas_usage += 1
    answer = node.client.validate_block(claim)
    assert not answer.valid
    assert (answer.difference.transaction_index, answer.difference.field) == (1, "gas_usage")
    assert node.client.finalize_block(made.block_id).version == made.version
    assert node.client.head().final_version == made.version


def test_a_discarded_block_leaves_nothing_and_its_transactions_can_run_again(node: Node, counter: str) -> None:
    head, before = node.client.head(), count(node, counter)
    batch = [signed(node.accounts["alice"], action(counter, "add", 9))]
    header = BlockHeader(number=head.number + 1, parent_hash=head.block_id, witness="witness", time_ns=time.time_ns())
    request = blocks.ExecuteBlockRequest(parent_id=head.block_id, header=header, transactions=batch)
    made = node.client.execute_block(request)
    assert count(node, counter) == before + 9
    assert list(node.client.discard_block(made.block_id).dropped_block_ids) == [made.block_id]
    assert node.client.head() == head
    assert count(node, counter) == before
    assert not node.client.receipts([made.outcomes[0].tx_hash])[0].HasField("receipt")
    again = node.client.execute(batch).outcomes[0]
    assert again.verdict == VERDICT_EXECUTED
    assert count(node, counter) == before + 9


def test_reflection_lists_the_services_of_all_three(node: Node) -> None:
    expected = {
        node.gateway: {"TransactionService", "BlockService", "ContractService", "InspectionService"},
        node.vm: {"ExecutionService", "CompilationService", "WorkerService"},
        node.state: {"StateService", "InspectionService"},
    }
    for program, names in expected.items():
        with sync_channel(program.address) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=10)
        listed = {service.name for service in answer.list_services_response.service}
        assert "grpc.health.v1.Health" in listed
        assert names <= {name.rpartition(".")[2] for name in listed}


async def test_the_asyncio_client_does_the_same(node: Node, counter: str) -> None:
    async with AsyncClient(node.gateway.address) as client:
        outcome = await client.send(node.accounts["alice"], action(counter, "add", 1))
        assert (await client.receipts([outcome.tx_hash]))[0].receipt == outcome.receipt
        workers = await client.workers()
        assert workers.workers
