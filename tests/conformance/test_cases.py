"""Every case file, step by step, through the executor; a test for each file."""

from pathlib import Path

import pytest

from tests.conformance.run import Report, run_files

CASES = Path(__file__).parent / "cases"
ROOT = Path(__file__).parents[2]
FILES = sorted(CASES.glob("*/*.json"))


COLD_FILES = [path for path in FILES if path.stem.startswith("tx_")]
"""Files whose results could depend on what an executor has run before; the others start from nothing at each step.

The long files of the system contracts (`system_*`) are left out: a new executor for each of their 330 steps takes two
minutes, and `tx_system_contracts` has the same kinds of steps.
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_all_steps_of_a_case_give_what_it_says(path: Path) -> None:
    report = Report()

    failures = [str(failure) for failure in run_files([path], ROOT, report)]

    assert not failures
    assert report.passed > 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", COLD_FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_cold_executor_gives_the_same(path: Path) -> None:
    report = Report()

    failures = [str(failure) for failure in run_files([path], ROOT, report, cold=True)]

    assert not failures
