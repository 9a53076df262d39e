"""Signature checks: Ed25519, and ECDSA over secp256k1 as IOST uses it (r and s of 32 bytes, the smaller s)."""

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

SECP256K1: Final = 1
"""Algorithm number in canonical transaction bytes."""

ED25519: Final = 2
"""Algorithm number in canonical transaction bytes."""

SIGNATURE_BYTES: Final = 64
"""Both schemes."""

ED25519_KEY_BYTES: Final = 32
SECP256K1_KEY_BYTES: Final = (33, 65)
"""A compressed or an uncompressed point."""

DIGEST_BYTES: Final = 32
"""ECDSA signs a digest of this length; the reference takes the message itself for it."""

KEY_CACHE_COUNT: Final = 4096
"""Parsed public keys kept: parsing a point costs as much as half a check."""

_HALF_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141 // 2
"""Signatures with an s above half the order of the group are refused, so that each has one form only."""

_PREHASHED: Final = ec.ECDSA(utils.Prehashed(hashes.SHA3_256()))


@lru_cache(KEY_CACHE_COUNT)
def _secp256k1_key(key: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), key)


@lru_cache(KEY_CACHE_COUNT)
def _ed25519_key(key: bytes) -> ed25519.Ed25519PublicKey:
    return ed25519.Ed25519PublicKey.from_public_bytes(key)


def verify(algorithm: int, message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Tells whether a signature is right. Never raises for malformed input: that is a wrong signature.

    Args:
        algorithm: `SECP256K1` or `ED25519`; any other is never right.
        message: what was signed; for secp256k1 the digest itself, 32 bytes.
        signature: 64 bytes.
        public_key: 33 or 65 bytes (secp256k1), 32 bytes (ed25519).
    """
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        if algorithm == ED25519 and len(public_key) == ED25519_KEY_BYTES:
            _ed25519_key(public_key).verify(signature, message)
            return True
        if algorithm == SECP256K1 and len(public_key) in SECP256K1_KEY_BYTES and len(message) == DIGEST_BYTES:
            return _verify_secp256k1(message, signature, public_key)
    except (InvalidSignature, ValueError):
        return False
    return False


def _verify_secp256k1(digest: bytes, signature: bytes, public_key: bytes) -> bool:
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if r == 0 or not 0 < s <= _HALF_ORDER:
        return False
    _secp256k1_key(public_key).verify(utils.encode_dss_signature(r, s), digest, _PREHASHED)
    return True
