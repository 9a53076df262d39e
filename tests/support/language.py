"""Language v1 without a chain: both isolates, a host in memory, one call at a time."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from unittest.mock import patch

from vm_service import runtime
from vm_service.compiler.pipeline import Compiler, CompileResult
from vm_service.sandbox.isolate import Handle, Isolate

SCRIPTS = Path(__file__).parent / "js"
GAS_LIMIT = 10_000_000
TIMEOUT_S = 30.0

Edit = Callable[[str], str]
"""Changes the text of a script before it is loaded."""


def contract(body: str, before: str = "") -> str:
    """Returns a contract whose method `m(a, b)` has that body."""
    return f"{before}\nclass A {{ init() {{}} m(a, b) {{ {body} }} }}\nmodule.exports = A;"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended."""

    ok: bool
    text: str
    """Result, or error text."""

    gas: int
    dead: str | None
    lines: tuple[str, ...]
    """What the contract wrote to its console."""


class Language:
    """Compiles contracts and calls their methods on fresh storage."""

    def __init__(self, edit: Edit = lambda text: text) -> None:
        """Brings both isolates up; `edit` changes the scripts, to reach what they keep out of reach."""
        edited = tuple((name, edit(text)) for name, text in runtime.compiler_sources())
        self.compiler_isolate = Isolate()
        with patch.object(runtime, "compiler_sources", lambda: edited):
            self.compiler = Compiler(self.compiler_isolate)
        self.isolate = Isolate()
        self.isolate.evaluate("globalThis.V8VM = {}; 0")
        for name, text in runtime.execution_sources():
            if not name.startswith("kernel/") or name < "kernel/20":
                self.isolate.evaluate(edit(text) + "\n;0")
        for script in ("bare_host.js", "realm_walk.js"):
            self.isolate.evaluate((SCRIPTS / script).read_text("utf-8") + "\n;0")
        self.isolate.evaluate("V8VM.v1.lockdown(); 0")
        self._call = self.isolate.evaluate_handle("V8VM.doors.call")
        self._install = self.isolate.evaluate_handle("V8VM.doors.install")

    def _arguments(self, *items: Handle | str) -> Handle:
        array = self.isolate.evaluate_handle("[]")
        for item in items:
            self.isolate.push(array, item)
        return array

    def install(self, source: str, *, raw: bool = False) -> CompileResult:
        """Compiles a contract and installs its image, unless it is refused."""
        compiled = self.compiler.compile(source, "", False, TIMEOUT_S, raw=raw)
        if compiled.error is None:
            factory = self.isolate.evaluate_handle(compiled.image)
            self.isolate.call(self._install, self._arguments(compiled.key, factory, compiled.meta))
        return compiled

    def call(
        self, source: str, args: Sequence[object] = (), *, method: str = "m", limit: int = GAS_LIMIT, raw: bool = False
    ) -> Outcome:
        """Calls a method of a contract; a refused contract gives its error."""
        compiled = self.install(source, raw=raw)
        if compiled.error is not None:
            return Outcome(False, compiled.error, 0, None, ())
        arguments = self._arguments(compiled.key, method, json.dumps(list(args)), str(limit))
        answer = json.loads(str(self.isolate.call(self._call, arguments, TIMEOUT_S)))
        text = answer["result"] if answer["ok"] else answer["error"]
        return Outcome(answer["ok"], text, answer["gas"], answer.get("dead"), tuple(answer["lines"]))

    def run(self, body: str, *args: object, before: str = "", limit: int = GAS_LIMIT) -> Outcome:
        """Calls `m(a, b)` with that body."""
        return self.call(contract(body, before), args, limit=limit)

    def close(self) -> None:
        """Closes both isolates."""
        self.isolate.close()
        self.compiler_isolate.close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes both isolates."""
        self.close()
