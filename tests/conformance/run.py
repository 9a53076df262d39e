"""The scenario runner: `python -m tests.conformance.run [--root DIR] FILES... [--json FILE]`.

Runs every step of every file through the executor that workers use, in this process. Prints a line for each failed
expectation (file, step number, field, expected, got) and at last `N passed, M failed`, counting steps; exits with 1
when a step failed.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.conformance.expectations import differences
from tests.conformance.operations import OPERATIONS, prepare
from tests.conformance.scenario import Scenario, load
from tests.conformance.world import World
from vm_service.sandbox.isolate import IsolateError
from vm_service.sandbox.load_vm import HostError

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
        step = "setup" if self.step == SETUP else self.step
        return f"{self.file}: step {step}: {self.field}: expected {_shown(self.expected)}, got {_shown(self.got)}"


@dataclass
class Report:
    """Sums over all files."""

    passed: int = 0
    failed: int = 0
    failures: list[Failure] | None = None


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


def _run_step(world: World, scenario: Scenario, number: int, step: dict[str, object]) -> list[Failure]:
    try:
        outcome = OPERATIONS[str(step.get("op") or "call")](world, step)
    except (IsolateError, HostError) as error:
        world.restart()
        return [Failure(scenario.path.name, number, "execution", "an outcome", f"{type(error).__name__}: {error}")]
    expect = step.get("expect") or {}
    if number == SETUP and outcome is not None and outcome.status not in ("OK", "SUCCESS"):
        expect = {"status": "SUCCESS", **expect}  # type: ignore[dict-item]
    return [
        Failure(scenario.path.name, number, name, wanted, got)
        for name, wanted, got in differences(world, expect, outcome)  # type: ignore[arg-type]
    ]


def run_files(files: Sequence[Path], root: Path, report: Report, *, cold: bool = False) -> Iterator[Failure]:
    """Runs files one after the other; yields failures as they come and counts steps."""
    for path in files:
        for number, failures in run_scenario(load(path, root), cold=cold):
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
