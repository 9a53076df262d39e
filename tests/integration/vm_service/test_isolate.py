"""An isolate that was stopped takes no more work: by time, memory, stack, a bug, or a task that cannot be stopped."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from iost.vm.v1 import execution_service_pb2 as execution_pb
from tests.support.bare_runner import bare_batch
from tests.support.memory_state import MemoryState
from vm_service import runtime
from vm_service.compiler.pipeline import Compiler
from vm_service.manager.retries import _verdict
from vm_service.manager.supervisor import WorkerGoneError
from vm_service.model import Limits, Need
from vm_service.sandbox.isolate import BrokenError, Isolate, IsolateError, OutOfMemoryError, ScriptError, StuckError
from vm_service.worker import __main__ as worker_main
from vm_service.worker import channel
from vm_service.worker.executor import Executor
from vm_service.worker.selftest import SeedReader, batch

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
    "the end of the stack": ("(function f() { f(); })()", 30.0, "BrokenError"),
    "the end of the stack, swallowed": ("try { (function f() { f(); })(); } catch { } 1", 30.0, "BrokenError"),
    "the end of the stack, by long calls": (
        "try { const l = new Array(60000).fill(0); (function f() { f.apply(null, l); })(); } catch { } 1",
        30.0,
        "BrokenError",
    ),
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


def test_an_isolate_that_only_went_deep_goes_on() -> None:
    """Three times as deep as the count of calls lets a contract go."""
    command = [
        sys.executable,
        "-c",
        SCRIPT,
        json.dumps(["(function f(n) { return n && 1 + f(n - 1); })(60000)", TIMER_S]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ})

    assert json.loads(done.stdout)[:4] == [60000, 2, 2, False]


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


# -- what fails inside an isolate --------------------------------------------------------------------------------------


KEEP = ("keep.js", "globalThis.KEPT = V8VM.meter;")
ANSWER = "class C { init() {} run() { return 'r'; } }\nmodule.exports = C;"


def test_a_compiler_that_fails_ends_its_worker() -> None:
    with Executor(SeedReader()) as executor:
        executor.rehearse()
        assert not executor.condemned
        isolate = Isolate()
        executor.stage._isolate, executor.stage._compiler = isolate, Compiler(isolate)
        isolate.evaluate("V8VM.compile = () => { throw new Error('a bug'); }; 0")
        with pytest.raises(BrokenError, match="the compiler threw"):
            executor.stage.compile(Need("", ANSWER))

        assert executor.condemned


@pytest.mark.parametrize("left", ["running = 1", "depth = 60", "broken = true"])
def test_a_kernel_that_left_something_running_ends_its_worker(left: str) -> None:
    sources = (*runtime.execution_sources(), KEEP)
    with patch.object(runtime, "execution_sources", lambda: sources), Executor(SeedReader()) as executor:
        executor.rehearse()
        assert not executor.condemned
        executor._sandbox.isolate.evaluate(f"KEPT.{left}; 0")
        with pytest.raises(BrokenError):
            executor.rehearse()

        assert executor.condemned


def test_a_kernel_that_throws_ends_its_worker() -> None:
    with Executor(SeedReader()) as executor:
        with pytest.raises(BrokenError, match="the kernel threw"):
            executor._ask({"op": "unheard of"})

        assert executor.condemned


def test_a_bug_of_the_kernel_is_answered_and_ends_the_worker() -> None:
    def edit(name: str, text: str) -> tuple[str, str]:
        return name, text.replace("const prepared = prepare(name, api, data, null);", "null.x;")

    sources = tuple(edit(*source) for source in runtime.execution_sources())
    with patch.object(runtime, "execution_sources", lambda: sources), Executor(SeedReader()) as executor:
        result = executor.run(batch())

        assert any(item.bug for item in result.results)
        assert executor.condemned


@pytest.mark.parametrize(
    ("error", "reason", "verdict"),
    [
        (BrokenError("x"), "broken", execution_pb.VERDICT_CRASH),
        (ScriptError("x"), "broken", execution_pb.VERDICT_CRASH),
        (OutOfMemoryError("x"), "memory", execution_pb.VERDICT_MEMORY),
    ],
)
def test_a_worker_reports_why_its_isolate_is_given_up(error: IsolateError, reason: str, verdict: int) -> None:
    def handle(_work: channel.Work) -> None:
        raise error

    worker = SimpleNamespace(
        _service=SimpleNamespace(handle=handle, item_at=lambda place: (place, b"hash")),
        _executor=SimpleNamespace(progress=lambda: 2),
        _limits=Limits(),
    )
    for name in ("_stopped", "_current"):
        setattr(worker, name, getattr(worker_main.Worker, name).__get__(worker))
    answer = worker_main.Worker._run(worker, SimpleNamespace(work_id=7), 0)  # type: ignore[arg-type]

    assert isinstance(answer, channel.Stopped)
    assert (answer.work_id, answer.reason, answer.index, answer.tx_hash) == (7, reason, 1, b"hash")
    assert _verdict(WorkerGoneError("", stopped=answer)) == verdict


UNCOUNTED = {
    "thrown": "function f() { return f() + 1; } return f();",
    "caught": "try { (function f() { return f() + 1; })(); } catch (e) { } return 'survived';",
    "in a message": "throw { toString() { return (function f() { return f() + 1; })(); } };",
    "in a callback": "return [1].map(function f() { return [1].reverse() && g(); function g() { return g() + 1; } });",
    "swallowed by an iterator": (
        "const it = { [Symbol.iterator]() { return { next: () => ({ value: 1, done: false }),"
        " return() { (function f() { return f() + 1; })(); } }; } }; for (const x of it) throw new Error('a');"
    ),
}
"""Bodies of raw contracts, whose calls nobody counts."""


@pytest.mark.parametrize("body", UNCOUNTED)
def test_the_end_of_the_stack_is_no_error_of_the_contract(body: str) -> None:
    source = f"class C {{ init() {{}} run() {{ {UNCOUNTED[body]} }} }}\nmodule.exports = C;"
    made = bare_batch(source, 4_000_000)
    made.calls[0]["raw"] = True
    executor = Executor(MemoryState())
    with pytest.raises(BrokenError):
        executor.run(made)

    assert executor.condemned
    executor.close()
