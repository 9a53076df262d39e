"""Scenario files: the format of the measured vectors, loaded and made regular.

A scenario has a `level` (vm, native, tx), operations that set it up, and steps with expectations. Everything that
names a file is resolved here, so the rest works on text.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = Any


@dataclass(frozen=True)
class ContractSource:
    """A contract as a scenario brings it."""

    code: str
    abi: dict[str, Json]
    id: str | None = None
    proto_id: str | None = None
    """Id inside the encoded contract, where it differs."""


@dataclass(frozen=True)
class Scenario:
    """One file."""

    path: Path
    level: str
    setup: list[dict[str, Json]]
    steps: list[dict[str, Json]]
    contracts: dict[str, ContractSource]
    natives: dict[str, str]
    initial: dict[str, Json] = field(default_factory=dict)
    """publisher, block_time, block_number, gas_limit, contract_name, state, snippet_template, compile."""


INITIAL = (
    "publisher",
    "block_time",
    "block_number",
    "gas_limit",
    "contract_name",
    "state",
    "snippet_template",
    "compile",
)


def load(path: Path, root: Path) -> Scenario:
    """Reads a scenario; relative `contract_file` and `abi_file` start at `root`."""
    raw = json.loads(path.read_text("utf-8"))
    contracts = {alias: _contract(entry, root) for alias, entry in (raw.get("contracts") or {}).items()}
    if "contract_file" in raw or "contract_code" in raw:
        contracts["main"] = _contract(raw, root)
    return Scenario(
        path=path,
        level=raw["level"],
        setup=raw.get("setup") or [],
        steps=raw.get("steps") or [],
        contracts=contracts,
        natives=raw.get("natives") or {},
        initial={name: raw[name] for name in INITIAL if name in raw},
    )


def _contract(entry: dict[str, Json], root: Path) -> ContractSource:
    code = entry.get("contract_code")
    if code is None:
        code = (root / entry["contract_file"]).read_text("utf-8")
    if lines := entry.get("contract_lines"):
        code = "\n".join(code.split("\n")[lines[0] - 1 : lines[1]])
    return ContractSource(code, _abi(entry, root), entry.get("id"), entry.get("proto_id"))


def _abi(entry: dict[str, Json], root: Path) -> dict[str, Json]:
    abi = entry.get("abi")
    if abi is None and "abi_file" in entry:
        abi = json.loads((root / entry["abi_file"]).read_text("utf-8"))
    if isinstance(abi, str):
        abi = json.loads(abi)
    return abi or {"lang": "javascript", "version": "1.0.0", "abi": []}
