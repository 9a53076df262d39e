"""The vectors of docs/nodes hold for the client and for the service, which share no code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.client import KeyPair, canonical
from iost.chain.v1.transaction_pb2 import Action, AmountLimit, Signature, Transaction
from vm_service import transactions

FILE = Path(__file__).parents[3] / "docs/nodes/transaction-vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))["vectors"]


def signature(document: Mapping[str, Any]) -> Signature:
    return Signature(
        algorithm=document["algorithm"],
        signature=bytes.fromhex(document["signature"]),
        public_key=bytes.fromhex(document["public_key"]),
    )


def transaction(document: Mapping[str, Any]) -> Transaction:
    numbers = {name: int(document[name]) for name in ("time_ns", "expiration_ns", "gas_ratio", "gas_limit", "delay_ns")}
    return Transaction(
        **numbers,
        chain_id=document["chain_id"],
        signers=document["signers"],
        actions=[Action(**action) for action in document["actions"]],
        amount_limits=[AmountLimit(**limit) for limit in document["amount_limits"]],
        signatures=[signature(item) for item in document["signatures"]],
        publisher=document["publisher"],
        publisher_signatures=[signature(item) for item in document["publisher_signatures"]],
        reserved=bytes.fromhex(document["reserved"]),
        referred_tx=bytes.fromhex(document["referred_tx"]),
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_forms_hash_and_signature(vector: Mapping[str, Any]) -> None:
    made, expected = transaction(vector["transaction"]), vector["expect"]
    service = transactions.canonical_forms(made)
    client = (canonical.base_form(made), canonical.publish_form(made), canonical.full_form(made))
    wanted = tuple(bytes.fromhex(expected[name]) for name in ("base", "publish", "full"))
    assert (service.base, service.publish, service.full) == client == wanted
    assert canonical.transaction_hash(made) == transactions.digest(service.full) == bytes.fromhex(expected["hash"])
    if vector["secret"]:
        signed = KeyPair("ed25519", bytes.fromhex(vector["secret"])).sign(canonical.digest(service.publish))
        assert signed.signature.hex() == expected["publisher_signature"]
    for item in made.publisher_signatures:
        assert transactions.verify(item.algorithm, canonical.digest(service.publish), item.signature, item.public_key)
