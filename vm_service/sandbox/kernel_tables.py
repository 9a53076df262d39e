"""The tables that live in JavaScript, read for the documentation: prices and native methods.

The scripts are evaluated in an isolate of their own; nothing is run.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from vm_service import runtime
from vm_service.sandbox.isolate import Isolate

_QUESTION: Final = """JSON.stringify({
  costs: V8VM.costTable.TABLE,
  prices: V8VM.priceTable,
  work: V8VM.workTable,
  statuses: V8VM.transaction.STATUSES,
  natives: [...V8VM.natives.table()].map(([id, methods]) => [id, methods.map(
    ({ name, args, since, until }) => ({ name, args, since, until }))]),
})"""


@dataclass(frozen=True, slots=True)
class Cost:
    """A price of the kernel."""

    name: str
    gas: int
    what_for: str


@dataclass(frozen=True, slots=True)
class Price:
    """A price of the language, or one beyond ordinary sizes."""

    group: str
    name: str
    gas: float
    what_for: str


@dataclass(frozen=True, slots=True)
class Status:
    """A status of a receipt."""

    code: int
    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class NativeMethod:
    """A method of a native contract and the contract versions that have it."""

    contract: str
    name: str
    args: tuple[str, ...]
    versions: str


@dataclass(frozen=True, slots=True)
class KernelTables:
    """All tables of the kernel and the language."""

    costs: tuple[Cost, ...]
    prices: tuple[Price, ...]
    work: tuple[Price, ...]
    """In units of work; group `gas` in gas."""
    statuses: tuple[Status, ...]
    methods: tuple[NativeMethod, ...]


def kernel_tables() -> KernelTables:
    """Reads the tables.

    Raises:
        IsolateError: a script does not evaluate.
    """
    with Isolate() as isolate:
        isolate.evaluate("globalThis.V8VM = {}; 0")
        for _, text in runtime.execution_sources():
            isolate.evaluate(text + "\n;0")
        raw = json.loads(str(isolate.evaluate(_QUESTION)))
    return KernelTables(
        costs=tuple(Cost(*row) for row in raw["costs"]),
        prices=tuple(Price(group, *row) for group, rows in raw["prices"].items() for row in rows),
        work=tuple(Price(group, *row) for group, rows in raw["work"].items() for row in rows),
        statuses=tuple(Status(*row) for row in raw["statuses"]),
        methods=tuple(_method(contract, item) for contract, items in raw["natives"] for item in items),
    )


def _method(contract: str, item: dict[str, Any]) -> NativeMethod:
    since, until = item.get("since"), item.get("until")
    versions = " ".join(part for part in (f"from {since}" if since else "", f"before {until}" if until else "") if part)
    return NativeMethod(contract, item["name"], tuple(item["args"]), versions or "all")
