"""Canonical bytes, form and signatures of transactions."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from gateway.client import canonical
from iost.chain.v1.transaction_pb2 import (
    SIGNATURE_ALGORITHM_ED25519,
    SIGNATURE_ALGORITHM_SECP256K1,
    Action,
    AmountLimit,
    Signature,
    Transaction,
)
from vm_service import base58, transactions
from vm_service.transactions import RefusedError, admit, canonical_forms, digest, is_base

CHAIN_ID = 1024
KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def _transaction(**changes: object) -> Transaction:
    fields: dict[str, object] = {
        "time_ns": 1_541_541_540_000_000_000,
        "expiration_ns": 1_541_541_540_400_000_000,
        "gas_ratio": 100,
        "gas_limit": 100_000_000,
        "chain_id": CHAIN_ID,
        "actions": [
            Action(contract="token.iost", action_name="transfer", data='["iost","user_0","user_1","0.0001",""]')
        ],
        "amount_limits": [AmountLimit(token="*", value="unlimited")],
        "publisher": "user_0",
    }
    return Transaction(**{**fields, **changes})  # type: ignore[arg-type]


def _signature(message: bytes) -> Signature:
    key = KEY.public_key().public_bytes_raw()
    return Signature(algorithm=SIGNATURE_ALGORITHM_ED25519, signature=KEY.sign(message), public_key=key)


def _signed(**changes: object) -> Transaction:
    transaction = _transaction(**changes)
    transaction.publisher_signatures.append(_signature(digest(canonical_forms(transaction).publish)))
    return transaction


def test_the_full_form_has_the_length_that_the_reference_charges_for() -> None:
    transaction = _transaction()
    transaction.publisher_signatures.add(
        algorithm=SIGNATURE_ALGORITHM_SECP256K1, signature=bytes(64), public_key=bytes(33)
    )

    assert len(canonical_forms(transaction).full) == 286  # measured: 2,860 gas


def test_client_and_service_agree_on_every_form() -> None:
    transaction = _signed(signers=["user_1@active", "é@owner"], reserved=b"\0\1", referred_tx=b"\2", delay_ns=-1)
    transaction.signatures.append(_signature(b"x"))
    forms = canonical_forms(transaction)

    assert forms.base == canonical.base_form(transaction)
    assert forms.publish == canonical.publish_form(transaction)
    assert forms.full == canonical.full_form(transaction)


def test_an_admitted_transaction_is_named_by_its_hash_and_carries_the_keys_that_signed() -> None:
    transaction = _signed(signers=["user_1@active"])
    transaction.signatures.append(_signature(digest(canonical_forms(transaction).base)))
    del transaction.publisher_signatures[:]
    transaction.publisher_signatures.append(_signature(digest(canonical_forms(transaction).publish)))

    admitted = admit(transaction, CHAIN_ID)

    key = base58.encode(KEY.public_key().public_bytes_raw())
    assert admitted.tx_hash == digest(canonical_forms(transaction).full)
    assert admitted.kernel["hash"] == base58.encode(admitted.tx_hash)
    assert admitted.kernel["tx_keys"] == [key]
    assert admitted.kernel["publisher_keys"] == [key]
    assert admitted.kernel["size"] == len(canonical_forms(transaction).full)
    assert "base" not in admitted.kernel


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"chain_id": 1}, "invalid chain_id, should be 1024, yours:1"),
        ({"expiration_ns": 1}, "invalid time and expiration"),
        ({"time_ns": 0}, "invalid time and expiration"),
        ({"delay_ns": 5}, "invalid delay time"),
        ({"gas_ratio": 99}, "gas ratio illegal, should in [1, 100]"),
        ({"gas_ratio": 10_001}, "gas ratio illegal, should in [1, 100]"),
        ({"gas_limit": 599_999}, "gas limit illegal, should in [6000, 4000000]"),
        ({"gas_limit": 400_000_001}, "gas limit illegal, should in [6000, 4000000]"),
        ({"publisher": ""}, "publisher empty error"),
        ({"referred_tx": b"\1"}, "invalid referred_tx, should be empty"),
    ],
)
def test_a_malformed_transaction_is_refused_with_the_words_of_the_reference(
    changes: dict[str, object], text: str
) -> None:
    with pytest.raises(RefusedError) as refusal:
        admit(_signed(**changes), CHAIN_ID)

    assert str(refusal.value) == text


def _published_with(*keys: bytes) -> Transaction:
    signatures = [Signature(algorithm=SIGNATURE_ALGORITHM_ED25519, public_key=key) for key in keys]
    return _transaction(publisher_signatures=signatures)


@pytest.mark.parametrize("keys", [(b"\2", b"\1"), (b"\1", b"\1"), (b"\1", b"\3", b"\2"), (b"\1\0", b"\1")])
def test_signatures_of_the_publisher_in_another_order_are_refused(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(RefusedError, match="ascending order of their keys, each once"):
        admit(_published_with(*keys), CHAIN_ID, signatures_checked=True)


def test_signatures_of_the_publisher_in_the_order_of_their_keys_are_taken() -> None:
    admitted = admit(_published_with(b"\1", b"\1\0", b"\2"), CHAIN_ID, signatures_checked=True)

    assert admitted.kernel["publisher_keys"] == [base58.encode(key) for key in (b"\1", b"\1\0", b"\2")]


@pytest.mark.parametrize("number", [256 + 2, -256 + 2, -1, 2**31 - 1, -(2**31)])
def test_a_number_that_is_no_algorithm_shares_no_hash_with_one_that_is(number: int) -> None:
    names = Signature(algorithm=number)  # type: ignore[arg-type]
    forms = {
        canonical_forms(_transaction(publisher_signatures=[Signature(algorithm=known)])).full  # type: ignore[arg-type]
        for known in range(1, 256)
    }

    assert canonical_forms(_transaction(publisher_signatures=[names])).full not in forms


def test_a_base_transaction_with_signers_is_none() -> None:
    action = Action(contract="base.iost", action_name="exec", data="[{}]")

    assert is_base(Transaction(publisher="base.iost", actions=[action]))
    assert not is_base(Transaction(publisher="base.iost", actions=[action], signers=["alice@active"]))


def test_a_transaction_over_the_size_limit_is_refused() -> None:
    data = '["' + "x" * 65_536 + '"]'

    with pytest.raises(RefusedError, match="tx size illegal, should <= 65536, got 657"):
        admit(_signed(actions=[Action(contract="c", action_name="m", data=data)]), CHAIN_ID)


def test_a_changed_transaction_has_a_wrong_publisher_signature() -> None:
    transaction = _signed()
    transaction.actions[0].data = "[]"

    with pytest.raises(RefusedError, match="publisher error"):
        admit(transaction, CHAIN_ID)


def test_a_wrong_signer_signature_is_refused() -> None:
    transaction = _transaction(signers=["user_1@active"])
    transaction.signatures.append(_signature(b"something else"))
    transaction.publisher_signatures.append(_signature(digest(canonical_forms(transaction).publish)))

    with pytest.raises(RefusedError, match="signer error"):
        admit(transaction, CHAIN_ID)


def test_checked_signatures_are_not_checked_again() -> None:
    transaction = _signed()
    transaction.publisher_signatures[0].signature = bytes(64)

    admitted = admit(transaction, CHAIN_ID, signatures_checked=True)

    assert len(admitted.kernel["publisher_keys"]) == 1


def test_the_base_transaction_of_a_block_is_neither_signed_nor_limited() -> None:
    action = Action(contract="base.iost", action_name="exec", data="[{}]")
    transaction = Transaction(publisher="base.iost", actions=[action], chain_id=CHAIN_ID)

    admitted = admit(transaction, CHAIN_ID, block_base=True)

    assert admitted.kernel["base"] is True
    with pytest.raises(RefusedError):
        admit(transaction, CHAIN_ID)


def test_the_id_of_a_contract_names_its_publishing_transaction() -> None:
    assert transactions.contract_id(b"\0\1") == "Contract12"
