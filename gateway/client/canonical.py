"""The canonical bytes of a transaction: what is signed and hashed.

The wire form (protobuf) says nothing about which bytes a signature covers; this form does. All numbers are big-endian;
texts, byte strings and lists start with their length or count as 32 bits. Three forms, each the start of the next:

- *base*: everything the publisher decides; further signers sign its SHA3-256;
- *publish*: base and the signers' signatures; the publisher signs its SHA3-256;
- *full*: publish form, referred transaction, publisher and its signatures; its SHA3-256 is the transaction's hash.

Items of lists (actions, limits, signatures) are byte strings of their own: length, then content.
"""

import hashlib
import struct
from collections.abc import Iterable

from gateway.client import base58
from iost.chain.v1.transaction_pb2 import Action, AmountLimit, Signature, Transaction

_NUMBERS = struct.Struct(">qqqqqi")
_LENGTH = struct.Struct(">i")


def _sized(raw: bytes) -> bytes:
    return _LENGTH.pack(len(raw)) + raw


def _text(text: str) -> bytes:
    return _sized(text.encode())


def _list(items: Iterable[bytes]) -> bytes:
    content = [_sized(item) for item in items]
    return _LENGTH.pack(len(content)) + b"".join(content)


def _action(action: Action) -> bytes:
    return _text(action.contract) + _text(action.action_name) + _text(action.data)


def _limit(limit: AmountLimit) -> bytes:
    return _text(limit.token) + _text(limit.value)


def _signature(signature: Signature) -> bytes:
    return bytes([signature.algorithm]) + _sized(signature.signature) + _sized(signature.public_key)


def base_form(transaction: Transaction) -> bytes:
    """Returns what further signers sign (its SHA3-256)."""
    numbers = _NUMBERS.pack(
        transaction.time_ns,
        transaction.expiration_ns,
        transaction.gas_ratio,
        transaction.gas_limit,
        transaction.delay_ns,
        transaction.chain_id,
    )
    return b"".join(
        (
            numbers,
            _sized(transaction.reserved),
            _list(signer.encode() for signer in transaction.signers),
            _list(map(_action, transaction.actions)),
            _list(map(_limit, transaction.amount_limits)),
        )
    )


def publish_form(transaction: Transaction) -> bytes:
    """Returns what the publisher signs (its SHA3-256)."""
    return base_form(transaction) + _list(map(_signature, transaction.signatures))


def full_form(transaction: Transaction) -> bytes:
    """Returns the whole transaction; its length is what the publisher pays for."""
    return b"".join(
        (
            publish_form(transaction),
            _sized(transaction.referred_tx),
            _text(transaction.publisher),
            _list(map(_signature, transaction.publisher_signatures)),
        )
    )


def digest(form: bytes) -> bytes:
    """Returns the SHA3-256 of a form, 32 bytes."""
    return hashlib.sha3_256(form).digest()


def transaction_hash(transaction: Transaction) -> bytes:
    """Returns the hash that names a signed transaction, 32 bytes. It covers everything, signatures included."""
    return digest(full_form(transaction))


def contract_id(transaction: Transaction) -> str:
    """Returns the id that a contract gets when this transaction publishes it."""
    return "Contract" + base58.encode(transaction_hash(transaction))
