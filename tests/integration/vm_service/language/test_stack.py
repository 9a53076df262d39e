"""Counted depth keeps calls away from the end of V8's own stack; a call that V8 refuses is no error of its contract."""

import subprocess
import sys

from tests.fault.stack import HARMLESS, LEAST_SLOTS, recursions, uncounted

OFFSETS = 11
"""Every so many offsets of 8 bytes; `python -m tests.fault.stack` takes each."""


def test_every_function_of_the_library_that_calls_back_counts_its_stack() -> None:
    answer = recursions(short=True)
    found = [item for item in answer["found"] if not item[0].endswith(HARMLESS)]

    assert (answer["tried"] > 350, len(found) > 1000) == (True, True)
    assert uncounted(found, LEAST_SLOTS) == []


def test_calls_that_v8_refuses_leave_the_meter_and_the_library_whole() -> None:
    """In a process of its own: the size of the stack is one for all isolates."""
    command = [sys.executable, "-m", "tests.fault.stack", "--step", str(OFFSETS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.endswith("\n0 faults\n"), done.stdout + done.stderr
    assert done.stdout.count(" broken") > 15
