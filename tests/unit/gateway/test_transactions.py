"""Canonical bytes, hashes and signatures of transactions."""

import hashlib
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from gateway.client import canonical, transactions
from gateway.client.key_files import Account
from gateway.client.keys import KeyPair
from iost.chain.v1.transaction_pb2 import Signature, Transaction

ALICE = Account("alice", KeyPair("ed25519", bytes(range(32))))
BOB = Account("bob", KeyPair("ed25519", bytes(range(1, 33))))


def small() -> Transaction:
    return transactions.build(
        "alice", [transactions.action("c", "m", "x")], time_ns=1, lifetime_s=0, amount_limits={"iost": "5"}, chain_id=7
    )


def test_the_base_form_byte_by_byte() -> None:
    numbers = "0000000000000001000000000000000100000000000000640000000005f5e100000000000000000000000007"
    reserved = "00000000"
    signers = "00000000"
    action = "0000000163" + "000000016d" + "00000005" + b'["x"]'.hex()
    actions = "00000001" + f"{len(action) // 2:08x}" + action
    limit = "00000004" + b"iost".hex() + "0000000135"
    limits = "00000001" + f"{len(limit) // 2:08x}" + limit
    assert canonical.base_form(small()).hex() == numbers + reserved + signers + actions + limits


def test_each_form_is_the_start_of_the_next() -> None:
    transaction = small()
    transaction.signatures.append(Signature(algorithm=1, signature=b"s" * 64, public_key=b"k" * 33))
    transaction.publisher_signatures.append(Signature(algorithm=2, signature=b"t" * 64, public_key=b"l" * 32))
    base, publish = canonical.base_form(transaction), canonical.publish_form(transaction)
    full = canonical.full_form(transaction)
    signature = "0100000040" + (b"s" * 64).hex() + "00000021" + (b"k" * 33).hex()
    own = "0200000040" + (b"t" * 64).hex() + "00000020" + (b"l" * 32).hex()
    assert publish.hex() == base.hex() + "00000001" + f"{len(signature) // 2:08x}" + signature
    assert full.hex() == (
        publish.hex() + "00000000" + "00000005" + b"alice".hex() + "00000001" + f"{len(own) // 2:08x}" + own
    )
    assert canonical.transaction_hash(transaction) == hashlib.sha3_256(full).digest()


def test_signatures_cover_what_was_there_before_them() -> None:
    transaction = transactions.sign(
        transactions.build("alice", [transactions.action("c", "m")], signers=["bob@active"]), ALICE, BOB
    )
    verify(BOB, transaction.signatures[0], canonical.base_form(transaction))
    verify(ALICE, transaction.publisher_signatures[0], canonical.publish_form(transaction))
    transaction.signatures[0].signature = bytes(64)
    with pytest.raises(InvalidSignature):
        verify(ALICE, transaction.publisher_signatures[0], canonical.publish_form(transaction))


def verify(account: Account, signature: Signature, form: bytes) -> None:
    public = ed25519.Ed25519PublicKey.from_public_bytes(account.key.public_key)
    public.verify(signature.signature, canonical.digest(form))


def test_equal_actions_make_different_transactions() -> None:
    made = [transactions.signed(ALICE, transactions.action("c", "m")) for _ in range(50)]
    assert len({canonical.transaction_hash(item) for item in made}) == 50
    assert [item.time_ns for item in made] == sorted(item.time_ns for item in made)


def test_arguments_become_compact_json() -> None:
    made = transactions.action("c", "m", "ä", 12, True, {"k": [1, None]})
    assert made.data == '["ä",12,true,{"k":[1,null]}]'


@pytest.mark.parametrize("value", [float("nan"), b"bytes", object()])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        transactions.action("c", "m", value)


def test_publishing_names_the_method_for_new_and_existing_contracts() -> None:
    abi = {"lang": "javascript", "version": "1.0.0", "abi": []}
    new = transactions.publish_action("code", abi)
    assert (new.contract, new.action_name) == ("system.iost", "setCode")
    assert json.loads(json.loads(new.data)[0]) == {"ID": "", "info": abi, "code": "code"}
    update = transactions.publish_action("code", abi, "ContractX", "data")
    assert update.action_name == "updateCode"
    assert json.loads(update.data)[1] == "data"
