"""Expectations of a step against what happened. Each check yields (field, expected, got) for what differs."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from tests.conformance.go_json import compact
from tests.conformance.world import Outcome, World
from vm_service.state_keys import field_key, plain_key

Difference = tuple[str, object, object]
NOTHING = Outcome("NONE")


def differences(world: World, expect: Mapping[str, Any], outcome: Outcome | None) -> Iterator[Difference]:
    """Compares every expectation of a step."""
    for name, expected in expect.items():
        if name == "note" or (name == "error_contains" and "error_contains_any" in expect):
            continue
        if name not in CHECKS:
            yield name, "an expectation of the format", expected
            continue
        yield from CHECKS[name](world, world.fill_all(expected), outcome or NOTHING)


def _equal(name: str, get: Callable[[Outcome], object]) -> Callable[..., Iterator[Difference]]:
    def check(world: World, expected: object, outcome: Outcome) -> Iterator[Difference]:
        if (got := get(outcome)) != expected:
            shown = f"{got} ({outcome.message})" if name == "status" and outcome.message else got
            yield name, expected, shown

    return check


def _gas(world: World, expected: int | None, outcome: Outcome) -> Iterator[Difference]:
    if expected is not None and outcome.gas != expected:
        yield "gas", expected, outcome.gas


def _gas_js(world: World, expected: list[int | None], outcome: Outcome) -> Iterator[Difference]:
    if outcome.gas_js != expected:
        yield "gas_js", expected, outcome.gas_js


def _returns(world: World, expected: list[str], outcome: Outcome) -> Iterator[Difference]:
    if outcome.returns != expected:
        yield "returns", expected, outcome.returns


def _error_contains(world: World, expected: str | list[str], outcome: Outcome) -> Iterator[Difference]:
    for text in [expected] if isinstance(expected, str) else expected:
        if text not in outcome.message:
            yield "error_contains", text, outcome.message


def _error_contains_any(world: World, expected: list[str], outcome: Outcome) -> Iterator[Difference]:
    if not any(text in outcome.message for text in expected):
        yield "error_contains_any", expected, outcome.message


def _stored(world: World, name: str) -> str | None:
    kind, contract, rest = name.split(":", 2)
    contract = world.contract(contract)
    if kind == "b":
        return world.ledger.text(plain_key(contract, rest))
    key, _, field = rest.partition(":")
    return world.ledger.text(field_key(contract, key, field))


def _storage(world: World, expected: Mapping[str, str | None], outcome: Outcome) -> Iterator[Difference]:
    for name, text in expected.items():
        got = _stored(world, name)
        if got != (text if text is None or isinstance(text, str) else compact(text)):
            yield f"storage {name}", text, got


def _each(texts: object) -> list[str]:
    return [str(text) for text in texts] if isinstance(texts, list) else [str(texts)]


def _storage_contains(world: World, expected: Mapping[str, Any], outcome: Outcome) -> Iterator[Difference]:
    for name, texts in expected.items():
        got = _stored(world, name)
        for text in _each(texts):
            if got is None or text not in got:
                yield f"storage_contains {name}", text, got


def _storage_not_contains(world: World, expected: Mapping[str, Any], outcome: Outcome) -> Iterator[Difference]:
    for name, texts in expected.items():
        got = _stored(world, name)
        for text in _each(texts):
            if got is not None and text in got:
                yield f"storage_not_contains {name}", text, got


def _field(value: Any, path: str) -> Any:
    """Returns the field of that name, else what the path of names and indices leads to, else None."""
    if isinstance(value, dict) and path in value:
        return value[path]
    for part in path.split("."):
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def _storage_json_field(world: World, expected: Mapping[str, Any], outcome: Outcome) -> Iterator[Difference]:
    for name, fields in expected.items():
        got = _stored(world, name)
        value = None if got is None else json.loads(got)
        for path, item in fields.items():
            if (found := _field(value, path)) != item:
                yield f"storage_json_field {name} {path}", item, found


def _map_keys(world: World, expected: Mapping[str, list[str]], outcome: Outcome) -> Iterator[Difference]:
    for name, fields in expected.items():
        contract, _, key = name.partition(":")
        got = world.ledger.map_keys(world.contract(contract), key)
        if got != fields:
            yield f"map_keys {name}", fields, got


def _amounts(name: str) -> Callable[..., Iterator[Difference]]:
    def check(world: World, expected: Mapping[str, str], outcome: Outcome) -> Iterator[Difference]:
        for pair, text in expected.items():
            token, _, account = pair.partition(":")
            got = getattr(world.ledger, name)(token, world.contract(account))
            if got != Decimal(str(text)):
                yield f"{name} {pair}", text, format(got.normalize(), "f")

    return check


def _ram(world: World, expected: Mapping[str, int], outcome: Outcome) -> Iterator[Difference]:
    for account, count in expected.items():
        got = int(world.ledger.balance("ram", world.contract(account)).scaleb(world.ledger.decimals("ram")))
        if got != int(count):
            yield f"ram {account}", count, got


def _pgas(world: World, expected: Mapping[str, str], outcome: Outcome) -> Iterator[Difference]:
    for account, text in expected.items():
        got = world.ledger.gas(world.contract(account), world.block.time_ns)
        if got != Decimal(str(text)):
            yield f"pgas {account}", text, str(got)


def _gas_left(world: World, expected: int, outcome: Outcome) -> Iterator[Difference]:
    got = int(world.ledger.gas("user_0", world.block.time_ns))
    if got != int(expected):
        yield "gas_left", expected, got


def _events(world: World, expected: list[dict[str, str]], outcome: Outcome) -> Iterator[Difference]:
    if len(outcome.events) != len(expected):
        yield "events", expected, outcome.events
        return
    for want, got in zip(expected, outcome.events, strict=True):
        shown = {**got, "topic": f"CONTRACT_{got['topic'].upper()}", "api": got["action"], "content": got["data"]}
        if any(shown.get(name, got.get(name)) != value for name, value in want.items()):
            yield "events", want, got


CHECKS: Mapping[str, Callable[..., Iterator[Difference]]] = {
    "status": _equal("status", lambda outcome: outcome.status),
    "returns": _returns,
    "error_contains": _error_contains,
    "error_contains_any": _error_contains_any,
    "gas": _gas,
    "gas_js": _gas_js,
    "storage": _storage,
    "storage_contains": _storage_contains,
    "storage_not_contains": _storage_not_contains,
    "storage_json_field": _storage_json_field,
    "map_keys": _map_keys,
    "balances": _amounts("balance"),
    "frozen": _amounts("frozen"),
    "ram": _ram,
    "pgas": _pgas,
    "gas_left": _gas_left,
    "ram_usage": _equal("ram_usage", lambda outcome: outcome.ram_usage),
    "receipts": _equal("receipts", lambda outcome: outcome.receipts),
    "events": _events,
}
