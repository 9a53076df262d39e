"""Signatures of a scenario's accounts: real ones where it brings the secret key; repeatable, since they are hashed.

Nonces are made by RFC 6979 with SHA-256, as libsecp256k1 does for the reference, so transactions have its hashes.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from iost.chain.v1.transaction_pb2 import SIGNATURE_ALGORITHM_SECP256K1, Signature
from vm_service import base58

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
KEY_BYTES = 33
SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class Signer:
    """Signs for an account."""

    public_key: bytes
    secret: int | None

    @classmethod
    def from_secret(cls, seckey_b58: str) -> "Signer":
        secret = int.from_bytes(base58.decode(seckey_b58)[:32])
        key = ec.derive_private_key(secret, ec.SECP256K1()).public_key()
        return cls(key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint), secret)

    @classmethod
    def pretended(cls, public_b58: str) -> "Signer":
        """An account whose secret is not known: its signature has the right size and is taken as checked."""
        try:
            key = base58.decode(public_b58)
        except ValueError:
            key = b""
        return cls(key if len(key) == KEY_BYTES else bytes(KEY_BYTES), None)

    @property
    def real(self) -> bool:
        return self.secret is not None

    def sign(self, digest: bytes) -> Signature:
        return Signature(
            algorithm=SIGNATURE_ALGORITHM_SECP256K1, signature=self._signature(digest), public_key=self.public_key
        )

    def _signature(self, digest: bytes) -> bytes:
        if self.secret is None:
            return bytes(SIGNATURE_BYTES)
        algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()), deterministic_signing=True)
        encoded = ec.derive_private_key(self.secret, ec.SECP256K1()).sign(digest, algorithm)
        r, s = utils.decode_dss_signature(encoded)
        return r.to_bytes(32) + min(s, ORDER - s).to_bytes(32)
