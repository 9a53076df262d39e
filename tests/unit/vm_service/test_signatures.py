"""Signature checks of both schemes."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vm_service.signatures import ED25519, SECP256K1, verify

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
DIGEST = bytes(range(32))
SECRET = ec.derive_private_key(12345, ec.SECP256K1())


def _halves() -> tuple[int, int]:
    encoded = SECRET.sign(DIGEST, ec.ECDSA(utils.Prehashed(hashes.SHA3_256())))
    r, s = utils.decode_dss_signature(encoded)
    return r, min(s, ORDER - s)


def _join(r: int, s: int) -> bytes:
    return r.to_bytes(32) + s.to_bytes(32)


@pytest.mark.parametrize("form", [PublicFormat.CompressedPoint, PublicFormat.UncompressedPoint])
def test_a_right_secp256k1_signature_is_right_for_both_forms_of_the_key(form: PublicFormat) -> None:
    key = SECRET.public_key().public_bytes(Encoding.X962, form)

    assert verify(SECP256K1, DIGEST, _join(*_halves()), key)


def test_the_larger_s_is_refused() -> None:
    r, s = _halves()
    key = SECRET.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    assert not verify(SECP256K1, DIGEST, _join(r, ORDER - s), key)


def test_a_right_ed25519_signature_is_right_for_its_message_only() -> None:
    secret = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = secret.public_key().public_bytes_raw()

    assert verify(ED25519, b"message", secret.sign(b"message"), key)
    assert not verify(ED25519, b"other", secret.sign(b"message"), key)
    assert not verify(SECP256K1, b"message", secret.sign(b"message"), key)


@pytest.mark.parametrize(
    ("algorithm", "message", "signature", "key"),
    [
        (SECP256K1, DIGEST, b"", bytes(33)),
        (SECP256K1, DIGEST, bytes(64), bytes(33)),
        (SECP256K1, DIGEST, _join(1, 1), bytes(33)),
        (SECP256K1, DIGEST[:31], _join(1, 1), b"\2" + bytes(31) + b"\1"),
        (SECP256K1, DIGEST, _join(ORDER, 1), b"\2" + bytes(31) + b"\1"),
        (ED25519, DIGEST, bytes(64), bytes(31)),
        (ED25519, DIGEST, bytes(63), bytes(32)),
        (0, DIGEST, bytes(64), bytes(32)),
        (3, DIGEST, bytes(64), bytes(32)),
    ],
)
def test_malformed_input_is_a_wrong_signature(algorithm: int, message: bytes, signature: bytes, key: bytes) -> None:
    assert not verify(algorithm, message, signature, key)
