"""The long forms: `python -m tests.fault --rounds N [--seed S] [--only NAME ...]`, one line for each kind of fault.

Exit code 0 when every line is good, 1 on any loss. The seed is printed first: with it the same rounds are played again.
"""

import argparse
import importlib
import logging
import random
import sys
from collections.abc import Callable
from typing import cast

from tests.fault.report import Report

HARNESSES = {
    "kill": "tests.fault.state_kill",
    "power": "tests.fault.state_power",
    "failpoints": "tests.fault.state_failpoints",
    "enospc": "tests.fault.state_enospc",
    "corruption": "tests.fault.state_corruption",
    "model": "tests.fault.state_model",
    "drain": "tests.fault.worker_drain",
    "consistency": "tests.fault.consistency.run",
}
"""Modules with a function `run(rounds, seed) -> Report`, in the order they are run."""


def main() -> int:
    """Runs the harnesses asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each kind")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="makes the chosen moments repeatable")
    parser.add_argument("--only", nargs="*", choices=sorted(HARNESSES), help="run these kinds only")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # faults are expected; the lines below say what became of them
    print(f"seed: {arguments.seed}", flush=True)
    passed = True
    for name, module in HARNESSES.items():
        if arguments.only is None or name in arguments.only:
            run = cast("Callable[[int, int], Report]", importlib.import_module(module).run)
            report = run(arguments.rounds, arguments.seed)
            print(report if report.passed else f"{report}  FAILED", flush=True)
            passed &= report.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
