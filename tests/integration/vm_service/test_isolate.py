"""An isolate that was stopped takes no more work: after its time, its memory, or a task that cannot be stopped."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from vm_service.model import Limits
from vm_service.sandbox.isolate import StuckError
from vm_service.worker import __main__ as worker_main
from vm_service.worker import channel

SCRIPT = """
import json, os, sys, time
from vm_service.sandbox.isolate import CondemnedError, Isolate, IsolateError

text, timeout_s = json.loads(sys.argv[1])
isolate = Isolate(heap_bytes=32 << 20)
isolate.evaluate("1 + 1")
started = time.monotonic()
try:
    ended = isolate.evaluate(text, timeout_s)
except IsolateError as error:
    ended = type(error).__name__
taken_s = time.monotonic() - started
try:
    after = isolate.evaluate("1 + 1", 5)
except CondemnedError:
    after = "CondemnedError"
fresh = "" if ended == "StuckError" else Isolate(heap_bytes=32 << 20).evaluate("1 + 1")
print(json.dumps([ended, after, fresh, isolate.condemned, taken_s]), flush=True)
os._exit(0)
"""
TIMER_S = 0.5
GRACE_S = 0.25
SPARE_S = 0.5
"""What a busy machine may take beside."""

STOPPED = {
    "time": ("for (;;) {}", TIMER_S, "DeadlineError"),
    "time, again and again": ("for (;;) try { for (;;) {} } finally { continue; }", TIMER_S, "DeadlineError"),
    "memory": ("const kept = []; for (;;) kept.push({ x: kept.length, y: [kept.length] });", 30.0, "OutOfMemoryError"),
    "a builtin that asks nobody": ("[].indexOf.call({ length: 2 ** 53 - 1 }, 1)", TIMER_S, "StuckError"),
}


@pytest.mark.parametrize("reason", STOPPED)
def test_an_isolate_that_was_stopped_is_never_used_again(reason: str) -> None:
    text, timer_s, error = STOPPED[reason]
    command = [sys.executable, "-c", SCRIPT, json.dumps([text, timer_s])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ})
    ended, after, fresh, condemned, taken_s = json.loads(done.stdout)

    assert (ended, after, condemned) == (error, "CondemnedError", True)
    assert fresh in ("", 2)
    assert taken_s < timer_s + GRACE_S + SPARE_S


def test_an_isolate_whose_script_only_failed_goes_on() -> None:
    command = [sys.executable, "-c", SCRIPT, json.dumps(["null.x", TIMER_S])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ})

    assert json.loads(done.stdout)[:4] == ["ScriptError", 2, 2, False]


def test_a_worker_whose_code_cannot_be_stopped_says_so_before_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    class Left(BaseException):
        """What ends the process, here."""

    def leave(code: int) -> None:
        raise Left(code)

    def stick(_work: channel.Work) -> None:
        raise StuckError("x")

    sent: list[channel.Stopped] = []
    worker = object.__new__(worker_main.Worker)
    worker._limits = Limits(transaction_ms=500)
    worker._wire = SimpleNamespace(send=sent.append)  # type: ignore[assignment]
    worker._executor = SimpleNamespace(progress=lambda: 3, running_s=lambda: 0.75)  # type: ignore[assignment]
    worker._service = SimpleNamespace(handle=stick, item_at=lambda index: (index, b"hash"))  # type: ignore[assignment]
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(Left, match=str(worker_main.EXIT_STUCK)):
        worker._run(channel.Work(7, "execute", []), 0)
    measured = "stopped after 750 ms, limit 500 ms, and could not be interrupted"
    assert sent == [channel.Stopped(7, "timeout", 2, b"hash", measured)]
