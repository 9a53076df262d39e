"""The gas schedule: every price that decides the gas of a receipt, as one version.

The prices live in three tables of the runtime: those of the kernel (`kernel/15_costs.js`), of the language
(`v1/03_prices.js`), and the surcharges beyond ordinary sizes (`kernel/08_work_prices.js`). A version is the content of
all of them. It is part of the build id and of what a VM service tells about itself; docs/gas.md lists the versions.

INVARIANT: the newest release has the digest of the tables (tests/unit/vm_service/test_gas_schedule.py).
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from vm_service.sandbox.kernel_tables import Cost, KernelTables, Price


@dataclass(frozen=True, slots=True)
class Release:
    """A version of the schedule."""

    version: int
    digest: str
    """Hex SHA-256 of all rows: group, name, price and what it is for."""

    reference: str
    """The same without the surcharges: prices that IOST's V8VM has."""

    what: str
    """What is new in it."""


REFERENCE: Final = "6d7341fdd315afdf4b88b92af01731e3085898b38f2d2e65f8fd3f1ab5de9c20"
"""Digest of the reference's prices, which no version has changed."""

RELEASES: Final = (
    Release(
        1,
        "fdccba38dd2f7cb0456ed64e663db7604b5ac337a018dc540bce22dfe52087ca",
        REFERENCE,
        "the reference's prices, and surcharges for work that it gives away",
    ),
    Release(
        2,
        "e9c3b692a74bab8ecc6723453bb0a491f15010a3997b06a6641adeef2b778c45",
        REFERENCE,
        "surcharges for chains of prototypes, bound functions, texts where they are made or looked at, and names;"
        " functions of the library that call back count depth",
    ),
    Release(
        3,
        "8d2a0cee0ebfb74f38c4a33a63778cbe210ab3be608c9826cb25f1bbbdca0833",
        REFERENCE,
        "surcharges for lengths that are texts, texts of digits in JSON, and long texts in errors that iterators hide;"
        " generators count depth where they go on",
    ),
    Release(
        4,
        "7ff835e339a6a216bb9fcd05960efa256460ee4d9c3e64698ce06c8c0f80edfc",
        REFERENCE,
        "surcharges for passes of `for of`, accounts that are read and items pushed to tables; higher ones for chains,"
        " names, steps of iterators and items of `apply`",
    ),
)
"""All versions, oldest first. To change a price, add a release; a released one never changes."""

VERSION: Final = RELEASES[-1].version


def _rows(rows: tuple[Cost, ...] | tuple[Price, ...]) -> list[list[object]]:
    return [[getattr(row, "group", ""), row.name, row.gas, row.what_for] for row in rows]


def _digest(*tables: list[list[object]]) -> str:
    return hashlib.sha256(json.dumps(tables, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def digests(tables: KernelTables) -> tuple[str, str]:
    """Returns the digest of all prices, and that of the reference's alone."""
    reference = (_rows(tables.costs), _rows(tables.prices))
    return _digest(*reference, _rows(tables.work)), _digest(*reference)
