"""Images against the reference form: whatever the lowering merges or inlines, results and gas are the same."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.operations import OPERATIONS, prepare
from tests.conformance.programs import program
from tests.conformance.reference_form import reference_form
from tests.conformance.run import Report, run_files
from tests.conformance.scenario import Scenario
from tests.conformance.world import World

CASES = Path(__file__).parent / "cases"
ROOT = Path(__file__).parents[2]
LOWERED_ONLY = {
    "lang_early_errors",
    "lang_names",
    "probe_builtins",
    "probe_statements",
    "redeclared_names_fail_when_run",
}
"""Names and labels whose rules the image enforces itself: `eval`, `globalThis`, early errors of a function."""

PROGRAMS = int(os.environ.get("LOWERING_PROGRAMS", "150"))
"""Random programs; 150 take a few seconds. Set the variable for long runs."""

ARGS = [7, "abc"]


@pytest.fixture(scope="module")
def worlds() -> Iterator[tuple[World, World]]:
    scenario = Scenario(Path("programs"), "vm", [], [], {}, {}, {"snippet_template": "BODY", "gas_limit": 300_000})
    lowered = World(scenario)
    with reference_form():
        reference = World(scenario)
        prepare(reference)
        prepare(lowered)
        yield lowered, reference
    lowered.close()
    reference.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "path", sorted(path for path in CASES.glob("*/*.json") if path.stem not in LOWERED_ONLY), ids=lambda path: path.stem
)
def test_cases_hold_in_the_reference_form(path: Path) -> None:
    report = Report()

    with reference_form():
        failures = [str(failure) for failure in run_files([path], ROOT, report)]

    assert not failures
    assert report.passed > 0


@pytest.mark.timeout(600)
def test_random_programs_give_the_same_result_and_gas(worlds: tuple[World, World]) -> None:
    for seed in range(PROGRAMS):
        source = program(seed)
        lowered, reference = (
            OPERATIONS["snippet"](world, {"body": source, "api": "m", "args": ARGS}) for world in worlds
        )

        assert lowered == reference, f"seed {seed}: {source}"
