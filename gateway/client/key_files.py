"""Key files: one account's name and private key as JSON, readable by their owner only."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from gateway.client import base58, json_texts
from gateway.client.keys import KeyPair

MODE = 0o600
"""Read and write for the owner, nothing for others: the file holds a private key in plain text."""


class KeyFileError(Exception):
    """A key file cannot be used; the message is one line."""


class KeyFileExistsError(KeyFileError):
    """The key file exists already; a key is never overwritten."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs: an account of the chain and a key that satisfies its `active` permission."""

    name: str
    key: KeyPair


def save(path: Path, account: Account) -> None:
    """Writes a new key file with mode 0600.

    Raises:
        KeyFileExistsError: the file exists.
        KeyFileError: it cannot be written.
    """
    content = {
        "account": account.name,
        "algorithm": account.key.algorithm,
        "public_key": account.key.public_text,
        "private_key": base58.encode(account.key.secret),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The mode is given at creation: there is no moment at which others could open the file.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
    except FileExistsError:
        raise KeyFileExistsError(f"{path} exists; a key file is never overwritten") from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error


def load(path: Path) -> Account:
    """Reads a key file.

    Raises:
        KeyFileError: it cannot be read, others may read it, or it is not a key file.
    """
    try:
        mode = path.stat().st_mode
        content = json_texts.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError:
        raise KeyFileError(f"{path} is not a key file") from None
    if mode & 0o077:
        raise KeyFileError(f"{path} can be read by others (mode {mode & 0o777:o}); run chmod 600 on it")
    try:
        key = KeyPair(content["algorithm"], base58.decode(content["private_key"]))
        return Account(content["account"], key)
    except (KeyError, TypeError, ValueError):
        raise KeyFileError(f"{path} is not a key file") from None
