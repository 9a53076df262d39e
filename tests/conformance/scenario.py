"""Scenario files: the format of the measured vectors, loaded and made regular.

A scenario has a `level` (vm, native, tx), operations that set it up, and steps with expectations. Everything that
names a file is resolved here, so the rest works on text. A contract is read when a step asks for it: a missing file
fails that step, not the scenario.
"""

import json
from collections.abc import Iterator, Mapping
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
    contracts: Mapping[str, ContractSource]
    natives: dict[str, str]
    initial: dict[str, Json] = field(default_factory=dict)
    """publisher, block_time, block_number, gas_limit, contract_name, state, snippet_template, compile."""
    unknown: list[str] = field(default_factory=list)
    """Top-level fields that mean nothing to the runner."""


class Contracts(Mapping[str, ContractSource]):
    """The contracts of a scenario by alias, each read when it is first asked for."""

    def __init__(self, entries: dict[str, dict[str, Json]], root: Path) -> None:
        self._entries = entries
        self._root = root
        self._sources: dict[str, ContractSource] = {}

    def __getitem__(self, alias: str) -> ContractSource:
        if alias not in self._sources:
            self._sources[alias] = _contract(self._entries[alias], self._root)
        return self._sources[alias]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


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
MAIN = ("contract_file", "contract_code", "contract_lines", "abi_file", "abi")
"""Fields that describe contract `main`, at the top level."""

OTHERS = ("schema", "name", "source", "level", "contracts", "natives", "setup", "steps")
REMARKS = ("validate", "snippets", "relations", "relations_source", "note")
KNOWN = frozenset((*INITIAL, *MAIN, *OTHERS, *REMARKS))


def load(path: Path, root: Path) -> Scenario:
    """Reads a scenario; relative `contract_file` and `abi_file` start at `root`."""
    raw = json.loads(path.read_text("utf-8"))
    entries = dict(raw.get("contracts") or {})
    if "contract_file" in raw or "contract_code" in raw:
        entries["main"] = {name: raw[name] for name in MAIN if name in raw}
    return Scenario(
        path=path,
        level=raw["level"],
        setup=raw.get("setup") or [],
        steps=raw.get("steps") or [],
        contracts=Contracts(entries, root),
        natives=raw.get("natives") or {},
        initial={name: raw[name] for name in INITIAL if name in raw},
        unknown=[name for name in raw if name not in KNOWN],
    )


def _contract(entry: dict[str, Json], root: Path) -> ContractSource:
    code = entry.get("contract_code")
    if code is None:
        code = (root / entry["contract_file"]).read_bytes().decode("utf-8")  # as it is: each byte is paid for
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
