"""Accounts with keys, and the first version of the demonstration's chain."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway.client import Account, Client, KeyPair, key_files
from gateway.demo.plan import ADMIN, PLAYERS
from gateway.demo.processes import ServiceFailedError

KEY_FOLDER = "keys"
GENESIS_FILE = "genesis.yaml"

BASE = "iost"
"""The ready genesis file with the system contracts of an IOST-style chain, which the command knows by this name."""

START_TIME = "2024-01-01T00:00:00Z"
"""Time of block 0: any moment in the past; part of the chain's identity."""

IOST_BALANCE = "1000000"
GAS_STOCK = 1_000_000_000
"""Gas of each account: a thousand transactions of the default limit, since the stock must cover the limit of each."""

RAM_BYTES = 10_000_000

TIMEOUT_S = 120
"""Seconds for building the first version: it starts an engine, which takes about one."""


def prepare(client: Client, state_address: str, data_dir: Path) -> Mapping[str, Account]:
    """Makes keys where there are none, and the first version where the store is empty.

    Args:
        client: of the gateway.
        state_address: where the first version is committed.
        data_dir: folder for keys and the genesis file.

    Returns:
        Accounts by name.

    Raises:
        ServiceFailedError: the first version cannot be built.
        KeyFileError: a key file cannot be used.
    """
    accounts = {name: _account(data_dir / KEY_FOLDER / f"{name}.json", name) for name in (ADMIN, *PLAYERS)}
    if client.head().version == 0:
        file = data_dir / GENESIS_FILE
        file.write_text(document(accounts), encoding="utf-8")
        apply(file, state_address)
    return accounts


def _account(path: Path, name: str) -> Account:
    if not path.exists():
        key_files.save(path, Account(name, KeyPair.generate()))
    return key_files.load(path)


def document(accounts: Mapping[str, Account]) -> str:
    """Writes the genesis file: an IOST-style chain with iost, gas and RAM for each account. JSON, which is YAML too."""
    entries = [
        {
            "id": name,
            "active": account.key.public_text,
            "gas": GAS_STOCK,
            "ram": RAM_BYTES,
            "balances": {"iost": IOST_BALANCE},
        }
        for name, account in accounts.items()
    ]
    return json.dumps({"base": BASE, "chain": {"time": START_TIME}, "accounts": entries}, indent=2) + "\n"


def apply(file: Path, state_address: str) -> None:
    """Commits the first version that a file describes, by the command `v8vm genesis`.

    Raises:
        ServiceFailedError: the command failed.
    """
    command = [sys.executable, "-m", "gateway.cli.main", "genesis", str(file), f"--state-address={state_address}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise ServiceFailedError("the first version of the chain cannot be built", done.stderr.strip())
