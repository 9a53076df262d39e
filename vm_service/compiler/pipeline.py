"""The compile stage of language v1, from contract text to an image that a worker installs.

Data: source and ABI go into the compiler isolate, which parses, checks, rewrites and prints but never runs contract
code; JSON comes back. The image is then parsed once more as a whole, so that an error the engine would report while it
reads a script is known here, before any call.

INVARIANT: equal source and runtime give equal results, on every machine: limits are counted, never timed.
"""

import hashlib
import json
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from vm_service import runtime
from vm_service.sandbox.isolate import Handle, Isolate, ScriptError

RAW: Final = "raw\0"
"""Prefix that keeps the key of code left as it is apart from the key of the same code rewritten."""

TRACED: Final = "trace:"
"""Prefix of the keys of traced images; the runtime knows their scripts by it (v1/17_trace.js)."""

_SYNTAX_ERROR: Final = re.compile(r"SyntaxError: [^\n]*")
_EARLY_ERROR_IMAGE: Final = "(function () {})"


@dataclass(frozen=True, slots=True)
class CompileResult:
    """What the compile stage found or made."""

    key: str
    """Hex SHA-256 of the source: the image's name, and the code hash of a published contract."""

    error: str | None = None
    """Why the contract is refused, in the chain's words; the other fields are then empty."""

    image: str = ""
    """Script whose value is the contract's factory."""

    meta: str = "{}"
    """JSON that is handed over with the factory: names the contract needs, or the error that every call ends with."""

    reference: str = ""
    """The instrumented code as the reference would store it."""

    code_bytes: int = 0
    """Length of `reference` in UTF-8: decides cost and RAM of publishing."""

    methods: tuple[str, ...] = ()
    """Public methods of the exported class, in source order."""


@dataclass(frozen=True, slots=True)
class TracedImage:
    """An image whose script knows its source. It charges the same gas as the ordinary image of the source."""

    key: str
    """Name of the image and of its script."""

    source: str
    """The author's text."""

    image: str = ""
    """Script whose value is the contract's factory."""

    meta: str = "{}"
    """As in CompileResult."""

    positions: "array[int]" = field(default_factory=lambda: array("I"))
    """Of each part of the script: start, end, line from 1, column from 0; outer parts stand before inner ones."""

    error: str | None = None
    """Why the contract cannot be compiled; the other fields are then empty."""

    def place(self, offset: int) -> tuple[int, int]:
        """Returns line from 1 and column from 0 in the source for an offset in the script; (0, 0) when not known."""
        inner = (0, 0)
        for at in range(0, len(self.positions), 4):
            start, end, line, column = self.positions[at : at + 4]
            if start <= offset < end:
                inner = (line, column)
        return inner


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake in a source that publishing accepts."""

    message: str
    line: int
    """From 1; 0: not known."""
    column: int
    """From 0, in UTF-16 units."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an author is told of a source beyond the answer of publishing."""

    place: tuple[int, int] | None
    """Line from 1 and column from 0 of the refusal; None: accepted, or of no place."""
    problems: Sequence[Problem]
    """Mistakes in an accepted source."""


def image_key(source: str, *, raw: bool = False) -> str:
    """Returns the key of a source's image: the hash of the source, so that what the chain stores names no runtime.

    Within one isolate there is one runtime; what outlives an isolate is named by the runtime's digest as well.
    """
    text = f"{RAW}{source}" if raw else source
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Compiler:
    """Drives the compiler isolate. REQUIRES: the isolate belongs to it alone and outlives it."""

    def __init__(self, isolate: Isolate) -> None:
        """Loads the compile stage's scripts into an isolate.

        Raises:
            IsolateError: a script does not load.
        """
        self._isolate = isolate
        isolate.evaluate("globalThis.V8VM = {}; 0")
        for _, text in runtime.compiler_sources():
            isolate.evaluate(text + "\n;0")

    @cached_property
    def _compile(self) -> Handle:
        return self._door("compile")

    @cached_property
    def _traced(self) -> Handle:
        return self._door("compileTraced")

    @cached_property
    def _inspect(self) -> Handle:
        return self._door("inspect")

    @cached_property
    def _abi(self) -> Handle:
        return self._door("generateAbi")

    def _door(self, name: str) -> Handle:
        door = self._isolate.evaluate(f"V8VM.{name}")
        assert isinstance(door, Handle)
        return door

    def compile(
        self, source: str, abi_json: str, validate: bool, timeout_s: float | None = None, *, raw: bool = False
    ) -> CompileResult:
        """Compiles a contract.

        Args:
            source: the contract's text.
            abi_json: its ABI document as JSON; read only when `validate` is set.
            validate: whether the source is checked against the ABI first, as publishing does.
            timeout_s: deadline; passing it condemns the isolate.
            raw: leave the code as it is, without checks, rewriting or gas: what an operator presets.

        Raises:
            IsolateError: the isolate was stopped, never because of what the contract says.
        """
        key = image_key(source, raw=raw)
        switches = ("true" if validate else "false", "true" if raw else "false")
        answer = self._ask(self._compile, source, abi_json, *switches, timeout_s=timeout_s)
        if "error" in answer:
            return CompileResult(key=key, error=answer["error"])
        image, meta = self._image(answer, timeout_s)
        reference = answer["reference"]
        return CompileResult(
            key=key,
            image=image,
            meta=meta,
            reference=reference,
            code_bytes=len(reference.encode("utf-8", "surrogatepass")),
            methods=tuple(answer["methods"]),
        )

    def compile_traced(self, source: str, timeout_s: float | None = None) -> TracedImage:
        """Compiles a contract that was accepted before, for a run whose failures are traced.

        Raises:
            IsolateError: the isolate was stopped, never because of what the contract says.
        """
        key = TRACED + image_key(source)
        answer = self._ask(self._traced, source, timeout_s=timeout_s)
        if "error" in answer:
            return TracedImage(key, source, error=answer["error"])
        image, meta = self._image(answer, timeout_s)
        return TracedImage(key, source, f"{image}\n//# sourceURL={key}", meta, array("I", answer["positions"]))

    def inspect(self, source: str, abi_json: str, timeout_s: float | None = None) -> Inspection:
        """Finds the place of a refusal in a source, and mistakes in one that is accepted.

        Args:
            source: the contract's text.
            abi_json: its ABI document as JSON; empty: derived from the source.
            timeout_s: deadline; passing it condemns the isolate.

        Raises:
            IsolateError: the isolate was stopped, never because of what the contract says.
        """
        answer = self._ask(self._inspect, source, abi_json, timeout_s=timeout_s)
        place = answer["place"]
        problems = [Problem(item["message"], item["line"], item["column"]) for item in answer["problems"]]
        return Inspection((place["line"], place["column"]) if place else None, problems)

    def _image(self, answer: Mapping[str, Any], timeout_s: float | None) -> tuple[str, str]:
        """Returns script and meta of an image, or of one whose every call fails with the error of its text."""
        failure = answer.get("failure") or self._early_error(answer["text"], timeout_s)
        image = answer["text"] if failure is None else _EARLY_ERROR_IMAGE
        return image, json.dumps({"endowments": answer["endowments"] if failure is None else [], "failure": failure})

    def generate_abi(self, source: str, timeout_s: float | None = None) -> str:
        """Returns the ABI document of a source as indented JSON, as contract tooling writes it.

        Args:
            source: the contract's text.
            timeout_s: deadline; passing it condemns the isolate.

        Raises:
            ValueError: the source breaks a rule of ABI generation; the text says which.
            IsolateError: the isolate was stopped, never because of what the contract says.
        """
        answer = self._ask(self._abi, source, timeout_s=timeout_s)
        if "error" in answer:
            raise ValueError(answer["error"])
        return str(answer["abi"])

    def _ask(self, door: Handle, *texts: str, timeout_s: float | None = None) -> dict[str, Any]:
        arguments = self._isolate.evaluate("[]")
        assert isinstance(arguments, Handle)
        for text in texts:
            self._isolate.push(arguments, text)
        try:
            answer = self._isolate.call(door, arguments, timeout_s)
        except ScriptError as error:  # refusals are answers: this is a bug of the compile stage
            raise self._isolate.broken(f"the compiler threw: {error}") from error
        self._isolate.release(arguments)
        assert isinstance(answer, str)
        result: dict[str, Any] = json.loads(answer)
        return result

    def _early_error(self, image: str, timeout_s: float | None) -> str | None:
        """Returns the error that V8 reports for the image without running it, or None."""
        try:
            factory = self._isolate.evaluate(image, timeout_s)
        except ScriptError as error:
            found = _SYNTAX_ERROR.search(str(error))
            return found.group() if found else "SyntaxError: Invalid or unexpected token"
        assert isinstance(factory, Handle)
        self._isolate.release(factory)
        return None
