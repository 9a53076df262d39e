"""Transactions at the door: canonical bytes and hash, form, signatures; then the kernel form.

Canonical bytes, big-endian, every text, byte string and list with its length or count in front as int32:

    base    = time expiration gas_ratio gas_limit delay (int64 each) chain_id (int32)
              reserved signers actions amount_limits
    publish = base signatures
    full    = publish referred_tx publisher publisher_signatures

    action = contract name data    amount limit = token value    signature = algorithm (1 byte) signature public_key

Items of lists are byte strings of their own. Signers sign SHA3-256 of base, the publisher SHA3-256 of publish;
SHA3-256 of full is the transaction's hash, and the length of full is what the publisher pays for.

What depends on the state (gas, authority, amount limits, block time) is checked by the kernel before it executes.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from iost.chain.v1.transaction_pb2 import SIGNATURE_ALGORITHM_UNSPECIFIED, Signature, Transaction
from vm_service import base58
from vm_service.model import KernelTransaction
from vm_service.signatures import verify

MAX_SIZE_BYTES: Final = 65536
"""Longest full form of a transaction."""

MAX_LIFETIME_NS: Final = 90 * 10**9
"""A transaction is void this long after its creation, whatever its expiration says."""

GAS_RATIO_RANGE: Final = range(100, 10_000 + 1)
"""Allowed gas ratios, in hundredths."""

GAS_LIMIT_RANGE: Final = range(600_000, 400_000_000 + 1)
"""Allowed gas limits, in hundredths."""

_BYTE = range(256)
_NUMBERS = struct.Struct(">qqqqqi")
_LENGTH = struct.Struct(">i")


class RefusedError(Exception):
    """A transaction that must not be executed; its text is the answer to the caller."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A transaction that is well-formed and rightly signed."""

    tx_hash: bytes
    """SHA3-256 of its full form."""
    kernel: KernelTransaction
    """What the kernel takes (kernel/90_entry.js)."""


# -- canonical bytes ---------------------------------------------------------------------------------------------------


def _sized(raw: bytes) -> bytes:
    return _LENGTH.pack(len(raw)) + raw


def _texts(*texts: str) -> bytes:
    return b"".join([_sized(text.encode()) for text in texts])


def _list(items: Iterable[bytes]) -> bytes:
    content = [_sized(item) for item in items]
    return _LENGTH.pack(len(content)) + b"".join(content)


def _signatures(signatures: Iterable[Signature]) -> bytes:
    return _list([_algorithm(s) + _sized(s.signature) + _sized(s.public_key) for s in signatures])


def _algorithm(signature: Signature) -> bytes:
    """Protobuf takes any int32, the form one byte: what does not fit is none, and shares no hash with one that does."""
    number = signature.algorithm
    return bytes([number if number in _BYTE else SIGNATURE_ALGORITHM_UNSPECIFIED])


@dataclass(frozen=True, slots=True)
class Forms:
    """The canonical bytes of one transaction."""

    base: bytes
    """What the signers sign."""
    publish: bytes
    """What the publisher signs."""
    full: bytes
    """What is hashed and paid for."""


def canonical_forms(transaction: Transaction) -> Forms:
    """Returns the canonical bytes of a transaction."""
    t = transaction
    numbers = _NUMBERS.pack(t.time_ns, t.expiration_ns, t.gas_ratio, t.gas_limit, t.delay_ns, t.chain_id)
    base = b"".join(
        (
            numbers,
            _sized(t.reserved),
            _list([signer.encode() for signer in t.signers]),
            _list([_texts(a.contract, a.action_name, a.data) for a in t.actions]),
            _list([_texts(limit.token, limit.value) for limit in t.amount_limits]),
        )
    )
    publish = base + _signatures(t.signatures)
    full = b"".join((publish, _sized(t.referred_tx), _texts(t.publisher), _signatures(t.publisher_signatures)))
    return Forms(base, publish, full)


def digest(form: bytes) -> bytes:
    """Returns the SHA3-256 of a form, 32 bytes."""
    return hashlib.sha3_256(form).digest()


def contract_id(tx_hash: bytes) -> str:
    """Returns the id that a contract gets when the transaction of that hash publishes it."""
    return "Contract" + base58.encode(tx_hash)


BASE_CONTRACT: Final = "base.iost"
"""Publisher of a block's base transaction, and the contract whose `exec` it calls."""


def is_base(transaction: Transaction) -> bool:
    """Tells whether a transaction has the form of a block's base transaction."""
    calls = [(action.contract, action.action_name) for action in transaction.actions]
    alone = transaction.publisher == BASE_CONTRACT and not transaction.signers  # nobody checks what signers grant it
    return alone and calls == [(BASE_CONTRACT, "exec")]


# -- admission ---------------------------------------------------------------------------------------------------------


def admit(
    transaction: Transaction, chain_id: int, *, signatures_checked: bool = False, block_base: bool = False
) -> Admitted:
    """Checks form and signatures of a transaction and turns it into kernel form.

    Args:
        transaction: as received.
        chain_id: the chain of this node.
        signatures_checked: trust the signatures; their keys still count for authority.
        block_base: it is the base transaction at the head of a block: nobody signs it or pays for it.

    Raises:
        RefusedError: it must not be executed.
    """
    forms = canonical_forms(transaction)
    tx_hash = digest(forms.full)
    kernel = kernel_form(transaction, tx_hash, len(forms.full))
    if block_base:
        return Admitted(tx_hash, {**kernel, "base": True})
    check_form(transaction, len(forms.full), chain_id)
    if not signatures_checked:
        check_signatures(transaction, forms)
    return Admitted(tx_hash, kernel)


def check_form(transaction: Transaction, size_bytes: int, chain_id: int) -> None:
    """Checks what needs neither state nor keys.

    The publisher signs neither `referred_tx` nor the list of his own signatures, and the hash covers both: they have
    one form only. Otherwise anybody could make a second transaction of a first one. (The kernel refuses signatures that
    are not needed.)

    Raises:
        RefusedError: with the text of the reference, which knows neither of these two rules.
    """
    t = transaction
    checks: Sequence[tuple[bool, str]] = (
        (t.chain_id == chain_id, f"invalid chain_id, should be {chain_id}, yours:{t.chain_id}"),
        (0 < t.time_ns < t.expiration_ns, "invalid time and expiration"),
        (t.delay_ns == 0, "invalid delay time"),
        (size_bytes <= MAX_SIZE_BYTES, f"tx size illegal, should <= {MAX_SIZE_BYTES}, got {size_bytes}"),
        (t.gas_ratio in GAS_RATIO_RANGE, "gas ratio illegal, should in [1, 100]"),
        (t.gas_limit in GAS_LIMIT_RANGE, "gas limit illegal, should in [6000, 4000000]"),
        (bool(t.publisher), "publisher empty error"),
        (not t.referred_tx, "invalid referred_tx, should be empty"),
        (_in_order(t.publisher_signatures), "publisher signatures must be in ascending order of their keys, each once"),
    )
    for fine, text in checks:
        if not fine:
            raise RefusedError(text)


def _in_order(signatures: Sequence[Signature]) -> bool:
    """Nobody signs their order, so that one alone may be right: another one would be another hash, executed again."""
    keys = [signature.public_key for signature in signatures]
    return all(key < following for key, following in pairwise(keys))


def check_signatures(transaction: Transaction, forms: Forms) -> None:
    """Checks every signature of a transaction.

    Raises:
        RefusedError: one is wrong.
    """
    if not _all_right(transaction.signatures, forms.base):
        raise RefusedError("signer error")
    if not _all_right(transaction.publisher_signatures, forms.publish):
        raise RefusedError("publisher error")


def _all_right(signatures: Sequence[Signature], form: bytes) -> bool:
    message = digest(form) if signatures else b""
    return all(verify(s.algorithm, message, s.signature, s.public_key) for s in signatures)


def kernel_form(transaction: Transaction, tx_hash: bytes, size_bytes: int) -> KernelTransaction:
    """Returns what the kernel takes. REQUIRES: the signatures are right, since their keys count from here on."""
    t = transaction
    return {
        "hash": base58.encode(tx_hash),
        "size": size_bytes,
        "publisher": t.publisher,
        "signers": list(t.signers),
        "actions": [{"contract": a.contract, "action": a.action_name, "data": a.data} for a in t.actions],
        "amount_limit": [{"token": limit.token, "val": limit.value} for limit in t.amount_limits],
        "gas_limit": t.gas_limit,
        "gas_ratio": t.gas_ratio,
        "time": str(t.time_ns),
        "expiration": str(t.expiration_ns),
        "chain_id": t.chain_id,
        "tx_keys": [base58.encode_key(s.public_key) for s in t.signatures],
        "publisher_keys": [base58.encode_key(s.public_key) for s in t.publisher_signatures],
    }
