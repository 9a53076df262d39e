"""Keys, their files, and signatures that a verifier accepts."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from gateway.client import base58, key_files
from gateway.client.key_files import Account, KeyFileError
from gateway.client.keys import ALGORITHMS, KeyPair

DIGEST = bytes(range(32))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_ed25519_matches_rfc_8032() -> None:
    key = KeyPair("ed25519", bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public_key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    signature = key.sign(DIGEST)
    ed25519.Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature.signature, DIGEST)
    assert signature.public_key == key.public_key


def test_secp256k1_signatures_are_64_bytes_with_low_s() -> None:
    for _ in range(20):
        key = KeyPair.generate("secp256k1")
        raw = key.sign(DIGEST).signature
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        assert len(raw) == 64
        assert s <= ORDER // 2
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), key.public_key)
        public.verify(utils.encode_dss_signature(r, s), DIGEST, ec.ECDSA(utils.Prehashed(hashes.SHA3_256())))


def test_a_private_key_is_never_shown() -> None:
    key = KeyPair.generate()
    assert key.secret.hex() not in repr(key)
    assert "secret" not in repr(Account("alice", key))


@pytest.mark.parametrize(
    ("algorithm", "secret"), [("rsa", bytes(32)), ("ed25519", bytes(31)), ("secp256k1", bytes(32))]
)
def test_unusable_keys_are_refused(algorithm: str, secret: bytes) -> None:
    with pytest.raises(ValueError, match=r"algorithm|private"):
        KeyPair(algorithm, secret)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_file_is_private_and_reads_back(tmp_path: Path, algorithm: str) -> None:
    account = Account("alice", KeyPair.generate(algorithm))
    path = tmp_path / "keys" / "alice.json"
    key_files.save(path, account)
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_files.load(path) == account


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "alice.json"
    first = Account("alice", KeyPair.generate())
    key_files.save(path, first)
    with pytest.raises(KeyFileError, match="never overwritten"):
        key_files.save(path, Account("alice", KeyPair.generate()))
    assert key_files.load(path) == first


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alice.json"
    key_files.save(path, Account("alice", KeyPair.generate()))
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        key_files.load(path)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "3", json.dumps({"account": "a", "algorithm": "x", "private_key": "0"})]
)
def test_other_files_are_no_key_files(tmp_path: Path, content: str) -> None:
    path = tmp_path / "alice.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="is not a key file"):
        key_files.load(path)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        key_files.load(tmp_path / "nobody.json")


@pytest.mark.parametrize(
    ("raw", "text"), [(b"", ""), (b"\0\0", "11"), (b"hello world", "StV1DL6CwTryKyV"), (b"\0a", "12g")]
)
def test_base58(raw: bytes, text: str) -> None:
    assert base58.encode(raw) == text
    assert base58.decode(text) == raw


def test_base58_refuses_other_characters() -> None:
    with pytest.raises(ValueError, match="base58"):
        base58.decode("0OIl")
