"""Keys of both schemes that sign transactions, and a chain on which every account has keys of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from iost.chain.v1.transaction_pb2 import (
    SIGNATURE_ALGORITHM_ED25519,
    SIGNATURE_ALGORITHM_SECP256K1,
    Signature,
    Transaction,
)
from vm_service import base58, genesis
from vm_service.state_keys import StoredValue, field_key
from vm_service.transactions import canonical_forms, digest

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Of the group of secp256k1."""


class Key(Protocol):
    """Signs digests."""

    @property
    def public(self) -> bytes:
        """Its public half."""
        ...

    def sign(self, message: bytes) -> Signature:
        """Signs a digest."""
        ...


@dataclass(frozen=True)
class EdKey:
    """Ed25519."""

    seed: int

    @cached_property
    def _secret(self) -> ed25519.Ed25519PrivateKey:
        return ed25519.Ed25519PrivateKey.from_private_bytes(self.seed.to_bytes(32))

    @cached_property
    def public(self) -> bytes:
        """Its public half."""
        return self._secret.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> Signature:
        """Signs a digest."""
        return Signature(
            algorithm=SIGNATURE_ALGORITHM_ED25519, signature=self._secret.sign(message), public_key=self.public
        )


@dataclass(frozen=True)
class SecpKey:
    """ECDSA over secp256k1; its public half is the compressed point."""

    seed: int

    @cached_property
    def _secret(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.seed, ec.SECP256K1())

    @cached_property
    def public(self) -> bytes:
        """Its public half."""
        return self._secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    @cached_property
    def uncompressed(self) -> bytes:
        """Its public half in the other form."""
        return self._secret.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, message: bytes) -> Signature:
        """Signs a digest, with the smaller s."""
        r, s = utils.decode_dss_signature(self._secret.sign(message, ec.ECDSA(utils.Prehashed(hashes.SHA3_256()))))
        signature = r.to_bytes(32) + min(s, ORDER - s).to_bytes(32)
        return Signature(algorithm=SIGNATURE_ALGORITHM_SECP256K1, signature=signature, public_key=self.public)


def base_signature(transaction: Transaction, key: Key) -> Signature:
    """Signs what signers sign."""
    return key.sign(digest(canonical_forms(transaction).base))


def publish_signature(transaction: Transaction, key: Key) -> Signature:
    """Signs what the publisher signs."""
    return key.sign(digest(canonical_forms(transaction).publish))


def sign_again(transaction: Transaction, *keys: Key) -> Transaction:
    """Replaces the publisher's signatures, in place, in the order in which they have to stand; returns it."""
    del transaction.publisher_signatures[:]
    ordered = sorted(keys, key=lambda key: key.public)
    transaction.publisher_signatures.extend(publish_signature(transaction, key) for key in ordered)
    return transaction


def first_version(owners: Mapping[str, Sequence[Key]], balance: int = 1000) -> genesis.FirstVersion:
    """Builds a chain of accounts with iost, gas and RAM: all keys of an account together are its permissions."""
    admin = base58.encode(EdKey(1).public)
    accounts = [
        genesis.Account(name, admin, admin, gas=10**9, ram=10**8, balances={"iost": str(balance)})
        for name in ("admin", *owners)
    ]
    token = genesis.Token("iost", "admin", 21 * 10**9)
    built = genesis.build(
        genesis.Genesis(0, "genesis", genesis.NATIVE_VERSIONS, accounts, tokens=[token], contracts=[])
    )
    records = {
        field_key("auth.iost", "auth", name): StoredValue("s", _record(name, keys), "auth.iost").encode()
        for name, keys in owners.items()
    }
    return genesis.FirstVersion(built.commit_id, built.block, {**built.writes, **records}, built.actions)


def _record(name: str, keys: Sequence[Key]) -> str:
    items = [{"id": base58.encode_key(key.public), "permission": "", "is_key_pair": True, "weight": 1} for key in keys]
    permissions = {
        permission: {"name": permission, "groups": [], "items": items, "threshold": len(items)}
        for permission in ("active", "owner")
    }
    return json.dumps({"id": name, "referrer": "", "groups": {}, "permissions": permissions})
