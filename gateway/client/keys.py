"""Key pairs that sign transactions: Ed25519 (the default) and ECDSA over secp256k1."""

import secrets
from dataclasses import dataclass, field
from typing import Protocol, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from gateway.client import base58
from iost.chain.v1 import transaction_pb2

_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Number of points of secp256k1. A signature counts only with the smaller of its two values s and _ORDER - s."""

SECRET_BYTES = 32
"""Length of a private key, both schemes."""


class _Scheme(Protocol):
    algorithm: "transaction_pb2.SignatureAlgorithm.ValueType"

    def public_key(self) -> bytes: ...

    def sign(self, digest: bytes) -> bytes: ...


class _Ed25519:
    algorithm = transaction_pb2.SIGNATURE_ALGORITHM_ED25519

    def __init__(self, secret: bytes) -> None:
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)

    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, digest: bytes) -> bytes:
        return self._key.sign(digest)


class _Secp256k1:
    algorithm = transaction_pb2.SIGNATURE_ALGORITHM_SECP256K1

    def __init__(self, secret: bytes) -> None:
        self._key = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256K1())

    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )

    def sign(self, digest: bytes) -> bytes:
        encoded = self._key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA3_256())))
        r, s = utils.decode_dss_signature(encoded)
        s = min(s, _ORDER - s)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


_SCHEMES: dict[str, type[_Ed25519] | type[_Secp256k1]] = {"ed25519": _Ed25519, "secp256k1": _Secp256k1}
ALGORITHMS = tuple(_SCHEMES)
"""Names of the schemes, the default first."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and what follows from it.

    Attributes:
        algorithm: one of `ALGORITHMS`.
        secret: the private key, 32 bytes; never shown by `repr`.
    """

    algorithm: str
    secret: bytes = field(repr=False)
    _scheme: _Scheme = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown algorithm or a private key that the scheme does not accept."""
        if self.algorithm not in _SCHEMES:
            raise ValueError(f"unknown signature algorithm {self.algorithm!r}; known: {', '.join(ALGORITHMS)}")
        if len(self.secret) != SECRET_BYTES:
            raise ValueError(f"a private key has {SECRET_BYTES} bytes, not {len(self.secret)}")
        object.__setattr__(self, "_scheme", _SCHEMES[self.algorithm](self.secret))

    @classmethod
    def generate(cls, algorithm: str = ALGORITHMS[0]) -> Self:
        """Makes a key pair from the operating system's randomness."""
        if algorithm == "secp256k1":
            return cls(algorithm, (1 + secrets.randbelow(_ORDER - 1)).to_bytes(SECRET_BYTES, "big"))
        return cls(algorithm, secrets.token_bytes(SECRET_BYTES))

    @property
    def public_key(self) -> bytes:
        """The public key: 32 bytes (ed25519) or 33 (secp256k1, compressed)."""
        return self._scheme.public_key()

    @property
    def public_text(self) -> str:
        """The public key as account records hold it: base58."""
        return base58.encode(self.public_key)

    def sign(self, digest: bytes) -> transaction_pb2.Signature:
        """Signs a digest of 32 bytes."""
        return transaction_pb2.Signature(
            algorithm=self._scheme.algorithm, signature=self._scheme.sign(digest), public_key=self.public_key
        )
