"""LoadVM: brings up the execution isolate with kernel, class libraries and host table.

Data: a request text goes in through the mailbox, the kernel runs, a result text comes back as the value of the call.
While it runs, the kernel may ask the host (a state read, a signature check): a synchronous call into ``host``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from vm_service import runtime
from vm_service.sandbox.isolate import Handle, Isolate, JsValue, ScriptError
from vm_service.sandbox.monitor import HostClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vm_service.sandbox.monitor import Watch

T = TypeVar("T")

_LONE_SURROGATE: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}")
"""How JSON.stringify writes one, behind an even number of backslashes; pairs come as characters."""

_FOUND: Final = "typeof V8VM === 'object' ? V8VM.digest : ''"
"""Tells the runtime that a startup snapshot put in place, if any."""

MAILBOX_BYTES: Final = 4 << 20
"""Shared memory between Python and the isolate: holds a batch of 1,000 ordinary transactions in one part."""

BROKEN: Final = '{"state":"broken"}'
"""What the kernel answers when V8's own stack ended under it."""

HEAP_BYTES: Final = 128 << 20
"""Hard limit of the V8 heap in use; a contract's own memory is limited by gas long before."""


def _decode(text: str, kind: type[T]) -> T:
    """Decodes an answer. Lone surrogates, which callers can put into messages, become U+FFFD: no wire carries them."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.json.decode(_LONE_SURROGATE.sub(r"\1\\ufffd", text), type=kind)


class HostError(Exception):
    """A host function failed while the kernel waited for it; the batch was stopped, nothing of it counts."""


class Sandbox:
    """An execution isolate, ready to run batches.

    Args:
        host: host functions by name; each takes the payload and returns a JSON-ready value.
        heap_bytes: hard limit of the V8 heap.
        flags: V8 flags beyond the base ones.
    """

    def __init__(
        self,
        host: Mapping[str, Callable[[Any], Any]],
        *,
        heap_bytes: int = HEAP_BYTES,
        flags: tuple[str, ...] = (),
    ) -> None:
        """Boots the isolate: evaluates the sources, locks the realm down, connects the mailbox."""
        self._host = host
        self._outgoing: list[str] = []
        self._incoming = ""
        self._host_failure: Exception | None = None
        self.host_clock = HostClock()
        self.isolate = Isolate(on_host_call=self._on_host_call, heap_bytes=heap_bytes, flags=flags)
        try:
            self._boot()
        except BaseException:
            self.isolate.close()
            raise

    def _boot(self) -> None:
        isolate = self.isolate
        self.from_snapshot = isolate.evaluate(_FOUND) == runtime.digest()
        if not self.from_snapshot:
            isolate.evaluate("globalThis.V8VM = {}; 0")
            for _, text in runtime.execution_sources():
                isolate.evaluate(text + "\n;0")
        buffer, self._mailbox = isolate.mailbox(MAILBOX_BYTES)
        doors = isolate.call_handle(isolate.evaluate_handle("V8VM.boot"), self._array(buffer, isolate.host_function()))
        pick = isolate.evaluate_handle("(doors, name) => doors[name]")
        self._entry = isolate.call_handle(pick, self._array(doors, "entry"))
        self._install = isolate.call_handle(pick, self._array(doors, "install"))
        self._remove = isolate.call_handle(pick, self._array(doors, "remove"))
        self._no_arguments = self._array()

    def _array(self, *items: Handle | str) -> Handle:
        array = self.isolate.evaluate_handle("[]")
        for item in items:
            self.isolate.push(array, item)
        return array

    # -- requests ------------------------------------------------------------------------------------------------

    def request(self, payload: object, timeout_s: float | None = None, *, watch: Watch | None = None) -> dict[str, Any]:
        """Runs one kernel request and returns its answer, both JSON-ready; raises as ``ask``."""
        return self.ask(payload, dict[str, Any], timeout_s, watch=watch)

    def ask(self, payload: object, kind: type[T], timeout_s: float | None = None, *, watch: Watch | None = None) -> T:
        """Runs one kernel request and decodes its answer.

        Args:
            payload: JSON-ready request.
            kind: type of the answer.
            timeout_s: time for the request; None grants any.
            watch: decides instead of a fixed time.

        Raises:
            HostError: a host function failed.
            BrokenError: V8's own stack ended, or the kernel threw; the isolate is condemned.
            IsolateError: the isolate was stopped or is condemned.
        """
        self._mailbox.clear_progress()
        self._send(msgspec.json.encode(payload).decode())
        answer = self._call(self._entry, self._no_arguments, timeout_s, watch)
        failure, self._host_failure = self._host_failure, None
        if answer == BROKEN:
            raise self.isolate.broken("the kernel was interrupted: V8's own stack ended")
        if failure is not None:
            raise HostError(f"{type(failure).__name__}: {failure}") from failure
        if not isinstance(answer, str):
            raise self.isolate.broken("the kernel answered no text")
        return _decode(answer, kind)

    def _call(
        self, door: Handle, arguments: Handle, timeout_s: float | None = None, watch: Watch | None = None
    ) -> JsValue:
        """Calls a door of the kernel, which throws only by a bug: then nothing is known of what it left behind."""
        try:
            return self.isolate.call(door, arguments, timeout_s, watch=watch)
        except ScriptError as error:
            raise self.isolate.broken(f"the kernel threw: {error}") from error

    def heap_bytes(self) -> int:
        """Returns the V8 heap in use."""
        return int(msgspec.json.decode(self.isolate.heap_stats_json())["used_heap_size"])

    def progress(self) -> int:
        """Returns how many transactions of the running batch have begun; callable from any thread."""
        return self._mailbox.progress

    def set_due(self, due: int) -> None:
        """Says whether the time of the running batch is over, see `Mailbox.set_due`; callable from any thread."""
        self._mailbox.set_due(due)

    def install(self, key: str, image: str, meta_json: str) -> None:
        """Evaluates an image and hands its factory to the kernel under ``key``.

        Args:
            key: name of the image.
            image: its script.
            meta_json: what the compile stage says of it.

        Raises:
            BrokenError: the image does not parse: a bug of the compile stage. The isolate is condemned.
        """
        isolate = self.isolate
        try:
            factory = isolate.evaluate_handle(image)
        except ScriptError as error:
            raise isolate.broken(f"an image does not load: {error}") from error
        arguments = self._array(key, factory, meta_json)
        self._call(self._install, arguments)
        isolate.release(arguments)
        isolate.release(factory)

    def remove(self, key: str) -> None:
        """Forgets an image; the next call of its contract needs it again."""
        arguments = self._array(key)
        self._call(self._remove, arguments)
        self.isolate.release(arguments)

    # -- the mailbox, on the V8 thread ---------------------------------------------------------------------------

    def _on_host_call(self) -> None:
        self.host_clock.enter()
        try:
            if self._outgoing:
                self._send_part()
                return
            self._incoming += self._mailbox.read()
            if self._mailbox.more:
                return
            text, self._incoming = self._incoming, ""
            self._send(msgspec.json.encode(self._answer(text)).decode())
        except Exception as error:  # noqa: BLE001 - nothing may be raised into V8
            self._host_failure = error
            self._outgoing, self._incoming = [], ""
            self._send('{"error":"host"}')
        finally:
            self.host_clock.leave()

    def _answer(self, text: str) -> object:
        if self._host_failure is not None:
            return {"error": "host"}
        name, payload = _decode(text, list[Any])
        return {"value": self._host[name](payload)}

    def _send(self, text: str) -> None:
        size = self._mailbox.capacity_bytes // 4  # code points: each takes at most two units
        self._outgoing = [text[at : at + size] for at in range(0, len(text), size)] or [""]
        self._send_part()

    def _send_part(self) -> None:
        part = self._outgoing.pop(0)
        self._mailbox.write(part, more=bool(self._outgoing))

    # -- end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Closes the isolate; harmless when repeated."""
        self.isolate.close()

    def __enter__(self) -> Sandbox:
        """Returns itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes the isolate."""
        self.close()
