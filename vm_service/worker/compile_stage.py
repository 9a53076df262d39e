"""The compile stage inside a worker: the compiler isolate, made when it is first needed, and what it made lately.

Most batches call contracts whose images are installed; then there is no compiler at all.
"""

import json
from collections import OrderedDict

from vm_service.compiler.pipeline import Compiler, CompileResult, Inspection, TracedImage
from vm_service.model import Limits, Need
from vm_service.sandbox.isolate import Isolate

REMEMBERED = 64
"""Results kept: a published contract is called soon after, and a conflict compiles the same ones again."""

COMPILE_GRANTS = 5
"""Times of a transaction that compiling one source may take; the largest sources take a third of one."""


class CompileStage:
    """Compiles what the kernel needs."""

    def __init__(self, limits: Limits) -> None:
        """Prepares; the isolate is made at the first use."""
        self._limits = limits
        self._timeout_s = COMPILE_GRANTS * limits.transaction_ms / 1000
        self._isolate: Isolate | None = None
        self._compiler: Compiler | None = None
        self._results: OrderedDict[Need, CompileResult] = OrderedDict()

    def _ready(self) -> Compiler:
        if self._compiler is None:
            self._isolate = Isolate(heap_bytes=self._limits.heap_bytes, flags=self._limits.flags)
            self._compiler = Compiler(self._isolate)
        return self._compiler

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
        result = self._ready().compile(need.source, abi_json, need.validate, self._timeout_s, raw=need.raw)
        self._results[question] = result
        while len(self._results) > REMEMBERED:
            self._results.popitem(last=False)
        return result

    def compile_traced(self, source: str) -> TracedImage:
        """Compiles a source for tracing; the result is not remembered.

        Raises:
            IsolateError: this machine stopped the compiler.
        """
        return self._ready().compile_traced(source, self._timeout_s)

    def inspect(self, source: str, abi_json: str) -> Inspection:
        """Finds the place of a refusal in a source, and mistakes in one that is accepted; empty `abi_json`: derived.

        Raises:
            IsolateError: this machine stopped the compiler.
        """
        return self._ready().inspect(source, abi_json, self._timeout_s)

    def generate_abi(self, source: str) -> str:
        """Returns the ABI document of a source as JSON text.

        Raises:
            ValueError: the source breaks a rule of ABI generation.
            IsolateError: this machine stopped the compiler.
        """
        return self._ready().generate_abi(source, self._timeout_s)

    def close(self) -> None:
        """Closes the isolate; harmless when repeated."""
        if self._isolate is not None:
            self._isolate.close()
