"""The only door to V8: one isolate, bound through mini-racer's C ABI.

The public ``MiniRacer`` class costs 300 to 470 µs a call and has only asynchronous host functions. Contracts need
synchronous state reads, so this module binds the C functions that the library itself uses:

* ``evaluate`` compiles and runs a script; ``call`` calls a function held by handle. Both block, with a deadline.
* ``Mailbox`` is memory that JavaScript and Python both see. A script asks the host by writing a text there and calling
  the host function, which runs synchronously **on the V8 thread**.

INVARIANTS
* No call may enter the same isolate from inside the host function: it would wait for itself.
* Only text, integers and booleans leave an isolate by value; objects stay inside and are named by handle.
* After a time-out or an out-of-memory stop the isolate is condemned and refuses further work: a late cancellation
  can end the next, innocent task.
* A task that came near the end of V8's stack condemns the isolate: its error depends on the machine code of the moment,
  and what it has interrupted is left half done.
* An isolate must be closed: an open one can hang the interpreter's exit.
"""

from __future__ import annotations

import ctypes
import queue
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from py_mini_racer import init_mini_racer
from py_mini_racer._dll import MR_CALLBACK

from vm_service.sandbox.monitor import Deadline
from vm_service.sandbox.stack import ThreadStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vm_service.sandbox.monitor import Watch

MINI_RACER_VERSION: Final = "0.14.1"
"""The wheel whose C ABI this module binds; another one is refused at start."""

V8_VERSION: Final = "14.4.258.23"
"""Engine of that wheel; part of the build id, since results depend on it."""

BASE_FLAGS: Final = (
    "--single-threaded",  # V8's helper threads would outlive what a worker may start
    "--stack-size=30000",  # kB of THREAD_STACK_BYTES: counted call depth must fire long before it
    "--stack-trace-limit=0",  # no frames in error objects: cheaper throws, nothing of the host to read
    "--disallow-code-generation-from-strings",  # eval and Function constructors are refused by the engine itself
    "--no-harmony-temporal",  # Temporal.Now is a clock
)
"""V8 flags every isolate of this process starts with."""

THREAD_STACK_BYTES: Final = 32 << 20
"""Stack of the thread that V8 runs on. A contract's counted depth (200,000 slots) takes 1.6 MB of its own frames;
engine functions that call back take up to six times as much beside it. The usual 8 MB would leave no margin."""

KILL_GRACE_SECONDS: Final = 0.25
"""How long a cancelled task may go on before the process must be killed."""

_NO_ERROR: Final = "null"
"""What a call that was terminated reports; the text of an error that a script throws begins with its place."""

_TASK_ID: Final = 1
_HOST_ID: Final = 2


class _Kind:
    """Value types of the C ABI."""

    NULL = 1
    BOOL = 2
    INTEGER = 3
    DOUBLE = 4
    TEXT = 5
    UNDEFINED = 11
    SHARED_BUFFER = 101
    FIRST_ERROR = 200
    OUT_OF_MEMORY = 202
    TIMED_OUT = 203
    TERMINATED = 204


class IsolateError(Exception):
    """A script failed in an isolate, or the isolate can do no more work."""


class ScriptError(IsolateError):
    """The script threw or did not parse; the text is V8's and must not reach contracts or callers."""


class DeadlineError(IsolateError):
    """The deadline passed and the task was cancelled; the isolate is condemned."""


class OutOfMemoryError(IsolateError):
    """The heap limit was reached; the isolate is condemned."""


class BrokenError(IsolateError):
    """V8's own stack ended, or the code of this program failed inside the isolate; the isolate is condemned."""


class StuckError(IsolateError):
    """The task ignored its cancellation: only the end of the process stops it."""


class CondemnedError(IsolateError):
    """The isolate was stopped before and takes no more work."""


RawValue: TypeAlias = Any
"""A pointer to a value of the C ABI; ctypes makes its type at run time."""


@dataclass(frozen=True, slots=True)
class Handle:
    """An object that lives inside an isolate."""

    raw: RawValue


JsValue: TypeAlias = str | int | float | bool | Handle | None
"""What leaves an isolate: primitive values, and handles of objects that stay inside."""


class Mailbox:
    """Memory shared with one isolate.

    Little endian: int32 length in code units, int32 more, int32 progress, int32 due; then UTF-16 text.
    """

    HEADER_BYTES: Final = 16

    def __init__(self, address: int, size_bytes: int) -> None:
        """Wraps ``size_bytes`` of shared memory at ``address``."""
        self._view = memoryview((ctypes.c_char * size_bytes).from_address(address)).cast("B")
        self.capacity_bytes = size_bytes - self.HEADER_BYTES

    def read(self) -> str:
        """Returns the text that the other side wrote."""
        byte_count = 2 * int.from_bytes(self._view[:4], "little")
        start = self.HEADER_BYTES
        return bytes(self._view[start : start + byte_count]).decode("utf-16-le", "surrogatepass")

    @property
    def more(self) -> bool:
        """Whether the text is a part and another one follows."""
        return self._view[4] == 1

    @property
    def progress(self) -> int:
        """How many transactions of the running batch have begun; readable while V8 runs."""
        return int.from_bytes(self._view[8:12], "little")

    def clear_progress(self) -> None:
        """Says that no transaction has begun and that there is time; REQUIRES: V8 does not run."""
        self._view[8:16] = bytes(8)

    def set_due(self, due: int) -> None:
        """Says whether the time of the batch is over; possible while V8 runs.

        Args:
            due: 1: it ends before the next request; 2: it ends before the next item.
        """
        self._view[12] = due

    def write(self, text: str, *, more: bool = False) -> None:
        """Replaces the text; REQUIRES: it fits ``capacity_bytes``. ``more``: another part follows."""
        data = text.encode("utf-16-le", "surrogatepass")
        if len(data) > self.capacity_bytes:
            raise ValueError(f"text of {len(data)} bytes does not fit a mailbox of {self.capacity_bytes} bytes")
        self._view[self.HEADER_BYTES : self.HEADER_BYTES + len(data)] = data
        self._view[:4] = (len(data) // 2).to_bytes(4, "little")
        self._view[4:8] = int(more).to_bytes(4, "little")


class Engine:
    """V8 in this process: initialised once, with one set of flags."""

    _instance: Engine | None = None

    def __init__(self, flags: tuple[str, ...]) -> None:
        """Initialises V8; use ``start`` instead."""
        found = version("mini-racer")
        if found != MINI_RACER_VERSION:
            raise IsolateError(f"mini-racer {found} is installed, {MINI_RACER_VERSION} is needed")
        self.flags = flags
        self.lib = init_mini_racer(flags=flags)
        engine = self.lib.mr_v8_version().decode()
        if engine != V8_VERSION:
            raise IsolateError(f"V8 {engine} is installed, {V8_VERSION} is needed")

    @classmethod
    def start(cls, extra_flags: tuple[str, ...] = ()) -> Engine:
        """Returns the engine, initialised on first use.

        Raises:
            IsolateError: the wheel is another one, or V8 already runs with other flags.
        """
        flags = BASE_FLAGS + extra_flags
        if cls._instance is None:
            cls._instance = Engine(flags)
        elif cls._instance.flags != flags:
            raise IsolateError(f"V8 already runs with {cls._instance.flags}")
        return cls._instance


class _ThreadAttributes(ctypes.Structure):
    """`pthread_attr_t`: 56 bytes on 64-bit glibc and musl."""

    _fields_ = (("opaque", ctypes.c_ulong * 8),)


@contextmanager
def _thread_stacks(size_bytes: int) -> Iterator[None]:
    """Gives threads that the library starts meanwhile stacks of that size; untouched pages cost nothing."""
    libc = ctypes.CDLL(None)
    before, wanted = _ThreadAttributes(), _ThreadAttributes()
    size = ctypes.c_size_t(size_bytes)
    results = (
        libc.pthread_getattr_default_np(ctypes.byref(before)),
        libc.pthread_getattr_default_np(ctypes.byref(wanted)),
        libc.pthread_attr_setstacksize(ctypes.byref(wanted), size),
        libc.pthread_setattr_default_np(ctypes.byref(wanted)),
    )
    if any(results):
        raise IsolateError(f"threads cannot have stacks of {size_bytes} bytes: {results}")
    try:
        yield
    finally:
        libc.pthread_setattr_default_np(ctypes.byref(before))


class Isolate:
    """One V8 heap with one context, driven by one caller thread."""

    def __init__(
        self,
        *,
        on_host_call: Callable[[], None] | None = None,
        heap_bytes: int = 0,
        flags: tuple[str, ...] = (),
    ) -> None:
        """Creates the isolate (≈4 ms, 2 threads).

        Args:
            on_host_call: called on the V8 thread when JavaScript calls the host function; must not raise.
            heap_bytes: hard limit of the V8 heap in use; 0 sets none.
            flags: V8 flags beyond ``BASE_FLAGS``; equal for all isolates of a process.
        """
        self._lib = Engine.start(flags).lib
        self._on_host_call = on_host_call
        self._heap_bytes = heap_bytes
        self._results: queue.SimpleQueue[RawValue] = queue.SimpleQueue()
        self._callback = MR_CALLBACK(self._dispatch)  # kept: V8 holds only the bare pointer
        with _thread_stacks(THREAD_STACK_BYTES):
            self._context = self._lib.mr_init_context(self._callback)
        self._handles: list[RawValue] = []
        self._stack: ThreadStack | None = None
        self.condemned = False
        self.closed = False

    def _dispatch(self, callback_id: int, raw: RawValue) -> None:
        if self._stack is None:
            self._stack = ThreadStack.of_this_thread()  # V8's thread calls
        if callback_id == _HOST_ID:
            self._lib.mr_free_value(self._context, raw)
            if self._on_host_call is not None:
                self._on_host_call()
        else:
            self._results.put(raw)

    # -- running -------------------------------------------------------------------------------------------------

    def evaluate(self, source: str, timeout_s: float | None = None) -> JsValue:
        """Runs a script and returns its value.

        Returns:
            ``str``, ``int``, ``float``, ``bool``, ``None``, or a ``Handle`` for anything else.

        Raises:
            ScriptError: it threw or does not parse.
            BrokenError: V8's own stack ended.
            DeadlineError, OutOfMemoryError, StuckError, CondemnedError: as their names say.
        """
        code = self._text(source)
        try:
            return self._run(lambda: self._lib.mr_eval(self._context, code, _TASK_ID), timeout_s)
        finally:
            self._lib.mr_free_value(self._context, code)

    def call(
        self, function: Handle, arguments: Handle, timeout_s: float | None = None, *, watch: Watch | None = None
    ) -> JsValue:
        """Calls a function with the items of a JavaScript array; returns and raises as ``evaluate``.

        Args:
            function: what to call.
            arguments: a JavaScript array.
            timeout_s: time for the call; None grants any.
            watch: decides instead of a fixed time.
        """
        return self._run(
            lambda: self._lib.mr_call_function(self._context, function.raw, function.raw, arguments.raw, _TASK_ID),
            timeout_s,
            watch,
        )

    def evaluate_handle(self, source: str) -> Handle:
        """Runs a script whose value is an object; raises as ``evaluate``, ``ScriptError`` when it is none."""
        return self._handle(self.evaluate(source))

    def call_handle(self, function: Handle, arguments: Handle) -> Handle:
        """Calls a function whose result is an object; raises as ``evaluate_handle``."""
        return self._handle(self.call(function, arguments))

    @staticmethod
    def _handle(value: JsValue) -> Handle:
        if not isinstance(value, Handle):
            raise ScriptError("the value is no object")
        return value

    def _run(self, start: Callable[[], int], timeout_s: float | None, watch: Watch | None = None) -> JsValue:
        if self.condemned or self.closed:
            raise CondemnedError("this isolate takes no more work")
        if self._heap_bytes:
            self._lib.mr_set_hard_memory_limit(self._context, self._heap_bytes)  # it sticks: armed again each time
        if watch is None and timeout_s is not None:
            watch = Deadline(timeout_s)
        started = time.monotonic()
        task = start()
        try:
            value = self._value(self._whole(self._await(watch)))
            # A task that just made it through: the pending termination would end the next, innocent one.
            self.condemned = bool(self._heap_bytes and self._lib.mr_hard_memory_limit_reached(self._context))
            return value
        except queue.Empty:
            self.condemned = True
            self._lib.mr_cancel_task(self._context, task)
        try:
            raw = self._results.get(timeout=KILL_GRACE_SECONDS)
        except queue.Empty:
            raise StuckError("the task ignored its cancellation") from None
        self._lib.mr_free_value(self._context, raw)
        raise DeadlineError(f"stopped after {time.monotonic() - started:.3f} s")

    def _whole(self, raw: RawValue) -> RawValue:
        """Passes the result of a task through, unless the task came to the end of V8's stack."""
        if self._stack is None or not self._stack.was_near_end():
            return raw
        self._lib.mr_free_value(self._context, raw)
        raise self.broken("V8's own stack ended")

    def broken(self, text: str) -> BrokenError:
        """Condemns the isolate; returns the error to raise."""
        self.condemned = True
        return BrokenError(text)

    def _await(self, watch: Watch | None) -> RawValue:
        if watch is None:
            return self._results.get()
        while True:
            try:
                return self._results.get(timeout=watch.interval_s)
            except queue.Empty:
                if watch.expired():
                    raise

    # -- values --------------------------------------------------------------------------------------------------

    def _text(self, text: str) -> RawValue:
        data = text.encode("utf-8", "replace")
        return self._lib.mr_alloc_string_val(self._context, data, len(data), _Kind.TEXT)

    def _value(self, raw: RawValue) -> JsValue:
        kind, value, length = raw.contents.type, raw.contents.value, raw.contents.len
        if kind in (_Kind.NULL, _Kind.UNDEFINED):
            result: JsValue | IsolateError = None
        elif kind == _Kind.BOOL:
            result = value.int_val == 1
        elif kind == _Kind.INTEGER:
            result = int(value.int_val)
        elif kind == _Kind.DOUBLE:
            result = float(value.double_val)
        elif kind == _Kind.TEXT:
            result = ctypes.string_at(value.bytes_val, length).decode("utf-8", "replace")
        elif kind >= _Kind.FIRST_ERROR:
            result = self._failure(kind, ctypes.string_at(value.bytes_val, length).decode("utf-8", "replace"))
        else:
            self._handles.append(raw)
            return Handle(raw)
        self._lib.mr_free_value(self._context, raw)
        if isinstance(result, IsolateError):
            raise result
        return result

    def _failure(self, kind: int, text: str) -> IsolateError:
        # The heap monitor ends a task like any termination. Its mark is not enough: a collection between the stop and
        # its arrival clears it. A task that this module cancels never comes here.
        terminated = kind in (_Kind.OUT_OF_MEMORY, _Kind.TIMED_OUT, _Kind.TERMINATED) or text.strip() == _NO_ERROR
        if terminated or self._lib.mr_hard_memory_limit_reached(self._context):
            self.condemned = True
            return OutOfMemoryError("the heap limit was reached")
        return ScriptError(text)

    def push(self, array: Handle, item: Handle | str) -> None:
        """Appends a handle or a text to a JavaScript array."""
        raw = self._text(item) if isinstance(item, str) else item.raw
        self._lib.mr_free_value(self._context, self._lib.mr_array_push(self._context, array.raw, raw))
        if isinstance(item, str):
            self._lib.mr_free_value(self._context, raw)

    def host_function(self) -> Handle:
        """Returns the JavaScript function that calls ``on_host_call``."""
        raw = self._lib.mr_make_js_callback(self._context, _HOST_ID)
        self._handles.append(raw)
        return Handle(raw)

    def mailbox(self, size_bytes: int) -> tuple[Handle, Mailbox]:
        """Creates shared memory; returns the buffer inside the isolate and Python's view of it."""
        buffer = self.evaluate_handle(f"new SharedArrayBuffer({size_bytes})")
        address = buffer.raw.contents.value.value_ptr
        return buffer, Mailbox(address, size_bytes)

    def release(self, handle: Handle) -> None:
        """Lets go of a handle before the isolate closes."""
        self._handles.remove(handle.raw)
        self._lib.mr_free_value(self._context, handle.raw)

    # -- housekeeping --------------------------------------------------------------------------------------------

    def heap_stats_json(self) -> str:
        """Returns V8's heap figures as JSON text (bytes)."""
        return str(self._value(self._lib.mr_heap_stats(self._context)))

    def collect_garbage(self) -> None:
        """Asks V8 to free what it can."""
        self._lib.mr_low_memory_notification(self._context)

    def close(self) -> None:
        """Frees the isolate and its threads; harmless when repeated."""
        if self.closed:
            return
        self.closed = True
        for raw in self._handles:
            self._lib.mr_free_value(self._context, raw)
        self._handles.clear()
        self._lib.mr_free_context(self._context)

    def __enter__(self) -> Isolate:
        """Returns itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes the isolate."""
        self.close()
