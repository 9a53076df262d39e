"""`python -m vm_service.worker.image_builder CONFINED [FLAG ...]`: compiles sources for all workers of a service.

    stdin:  one JSON line for each source: {"source"}
    stdout: one JSON line: {"build_id"}; then one for each source, in order: {"key", "image", "meta", "code_bytes"},
            where `image` is empty for a source that this runtime refuses

An image is code that every worker runs, so it comes from here only: a process that reads sources and never runs a
contract. It compiles the text that it is given and names the image by the hash of that text. It leaves when it had to
be stopped; the next source gets a new process.
"""

import os
import signal
import sys
from typing import NoReturn

import msgspec

from vm_service.build import build_id
from vm_service.model import Limits, Need
from vm_service.sandbox.isolate import IsolateError
from vm_service.worker import confinement
from vm_service.worker.compile_stage import CompileStage


class Hello(msgspec.Struct, frozen=True):
    """The first line of a builder."""

    build_id: str
    """Names runtime, gas schedule and engine of its images."""


class Source(msgspec.Struct, frozen=True):
    """A source to compile."""

    source: str


class Built(msgspec.Struct, frozen=True):
    """What became of a source."""

    key: str
    image: str = ""
    meta: str = ""
    code_bytes: int = 0


def build(stage: CompileStage, source: str) -> Built:
    """Compiles a source.

    Raises:
        IsolateError: this machine stopped the compiler.
    """
    compiled = stage.compile(Need("", source))
    if compiled.error is not None:
        return Built(compiled.key)
    return Built(compiled.key, compiled.image, compiled.meta, compiled.code_bytes)


def main(is_confined: bool, flags: tuple[str, ...]) -> NoReturn:
    """Compiles until stdin ends; leaves with 0, or with 1 when the compiler was stopped."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    confinement.die_with_parent(os.getppid())
    confinement.limit_core_dumps()
    stage = CompileStage(Limits(flags=flags))
    build(stage, "")  # makes the isolate: its files cannot be opened later
    hello = Hello(build_id(flags))
    if is_confined:
        confinement.confine()
    code = 0
    try:
        _write(hello)
        for line in sys.stdin.buffer:
            _write(build(stage, msgspec.json.decode(line, type=Source).source))
    except (IsolateError, OSError) as error:
        sys.stderr.write(f"image builder: {type(error).__name__}: {error}\n")
        code = 1
    sys.stderr.flush()
    os._exit(code)


def _write(message: Hello | Built) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1] == "confined", tuple(sys.argv[2:]))
