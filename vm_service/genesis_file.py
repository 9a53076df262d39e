"""Genesis files: what a chain starts with, in YAML (docs/genesis.md).

chain:      {time: 2026-01-01T00:00:00Z, witness: genesis, ram_token: true}
natives:    {token.iost: "1.0.6", ...}                     # default: NATIVE_VERSIONS
accounts:   [{id, owner, active, gas, ram, balances: {token: amount}}]
tokens:     [{symbol, issuer, total_supply, decimal, full_name, can_transfer, only_issuer_can_transfer}]
contracts:  [{id, code: FILE, abi: FILE, calls: [{contract, method, args}]}]   # by initSetCode, in order;
                                                                            # files beside this one
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from vm_service import base58
from vm_service.errors import GenesisError
from vm_service.genesis import NATIVE_VERSIONS, Account, Call, Genesis, SystemContract, Token

_TOKEN_CONFIG: Final = {
    "decimal": "decimal",
    "full_name": "fullName",
    "can_transfer": "canTransfer",
    "only_issuer_can_transfer": "onlyIssuerCanTransfer",
}


def load(path: Path) -> Genesis:
    """Reads a genesis file.

    Raises:
        GenesisError: it, or a file that it names, cannot be read or says something else.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise GenesisError(f"{path}: {error}") from error
    if not isinstance(raw, dict):
        raise GenesisError(f"{path}: a mapping is needed at the top")
    try:
        return _genesis(raw, path.parent)
    except (KeyError, TypeError, ValueError, OSError) as error:
        kind = "" if type(error) in {ValueError, FileNotFoundError} else f"{type(error).__name__}: "
        raise GenesisError(f"{path}: {kind}{error}") from error


def _genesis(raw: Mapping[str, Any], folder: Path) -> Genesis:
    _known(raw, {"chain", "natives", "accounts", "tokens", "contracts"})
    chain = raw.get("chain") or {}
    _known(chain, {"time", "witness", "ram_token"})
    return Genesis(
        time_ns=_time_ns(chain.get("time")),
        witness=str(chain.get("witness", "genesis")),
        natives={**NATIVE_VERSIONS, **(raw.get("natives") or {})},
        accounts=[_account(item) for item in raw.get("accounts") or []],
        tokens=[_token(item) for item in raw.get("tokens") or []],
        contracts=[_contract(item, folder) for item in raw.get("contracts") or []],
        ram_token=_switch(chain.get("ram_token", True)),
    )


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false is needed, not {value!r}")
    return value


def _known(item: Mapping[str, Any], names: set[str]) -> None:
    if unknown := sorted(set(item) - names):
        raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(names))}")


def _time_ns(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9


def _account(item: Mapping[str, Any]) -> Account:
    _known(item, {"id", "owner", "active", "gas", "ram", "balances"})
    active = str(item["active"])
    for key in (active, str(item.get("owner", active))):
        base58.decode(key)
    balances = {str(token): str(amount) for token, amount in (item.get("balances") or {}).items()}
    owner = str(item.get("owner", active))
    return Account(str(item["id"]), owner, active, int(item.get("gas", 0)), int(item.get("ram", 0)), balances)


def _token(item: Mapping[str, Any]) -> Token:
    _known(item, {"symbol", "issuer", "total_supply", *_TOKEN_CONFIG})
    config = {ours: item[name] for name, ours in _TOKEN_CONFIG.items() if name in item}
    return Token(str(item["symbol"]), str(item["issuer"]), int(item["total_supply"]), config)


def _contract(item: Mapping[str, Any], folder: Path) -> SystemContract:
    _known(item, {"id", "code", "abi", "calls"})
    abi = json.loads((folder / item["abi"]).read_text("utf-8"))
    contract_id = str(item["id"])
    calls = [_call(call, contract_id) for call in item.get("calls") or []]
    return SystemContract(contract_id, (folder / item["code"]).read_text("utf-8"), abi, calls)


def _call(item: Mapping[str, Any], contract: str) -> Call:
    _known(item, {"contract", "method", "args"})
    args = item.get("args") or []
    if not isinstance(args, list):
        raise TypeError(f"args of {item['method']}: a list is needed")
    json.dumps(args, allow_nan=False)  # YAML has values that JSON has not
    return Call(str(item.get("contract", contract)), str(item["method"]), args)
