"""The scenario runner: `python -m tests.conformance.run [--root DIR] FILES... [--json FILE]`.

Runs every step of every file through the executor that workers use, in this process. Prints a line for each failed
expectation (file, step number, field, expected, got) and at last `N passed, M failed`, counting steps; exits with 1
when a step failed. A step that cannot be carried out has failed, and the next one runs; a file that cannot be read
counts as one failed step. Fields that the format does not have are named on standard error; as expectations they fail.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.conformance.expectations import differences
from tests.conformance.operations import OPERATIONS, prepare, unknown_fields
from tests.conformance.scenario import Scenario, load
from tests.conformance.world import Outcome, World

SETUP = -1
"""Step number of a failure while the scenario was set up."""

SHOWN_CHARS = 400
"""Of an expected or found value, in a printed line."""


@dataclass(frozen=True)
class Failure:
    """An expectation that was not met."""

    file: str
    step: int
    field: str
    expected: object
    got: object

    def __str__(self) -> str:
        place = f"{self.file}: step {_named(self.step)}: {self.field}"
        return f"{place}: expected {_shown(self.expected)}, got {_shown(self.got)}"


@dataclass
class Report:
    """Sums over all files."""

    passed: int = 0
    failed: int = 0
    failures: list[Failure] | None = None


def _named(step: int) -> object:
    return "setup" if step == SETUP else step


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."


def run_scenario(scenario: Scenario, *, cold: bool = False) -> Iterator[tuple[int, list[Failure]]]:
    """Yields each step's number and what it failed; set-up failures come first, as step -1."""
    world = World(scenario, cold=cold)
    try:
        prepare(world)
        for step in scenario.setup:
            if failures := _run_step(world, scenario, SETUP, step):
                yield SETUP, failures
        for number, step in enumerate(scenario.steps):
            yield number, _run_step(world, scenario, number, step)
    finally:
        world.close()


def _crash(path: Path, number: int, error: Exception) -> Failure:
    return Failure(path.name, number, "execution", "an outcome", f"{type(error).__name__}: {error}")


def _run_step(world: World, scenario: Scenario, number: int, step: dict[str, Any]) -> list[Failure]:
    try:
        outcome = OPERATIONS[step.get("op") or "call"](world, step)
    except Exception as error:  # noqa: BLE001 - whatever it was: the step has failed, the run goes on
        world.restart()
        return [_crash(scenario.path, number, error)]
    expect = step.get("expect") or {}
    if number == SETUP and outcome is not None and outcome.status not in ("OK", "SUCCESS"):
        expect = {"status": "SUCCESS", **expect}
    return _compare(world, scenario, number, expect, outcome)


def _compare(
    world: World, scenario: Scenario, number: int, expect: dict[str, Any], outcome: Outcome | None
) -> list[Failure]:
    failures = []
    try:
        for name, wanted, got in differences(world, expect, outcome):
            failures.append(Failure(scenario.path.name, number, name, wanted, got))
    except Exception as error:  # noqa: BLE001 - an expectation that cannot be compared is not met
        failures.append(_crash(scenario.path, number, error))
    return failures


def _notes(scenario: Scenario) -> Iterator[str]:
    for name in scenario.unknown:
        yield f"{scenario.path.name}: field {name} is not of the format"
    steps = [(SETUP, step) for step in scenario.setup] + list(enumerate(scenario.steps))
    for number, step in steps:
        for name in unknown_fields(step):
            yield f"{scenario.path.name}: step {_named(number)}: field {name} is not of the format"


def run_files(files: Sequence[Path], root: Path, report: Report, *, cold: bool = False) -> Iterator[Failure]:
    """Runs files one after the other; yields failures as they come and counts steps."""
    for path in files:
        try:
            scenario = load(path, root)
        except Exception as error:  # noqa: BLE001 - the other files are still to be run
            report.failed += 1
            yield _crash(path, SETUP, error)
            continue
        for note in _notes(scenario):
            print(note, file=sys.stderr)
        for number, failures in run_scenario(scenario, cold=cold):
            if number != SETUP:
                report.failed += bool(failures)
                report.passed += not failures
            yield from failures


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.run", description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=Path(), help="where relative contract_file and abi_file paths start"
    )
    parser.add_argument("--cold", action="store_true", help="a new executor for every batch: slow, and equal in result")
    parser.add_argument("--json", type=Path, help="write the report there as JSON")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILES", help="scenario files")
    options = parser.parse_args(arguments)
    report = Report(failures=[])
    for failure in run_files(options.files, options.root, report, cold=options.cold):
        print(failure, flush=True)
        report.failures.append(failure)  # type: ignore[union-attr]
    print(f"{report.passed} passed, {report.failed} failed")
    if options.json:
        options.json.write_text(json.dumps(asdict(report), ensure_ascii=False, default=str, indent=1) + "\n", "utf-8")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
