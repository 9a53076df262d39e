"""Genesis files: what a chain starts with, in YAML (docs/genesis.md).

base:       iost                                           # a ready file that this one changes and adds to
chain:      {time: 2026-01-01T00:00:00Z, witness: genesis, ram_token: true}
natives:    {token.iost: "1.0.6", ...}                     # default: NATIVE_VERSIONS
accounts:   [{id, owner, active, gas, ram, balances: {token: amount}}]
tokens:     [{symbol, issuer, total_supply, decimal, full_name, can_transfer, only_issuer_can_transfer}]
contracts:  [{id, code: FILE, abi: FILE, calls: [{contract, method, args}]}]   # by initSetCode, in order;
                                                                            # files beside this one
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
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


_BASES: Final = Path(__file__).parent / "system_contracts"
"""Folder of the ready files that `base` names, without their suffix."""

_IDENTITIES: Final = {"accounts": "id", "tokens": "symbol", "contracts": "id"}
"""Lists of a genesis file, with the member by which an item of one file is found in another."""

_KEY_BYTES: Final = frozenset({32, 33, 65})
"""Lengths of a public key: ed25519, secp256k1 compressed and not."""


class _Loader(yaml.SafeLoader):
    """Reads numbers with a fraction only where no digit of them is lost."""

    def construct_exact_float(self, node: yaml.ScalarNode) -> float:
        """Returns a number.

        Raises:
            ValueError: a float cannot hold it.
        """
        value: float = self.construct_yaml_float(node)
        text = str(node.value).replace("_", "")
        if math.isfinite(value) and ":" not in text and Decimal(text) != Decimal(repr(value)):
            raise ValueError(f"{node.value} would lose digits; write it as text, '{node.value}'")
        return value


_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_exact_float)


def load(path: Path, keys: Mapping[str, str] | None = None) -> Genesis:
    """Reads a genesis file.

    Args:
        path: the file.
        keys: public keys by account, which replace those of the file.

    Raises:
        GenesisError: it, or a file that it names, cannot be read or says something else; an account has no key.
    """
    try:
        return _genesis(_read(path), keys or {})
    except (AttributeError, KeyError, TypeError, ValueError, OSError, yaml.YAMLError) as error:
        kind = "" if type(error) in {ValueError, FileNotFoundError} else f"{type(error).__name__}: "
        raise GenesisError(f"{path}: {kind}{error}") from error


def _read(path: Path) -> dict[str, Any]:
    """Reads a file, with its base merged in and the paths of its contracts made whole."""
    raw = yaml.load(path.read_text("utf-8"), _Loader) or {}
    if not isinstance(raw, dict):
        raise ValueError("a mapping is needed at the top")
    _known(raw, {"base", "chain", "natives", *_IDENTITIES})
    for item in raw.get("contracts") or []:
        item.update({name: path.parent / item[name] for name in ("code", "abi") if name in item})
    base = raw.pop("base", None)
    return raw if base is None else _merge(_read(_base_file(str(base))), raw)


def _base_file(name: str) -> Path:
    ready = {file.stem: file for file in sorted(_BASES.glob("*.yaml"))}
    if name not in ready:
        raise ValueError(f"unknown base {name}; known: {', '.join(ready)}")
    return ready[name]


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a base with the members of another file in place of its own; further items stand behind."""
    merged: dict[str, Any] = {
        name: {**(base.get(name) or {}), **(own.get(name) or {})} for name in ("chain", "natives")
    }
    for name, identity in _IDENTITIES.items():
        items = {item[identity]: item for item in base.get(name) or []}
        for item in own.get(name) or []:
            items[item[identity]] = {**items.get(item[identity], {}), **item}
        merged[name] = list(items.values())
    return merged


def _genesis(raw: Mapping[str, Any], keys: Mapping[str, str]) -> Genesis:
    chain = raw.get("chain") or {}
    _known(chain, {"time", "witness", "ram_token"})
    return Genesis(
        time_ns=_time_ns(chain.get("time")),
        witness=str(chain.get("witness", "genesis")),
        natives={**NATIVE_VERSIONS, **(raw.get("natives") or {})},
        accounts=_accounts(raw.get("accounts") or [], keys),
        tokens=[_token(item) for item in raw.get("tokens") or []],
        contracts=[_contract(item) for item in raw.get("contracts") or []],
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


def _accounts(items: Sequence[Mapping[str, Any]], keys: Mapping[str, str]) -> list[Account]:
    names = [str(item["id"]) for item in items]
    if unknown := sorted(set(keys) - set(names)):
        raise ValueError(f"a key is given for {', '.join(unknown)}, which the file does not have")
    keyed = [
        {**item, "active": keys[name], "owner": keys[name]} if name in keys else item
        for name, item in zip(names, items, strict=True)
    ]
    if missing := [name for name, item in zip(names, keyed, strict=True) if not item.get("active")]:
        raise ValueError(
            f"no public key of {', '.join(missing)}: give --key {missing[0]}=PUBLIC_KEY, or write active: PUBLIC_KEY "
            f"in the file; `v8vm key new FILE --account {missing[0]}` makes one"
        )
    return [_account(item) for item in keyed]


def _account(item: Mapping[str, Any]) -> Account:
    _known(item, {"id", "owner", "active", "gas", "ram", "balances"})
    name, active = str(item["id"]), str(item["active"])
    owner = str(item.get("owner", active))
    for key in (active, owner):
        if len(base58.decode(key)) not in _KEY_BYTES:
            raise ValueError(
                f"{key} of {name} is no public key: it has {len(base58.decode(key))} bytes, not 32, 33 or 65"
            )
    balances = {str(token): str(amount) for token, amount in (item.get("balances") or {}).items()}
    return Account(name, owner, active, int(item.get("gas", 0)), int(item.get("ram", 0)), balances)


def _token(item: Mapping[str, Any]) -> Token:
    _known(item, {"symbol", "issuer", "total_supply", *_TOKEN_CONFIG})
    config = {ours: item[name] for name, ours in _TOKEN_CONFIG.items() if name in item}
    return Token(str(item["symbol"]), str(item["issuer"]), int(item["total_supply"]), config)


def _contract(item: Mapping[str, Any]) -> SystemContract:
    _known(item, {"id", "code", "abi", "calls"})
    abi = json.loads(item["abi"].read_text("utf-8"))
    contract_id = str(item["id"])
    calls = [_call(call, contract_id) for call in item.get("calls") or []]
    return SystemContract(contract_id, item["code"].read_text("utf-8"), abi, calls)


def _call(item: Mapping[str, Any], contract: str) -> Call:
    _known(item, {"contract", "method", "args"})
    args = item.get("args") or []
    if not isinstance(args, list):
        raise TypeError(f"args of {item['method']}: a list is needed")
    json.dumps(args, allow_nan=False)  # YAML has values that JSON has not
    return Call(str(item.get("contract", contract)), str(item["method"]), args)
