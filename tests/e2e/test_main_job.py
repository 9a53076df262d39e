"""Publish, execute and inspect through three real services."""

import hashlib
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.channels import sync_channel
from chassis.errors import RemoteError
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
from iost.gateway.v1.inspection_service_pb2 import EventCursor, GetHeadResponse
from iost.gateway.v1.outcome_pb2 import VERDICT_DUPLICATE, VERDICT_EXECUTED
from tests.support.command import v8vm
from tests.support.node import Node

pytestmark = pytest.mark.timeout(120)


def count(node: Node, counter: str) -> int:
    (entry,) = node.client.state([f"b-{counter}-count"])
    return int(entry.value.text)


def header_on(head: GetHeadResponse) -> BlockHeader:
    """Makes the header of a block on the head, later than transactions that are made already."""
    time_ns = max(time.time_ns(), head.time_ns + 1)
    return BlockHeader(number=head.number + 1, parent_hash=head.block_hash, witness="witness", time_ns=time_ns)


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
    header = header_on(head)
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


def test_a_branch_is_asked_about_again_and_read_at(node: Node, counter: str) -> None:
    alice, before, head = node.accounts["alice"], count(node, counter), node.client.head()
    batches = [
        [
            signed(
                alice,
                action(counter, "add", n),
                action("token.iost", "transfer", "iost", "alice", "bobby", f"{n}", ""),
            )
        ]
        for n in (1, 2)
    ]
    header, ids = header_on(head), (b"m" * 32, b"n" * 32)
    requests = [
        blocks.ExecuteBlockRequest(block_id=block_id, parent_id=head.block_id, header=header, transactions=batch)
        for block_id, batch in zip(ids, batches, strict=True)
    ]
    made = [node.client.execute_block(request) for request in requests]
    assert node.client.head().block_id == ids[0]
    for request, response in zip(requests, made, strict=True):
        assert node.client.execute_block(request) == response
        assert response.outcomes[0].events
        claim = blocks.ValidateBlockRequest(
            block_id=request.block_id,
            parent_id=head.block_id,
            header=header,
            transactions=request.transactions,
            receipts=[outcome.receipt for outcome in response.outcomes],
            commitment=response.commitment,
        )
        assert node.client.validate_block(claim).valid
        del claim.transactions[:]
        assert node.client.validate_block(claim).difference.field == "transactions"
    requests[1].header.witness = "somebody"
    with pytest.raises(RemoteError) as caught:
        node.client.execute_block(requests[1])
    assert (caught.value.reason, caught.value.metadata["field"]) == ("BLOCK_DIFFERS", "header.witness")

    (balance,) = node.client.balances([("bobby", "iost")], block_id=head.block_id)
    name = f"b-{counter}-count"
    for n, (block_id, response) in enumerate(zip(ids, made, strict=True), start=1):
        at: dict[str, Any] = {"version": head.version, "block_id": block_id}  # the block id wins
        assert [entry.value.text for entry in node.client.state([name], **at)] == [f"{before + n}"]
        assert [entry.value.text for entry in node.client.list_state(name, **at)] == [f"{before + n}"]
        assert node.client.call(counter, "get", **at).returns == f'["{before + n}"]'
        (found,) = node.client.balances([("bobby", "iost")], **at)
        assert Decimal(found.amount) == Decimal(balance.amount) + n
        assert node.client.contracts([counter], **at)[0].id == counter
        found_receipts = node.client.receipts([item.outcomes[0].tx_hash for item in made], **at)
        assert [item.HasField("receipt") for item in found_receipts] == [n == 1, n == 2]
        block = node.client.block(block_id)
        assert (block.version, block.parent_id, block.header.number) == (response.version, head.block_id, header.number)
    for arguments, text in (
        (("state", "get", name), f"{before + 2}"),
        (("state", "list", name), f"{before + 2}"),
        (("query", counter, "get"), f"{before + 2}"),
        (("balance", "bobby"), f"{Decimal(balance.amount) + 2}"),
        (("contract", "show", counter), counter),
        (("receipt", made[1].outcomes[0].tx_hash.hex()), "SUCCESS"),
    ):
        shown = v8vm(*arguments, "--gateway", node.gateway.address, "--block", ids[1].hex())
        assert (shown.code, text in shown.out) == (0, True), shown
    assert v8vm("balance", "bobby", "--gateway", node.gateway.address, "--block", "xyz").code == 2
    assert v8vm("balance", "bobby", "--gateway", node.gateway.address, "--block", "00").code == 3

    node.client.record_block_hash(ids[0], b"h" * 32)
    assert node.client.head().block_hash == node.client.block(ids[0]).block_hash == b"h" * 32
    child = blocks.ExecuteBlockRequest(parent_id=ids[0], header=header_on(node.client.head()))
    child.header.parent_hash = ids[0]
    with pytest.raises(RemoteError) as caught:
        node.client.execute_block(child)
    assert (caught.value.reason, caught.value.metadata["field"]) == ("BLOCK_REFUSED", "header.parent_hash")
    node.client.finalize_block(ids[0])


def test_a_discarded_block_leaves_nothing_and_its_transactions_can_run_again(node: Node, counter: str) -> None:
    head, before = node.client.head(), count(node, counter)
    batch = [signed(node.accounts["alice"], action(counter, "add", 9))]
    header = header_on(head)
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
