"""Options and arguments that several commands share, and how their texts are read."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failures import InputError
from gateway.client import base58, json_texts
from gateway.client.calls import DEFAULT_TARGET
from gateway.client.transactions import CHAIN_ID, GAS_LIMIT

GAS_UNIT = 100
"""Gas on the wire is in hundredths; people write and read whole gas."""

HASH_BYTES = 32
MAX_ID_BYTES = 64
"""Longest block id that the node takes."""

MAX_INT64 = 2**63 - 1
"""The largest number of a field of the interface."""

Gateway = Annotated[
    str,
    typer.Option(
        "--gateway", "-g", envvar="V8VM_GATEWAY", help="Address of the gateway, host:port.", show_default=True
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Key = Annotated[
    Path,
    typer.Option("--key", "-k", envvar="V8VM_KEY", help="Key file of the account that sends (see `v8vm key new`)."),
]
ChainId = Annotated[int, typer.Option("--chain-id", help="Chain the transaction is for.", min=0, max=2**31 - 1)]
GasLimit = Annotated[int, typer.Option("--gas-limit", help="Most gas to spend.", min=6000, max=4_000_000)]
Wide = Annotated[bool, typer.Option("--wide", help="Show ids and values whole, however wide the lines become.")]
AbiFile = Annotated[
    Path | None,
    typer.Option("--abi", help="ABI file; left out: NAME.js.abi or NAME.abi beside NAME.js, else derived."),
]
Block = Annotated[
    str, typer.Option("--block", metavar="HEX", help="Id of a live block, on whatever branch; wins over --version.")
]
Version = Annotated[
    int, typer.Option("--version", help="Version of the state to read; 0: the newest.", min=0, max=MAX_INT64)
]

GATEWAY = DEFAULT_TARGET
GAS = GAS_LIMIT // GAS_UNIT
CHAIN = CHAIN_ID


def arguments(text: str) -> str:
    """Checks the arguments of a call, the text of a JSON array; returns the text as typed.

    The text is signed, hashed and paid for as it is, white space included.

    Raises:
        InputError: it is no JSON array, or holds a number that no contract can read.
    """
    try:
        return json_texts.check_array(text)
    except ValueError as error:
        raise InputError(f"arguments {json_texts.shown(text)} cannot be sent: {error}") from None


def read_text(path: Path) -> str:
    """Reads a file.

    Raises:
        InputError: it cannot be read as UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None


def read_json_text(path: Path) -> str:
    """Reads a file that holds JSON.

    Raises:
        InputError: it cannot be read as UTF-8 text, is empty, or begins with a byte order mark.
    """
    text = read_text(path)
    if text.startswith("\ufeff"):
        raise InputError(f"{path} begins with a byte order mark; save it as UTF-8 without one")
    if not text.strip():
        raise InputError(f"{path} is empty")
    return text


def block_id(text: str) -> bytes:
    """Reads a block id, hexadecimal digits; an empty text is none.

    Raises:
        InputError: it is no block id.
    """
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = bytes(MAX_ID_BYTES + 1)
    if len(raw) > MAX_ID_BYTES:
        raise InputError(f"{text!r} is not a block id: hexadecimal digits are needed")
    return raw


def tx_hash(text: str) -> bytes:
    """Reads a transaction hash: base58, or 64 hexadecimal digits.

    Raises:
        InputError: it is neither.
    """
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * HASH_BYTES else base58.decode(text)
    except ValueError:
        raw = b""
    if len(raw) != HASH_BYTES:
        raise InputError(f"{text!r} is not a transaction hash")
    return raw
