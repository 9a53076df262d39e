"""The system contracts of the ready genesis file, as a dApp and a consensus module meet them: through the gateway."""

import json
import time

from gateway.client import Account, KeyPair, action, signed
from gateway.client.calls import check
from iost.chain.v1.block_pb2 import BlockHeader
from iost.chain.v1.transaction_pb2 import Action, Transaction
from iost.gateway.v1 import block_service_pb2 as blocks
from tests.support.node import Node

KEY = KeyPair("ed25519", bytes(range(32)))


def balance(node: Node, account: str, token: str = "iost") -> str:
    return node.client.balances([(account, token)])[0].amount


def base_transaction(witness: str) -> Transaction:
    """Makes the transaction at the head of a block, which nobody signs."""
    data = json.dumps([{"parent": [witness, "100", True]}])
    call = Action(contract="base.iost", action_name="exec", data=data)
    now_ns = time.time_ns()
    return Transaction(
        time_ns=now_ns,
        expiration_ns=now_ns + 90 * 10**9,
        gas_ratio=100,
        gas_limit=100_000_000,
        chain_id=1024,
        publisher="base.iost",
        actions=[call],
    )


def test_an_account_that_is_signed_up_can_send_and_buy_ram(node: Node) -> None:
    name = "newcomer"
    node.client.send(
        node.accounts["alice"],
        action("auth.iost", "signUp", name, KEY.public_text, KEY.public_text),
        action("token.iost", "transfer", "iost", "alice", name, "20", ""),
        action("ram.iost", "buy", "alice", name, 1000),
    )
    assert balance(node, name, "ram") == "1000"
    newcomer = Account(name, KEY)

    node.client.send(
        newcomer,
        action("ram.iost", "sell", name, name, 400),
        action("token.iost", "transfer", "iost", name, "bobby", "19.5", ""),
    )

    assert balance(node, name, "ram") == "600"
    assert 0.5 < float(balance(node, name)) < 1.5


def test_blocks_of_a_registered_producer_earn_iost(node: Node) -> None:
    key = KeyPair("ed25519", bytes(range(1, 33))).public_text
    register = action("vote_producer.iost", "applyRegister", "carol", key, "here", "https://example.org", "net", True)
    node.client.send(node.accounts["carol"], register)
    node.client.send(node.admin, action("vote_producer.iost", "approveRegister", "carol"))
    node.client.send(node.accounts["david"], action("vote_producer.iost", "vote", "david", "carol", "20000"))
    assert json.loads(json.loads(node.client.call("vote.iost", "getResult", "1").returns)[0]) == [
        {"option": "carol", "votes": "20000.00000000"}
    ]
    node.client.send(node.accounts["bobby"], action("issue.iost", "issueIOST"))  # two years of inflation since genesis

    head = node.client.head()
    header = BlockHeader(number=head.number + 1, parent_hash=head.block_id, witness="witness", time_ns=time.time_ns())
    made = node.client.execute_block(
        blocks.ExecuteBlockRequest(parent_id=head.block_id, header=header, transactions=[base_transaction(key)])
    )
    check(made.outcomes[0])
    assert balance(node, "carol", "contribute") == "1"

    before, pot = float(balance(node, "carol")), float(balance(node, "bonus.iost"))
    node.client.send(node.accounts["carol"], action("bonus.iost", "exchangeIOST", "carol", "1"))
    assert pot > 0
    assert abs(float(balance(node, "carol")) - before - pot) < 1e-6
    assert balance(node, "bonus.iost") == "0"
    assert balance(node, "carol", "contribute") == "0"


def test_only_a_block_can_send_the_base_transaction(node: Node) -> None:
    call = action("base.iost", "exec", {"parent": ["alice", "100", True]})
    outcome = node.client.execute([signed(node.accounts["alice"], call)]).outcomes[0]
    assert "only the base transaction of a block may call exec" in outcome.receipt.status.message
