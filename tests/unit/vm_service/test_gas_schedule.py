"""The gas schedule: a price that changes is a new version, and nothing costs more than the tables say."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from vm_service import gas_schedule, runtime
from vm_service.build import build_id
from vm_service.sandbox.kernel_tables import KernelTables, kernel_tables

TABLE = "kernel/08_work_prices.js"
METER = "kernel/10_meter.js"

HOW_TO_RELEASE = """The tables of prices are not those of version {version} (digest {digest}).
If the gas of any transaction can differ, add a `Release` with the next number and this digest to RELEASES in
vm_service/gas_schedule.py, say what is new, run `make docs`, and add a row to CHANGELOG.md. Only if version {version}
is not released yet, or none but the words of a row have changed, give that version the new digest instead."""


@pytest.fixture(scope="module")
def tables() -> KernelTables:
    return kernel_tables()


def test_a_changed_price_is_a_new_version(tables: KernelTables) -> None:
    newest = gas_schedule.RELEASES[-1]
    digest, reference = gas_schedule.digests(tables)

    assert newest.digest == digest, HOW_TO_RELEASE.format(version=newest.version, digest=digest)
    assert newest.reference == reference, "prices of the reference never change"


def test_any_price_changes_the_digest(tables: KernelTables) -> None:
    known = {gas_schedule.digests(tables)}
    for name in ("costs", "prices", "work"):
        rows = getattr(tables, name)
        for at, row in enumerate(rows):
            changed = (*rows[:at], replace(row, gas=row.gas + 1), *rows[at + 1 :])
            known.add(gas_schedule.digests(replace(tables, **{name: changed})))

    assert len(known) == 1 + len(tables.costs) + len(tables.prices) + len(tables.work)


def test_versions_count_up_and_keep_the_prices_of_the_reference() -> None:
    releases = gas_schedule.RELEASES

    assert [release.version for release in releases] == list(range(1, len(releases) + 1))
    assert len({release.digest for release in releases}) == len(releases)
    assert {release.reference for release in releases} == {gas_schedule.REFERENCE}


def test_the_version_is_part_of_the_build_id() -> None:
    assert f"gas-{gas_schedule.VERSION}" in build_id().split()


PRICES = re.compile(r"const \{([^}]*)\} = V8VM\.workPrices\.(\w+)")
PRICE = re.compile(r"V8VM\.workPrices\.(\w+)\.(\w+)")
IMPORTED = re.compile(r"const \{([^}]*)\} = V8VM\.v1(?:\.convert|\.operands)?;")

MADE_OF_ROWS = {
    ("v1/15_forms.js", "work(count)"): "`row`, `table` and `list`, by the function that is given",
    ("v1/15_forms.js", "(array.length + 1) * (units + meter.toll)"): "`tableRead`, `tableMove`; `object chain`",
    ("v1/22_objects_of_images.js", "forms.listWork(value.length) * forms.TEXT_FACTOR"): "`list`, `row`, `places`",
    ("v1/32_objects.js", "work(value.length) * forms.TEXT_FACTOR"): "the same, by the function that is given",
    ("v1/33_sorting.js", "length * MathLog2(length) * units"): "`compare`, `tableRead`, by the caller",
    ("v1/40_json.js", "work"): "`opening` or `member`, by the caller",
}
"""Work whose price is not named where it is counted, and which rows it is made of."""


def names_in(pattern: str) -> Iterator[tuple[str, str]]:
    """Yields (name, local name) of a destructuring pattern."""
    for part in re.sub(r"//.*", "", pattern).split(","):
        name, _, local = part.partition(":")
        if name.strip():
            yield name.strip(), (local or name).strip()


SOURCES = {
    name: text
    for name, text in (*runtime.execution_sources(), *runtime.compiler_sources())
    if not name.startswith("bundled/") and name != TABLE
}


def test_every_row_is_used_and_no_other_price_is_asked_for(tables: KernelTables) -> None:
    used = {
        (group, name) for text in SOURCES.values() for body, group in PRICES.findall(text) for name, _ in names_in(body)
    }
    used |= {(group, name) for text in SOURCES.values() for group, name in PRICE.findall(text)}

    assert used == {(row.group, row.name) for row in tables.work}


def counted(text: str) -> Iterator[str]:
    """Yields what each call of `meter.work` is given."""
    for call in re.finditer(r"meter\.work\(", text):
        end, depth = call.end(), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield text[call.end() : end - 1]


def test_all_work_is_counted_at_a_price_of_the_table() -> None:
    unnamed = set()
    for name, text in SOURCES.items():
        patterns = [body for body, _ in PRICES.findall(text)] + IMPORTED.findall(text)
        prices = {local for body in patterns for _, local in names_in(body) if local.isupper()}
        for given in counted(text) if name != METER else ():
            if "workPrices" not in given and not prices & set(re.findall(r"\w+", given)):
                unnamed.add((name, given))

    assert unnamed == set(MADE_OF_ROWS)
