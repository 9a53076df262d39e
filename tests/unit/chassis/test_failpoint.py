"""Failpoints: grammar and actions."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from chassis import failpoint


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoint.arm("")


def test_nothing_happens_when_nothing_is_armed() -> None:
    failpoint.hit("a.b")


def test_nothing_happens_at_other_places() -> None:
    failpoint.arm("a.b=error")
    failpoint.hit("a.c")


def test_error_raises_every_time() -> None:
    failpoint.arm("a.b=error")
    for _ in range(2):
        with pytest.raises(failpoint.FailpointError, match=r"a\.b"):
            failpoint.hit("a.b")


def test_a_numbered_hit_acts_once() -> None:
    failpoint.arm("a.b=error@2")
    failpoint.hit("a.b")
    with pytest.raises(failpoint.FailpointError):
        failpoint.hit("a.b")
    failpoint.hit("a.b")


def test_sleep_waits() -> None:
    failpoint.arm("a.b=sleep(30)")
    started = time.monotonic()
    failpoint.hit("a.b")
    assert time.monotonic() - started >= 0.03


@pytest.mark.parametrize("text", ["a", "a=explode", "a=sleep", "a=panic(3)", "a=error@0", "A=error", "a=error@"])
def test_a_text_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="failpoint"):
        failpoint.arm(text)


def test_panic_leaves_at_once_without_cleanup() -> None:
    script = (
        "from chassis import failpoint\n"
        "failpoint.arm('x=error; a.b=panic@2')\n"
        "try:\n    failpoint.hit('a.b'); print('first', flush=True); failpoint.hit('a.b')\n"
        "finally:\n    print('cleanup', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == failpoint.EXIT_PANIC
    assert done.stdout == "first\n"
