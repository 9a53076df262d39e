"""The compile stage inside a worker: the compiler isolate, made when it is first needed, and what it made lately.

Most batches call contracts whose images are installed; then there is no compiler at all.

V8 measures the heap with all garbage, so the memory that a source needs depends on the sources before it. The stage
therefore collects garbage after MAX_UNSWEPT_CHARS, and compiles a source that met the heap limit once more in a fresh
isolate. The isolate is given up only when a source meets the limit in a fresh one.
"""

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

from vm_service.compiler.pipeline import Compiler, CompileResult, Inspection, TracedImage, image_key
from vm_service.model import Limits, Need
from vm_service.sandbox.isolate import Isolate, OutOfMemoryError

REMEMBERED = 64
"""Results kept: a published contract is called soon after, and a conflict compiles the same ones again."""

COMPILE_GRANTS = 5
"""Times of a transaction that compiling one source may take; the largest sources take a third of one."""


MAX_UNSWEPT_CHARS = 65_536
"""Characters of sources between two collections: one of the largest. A collection takes a fiftieth of compiling it."""

Result = TypeVar("Result")


class Shared(Protocol):
    """Images that others keep."""

    def find(self, key: str, source: str) -> CompileResult | None:
        """Returns the image of a source, without its reference form; None: there is none."""
        ...

    def offer(self, source: str) -> None:
        """Tells that a source was compiled here."""
        ...


class CompileStage:
    """Compiles what the kernel needs."""

    def __init__(self, limits: Limits, shared: Shared | None = None) -> None:
        """Prepares; the isolate is made at the first use.

        Args:
            limits: what compiling is granted on this machine.
            shared: asked before a contract is compiled that was published before.
        """
        self._limits = limits
        self._shared = shared
        self._timeout_s = COMPILE_GRANTS * limits.transaction_ms / 1000
        self._isolate: Isolate | None = None
        self._compiler: Compiler | None = None
        self._unswept_chars = 0
        self._results: OrderedDict[Need, CompileResult] = OrderedDict()

    def _ready(self) -> Compiler:
        if self._compiler is None:
            self._isolate = Isolate(heap_bytes=self._limits.heap_bytes, flags=self._limits.flags)
            self._compiler = Compiler(self._isolate)
            self._unswept_chars = 0
        return self._compiler

    def _use(self, source: str, ask: Callable[[Compiler], Result]) -> Result:
        """Asks the compiler about a source.

        Raises:
            IsolateError: this machine stopped the compiler.
        """
        is_fresh = self._compiler is None
        try:
            return self._ask(source, ask)
        except OutOfMemoryError:
            if is_fresh:
                raise
        self._renew()
        return self._ask(source, ask)

    def _ask(self, source: str, ask: Callable[[Compiler], Result]) -> Result:
        compiler = self._ready()
        assert self._isolate is not None
        if self._unswept_chars > MAX_UNSWEPT_CHARS:
            self._isolate.collect_garbage()
            self._unswept_chars = 0
        self._unswept_chars += len(source)
        result = ask(compiler)
        if self._isolate.condemned:  # met its limit at the very end
            self._renew()
        return result

    def _renew(self) -> None:
        """Gives the isolate up; the next source gets a fresh one."""
        self.close()
        self._isolate = self._compiler = None

    def compile(self, need: Need) -> CompileResult:
        """Compiles a source.

        Raises:
            IsolateError: this machine stopped the compiler; it takes no more work.
        """
        abi_json = need.abi if isinstance(need.abi, str) else json.dumps(need.abi) if need.abi is not None else ""
        question = Need("", need.source, abi_json, need.validate, need.raw)
        known = self._results.get(question)
        if known is not None:
            self._results.move_to_end(question)
            return known
        result = self._find_shared(need) or self._compile(need, abi_json)
        self._results[question] = result
        while len(self._results) > REMEMBERED:
            self._results.popitem(last=False)
        return result

    def _find_shared(self, need: Need) -> CompileResult | None:
        if self._shared is None or need.validate or need.raw:
            return None
        return self._shared.find(image_key(need.source), need.source)

    def _compile(self, need: Need, abi_json: str) -> CompileResult:
        result = self._use(
            need.source,
            lambda compiler: compiler.compile(need.source, abi_json, need.validate, self._timeout_s, raw=need.raw),
        )
        if self._shared is not None and result.error is None and not need.raw:
            self._shared.offer(need.source)
        return result

    def compile_traced(self, source: str) -> TracedImage:
        """Compiles a source for tracing; the result is not remembered.

        Raises:
            IsolateError: this machine stopped the compiler.
        """
        return self._use(source, lambda compiler: compiler.compile_traced(source, self._timeout_s))

    def inspect(self, source: str, abi_json: str) -> Inspection:
        """Finds the place of a refusal in a source, and mistakes in one that is accepted; empty `abi_json`: derived.

        Raises:
            IsolateError: this machine stopped the compiler.
        """
        return self._use(source, lambda compiler: compiler.inspect(source, abi_json, self._timeout_s))

    def generate_abi(self, source: str) -> str:
        """Returns the ABI document of a source as JSON text.

        Raises:
            ValueError: the source breaks a rule of ABI generation.
            IsolateError: this machine stopped the compiler.
        """
        return self._use(source, lambda compiler: compiler.generate_abi(source, self._timeout_s))

    @property
    def condemned(self) -> bool:
        """Whether the compiler isolate was stopped or failed: it takes no more work."""
        return self._isolate is not None and self._isolate.condemned

    def close(self) -> None:
        """Closes the isolate; harmless when repeated."""
        if self._isolate is not None:
            self._isolate.close()
