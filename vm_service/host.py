"""The host table: what the kernel may ask of Python while it runs, beside reading state.

Only what JavaScript cannot do well itself: hashes and signature checks. Gas is charged by the class library before it
asks. Payloads and answers are plain JSON; nothing here raises for malformed input, since contracts choose it.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from vm_service import base58
from vm_service.signatures import ED25519, SECP256K1, verify

_ALGORITHMS: Final = {"secp256k1": SECP256K1, "ed25519": ED25519}


def _bytes_of_hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if text.isalnum() or not text else None
    except ValueError:
        return None


def sha3(text: str) -> str:
    """Returns the base58 of the SHA3-256 of a text's UTF-8 bytes."""
    return base58.encode(hashlib.sha3_256(text.encode()).digest())


def sha3_hex(text: str) -> str:
    """Returns the hex of the SHA3-256 of hex bytes; empty for bad hex."""
    data = _bytes_of_hex(text)
    return "" if data is None else hashlib.sha3_256(data).hexdigest()


def ripemd160_hex(text: str) -> str:
    """Returns the hex of the RIPEMD-160 of hex bytes; empty for bad hex."""
    data = _bytes_of_hex(text)
    return "" if data is None else hashlib.new("ripemd160", data).hexdigest()


def check_signature(algorithm: str, message: str, signature: str, public_key: str) -> int:
    """Returns 1 for a right signature, else 0; the last three are base58."""
    try:
        parts = [base58.decode(text) for text in (message, signature, public_key)]
    except ValueError:
        return 0
    return int(verify(_ALGORITHMS.get(algorithm, 0), *parts))


TABLE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "crypto.sha3": lambda payload: sha3(payload["text"]),
    "crypto.sha3Hex": lambda payload: sha3_hex(payload["hex"]),
    "crypto.ripemd160Hex": lambda payload: ripemd160_hex(payload["hex"]),
    "crypto.verify": lambda payload: check_signature(*payload["args"]),
}
"""Host functions by the name that the kernel asks for."""
