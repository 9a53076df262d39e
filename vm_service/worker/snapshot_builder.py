"""`python -m vm_service.worker.snapshot_builder MODE`: makes startup snapshots, in processes that do nothing else.

    build    request on stdin (JSON), key of the snapshot on stdout: reads the hot contracts' sources from the store,
             compiles them, has `make` and `test` run, writes the file
    make     script on stdin, blob on stdout: in a process without isolates
    test     blob on stdin, digest of the self-test on stdout: in a process that adopts the blob first

A snapshot is made of sources only: runtime files of this installation and contract sources from the store. It is
written only when a sandbox started from it gives, in the self-test, what one started from sources gave.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from chassis.errors import ServiceError
from vm_service.compiler.pipeline import CompileResult
from vm_service.model import Limits, Need
from vm_service.sandbox import snapshot
from vm_service.sandbox.isolate import IsolateError
from vm_service.worker import confinement
from vm_service.worker.channel import EXIT_DETACHED
from vm_service.worker.compile_stage import CompileStage
from vm_service.worker.executor import Executor
from vm_service.worker.selftest import SeedReader
from vm_service.worker.snapshot_store import Snapshot, SnapshotStore
from vm_service.worker.state_client import StateClient
from vm_service.worker.state_reader import read_sources

STEP_SECONDS = 30
"""Time for `make` and for `test`; each takes about half a second."""

CONNECT_SECONDS = 10


class Request(msgspec.Struct, frozen=True):
    """What to build."""

    state_target: str
    """Where contract sources are read; empty: no contracts."""
    folder: str
    """Where the snapshot goes."""
    contracts: list[str] = []
    """Hot contracts, the most used first."""
    flags: tuple[str, ...] = ()
    """V8 flags beyond the fixed ones."""
    max_message_bytes: int = 64 << 20
    """Largest message of the store."""


@dataclass(frozen=True, slots=True)
class HotContract:
    """A contract that goes into a snapshot."""

    id: str
    compiled: CompileResult


def compile_all(sources: Mapping[str, str], flags: tuple[str, ...]) -> list[HotContract]:
    """Compiles contracts; leaves out what this runtime refuses."""
    stage = CompileStage(Limits(flags=flags))
    try:
        compiled = [(name, stage.compile(Need("", source))) for name, source in sources.items()]
    finally:
        stage.close()
    return [HotContract(name, result) for name, result in compiled if result.error is None]


def build(request: Request) -> str:
    """Makes, tests and writes a snapshot; returns its key. One that exists already is left alone.

    Raises:
        SnapshotError: it cannot be made, or does not pass its test.
    """
    contracts = compile_all(_sources(request), request.flags)
    images = {item.compiled.key: item.compiled for item in contracts}
    key = snapshot.key(request.flags, images)
    folder = SnapshotStore(Path(request.folder))
    if folder.path(key).exists():
        return key
    script = snapshot.source((name, result.image, result.meta) for name, result in sorted(images.items()))
    blob = run_step("make", request.flags, script.encode())
    expected = _expected(request.flags)
    found = run_step("test", request.flags, blob).decode()
    if found != expected:
        raise snapshot.SnapshotError("the self-test gives other results from the snapshot than from sources")
    by_contract = {item.id: item.compiled.key for item in contracts}
    sizes = {name: len(result.image) for name, result in images.items()}
    folder.write(Snapshot(key, by_contract, sizes, expected, blob))
    return key


def _sources(request: Request) -> Mapping[str, str]:
    if not request.contracts or not request.state_target:
        return {}
    store = StateClient(request.state_target, max_message_bytes=request.max_message_bytes, timeout_ms=10_000)
    try:
        store.connect(CONNECT_SECONDS)
        return read_sources(store, request.contracts)
    finally:
        store.close()


def _expected(flags: tuple[str, ...]) -> str:
    with Executor(SeedReader(), limits=Limits(flags=flags)) as executor:
        return executor.rehearse()


def run_step(mode: str, flags: tuple[str, ...], content: bytes) -> bytes:
    """Runs another mode in a process of its own; returns what it wrote.

    Raises:
        SnapshotError: it failed.
    """
    command = [sys.executable, "-I", "-m", "vm_service.worker.snapshot_builder", mode, *flags]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=STEP_SECONDS, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        raise snapshot.SnapshotError(f"{mode}: {type(error).__name__}") from error
    return done.stdout


def _make(flags: tuple[str, ...], script: bytes) -> bytes:
    return snapshot.build(script.decode(), flags)


def _test(flags: tuple[str, ...], blob: bytes) -> bytes:
    snapshot.adopt(blob, flags)
    executor = Executor(SeedReader(), limits=Limits(flags=flags))
    if not executor.from_snapshot:
        raise snapshot.SnapshotError("the sandbox did not start from the snapshot")
    return executor.rehearse().encode()


def main(mode: str, flags: tuple[str, ...]) -> NoReturn:
    """Runs a mode; leaves with 0, or with a line on stderr and 1, or 5 when the state service does not answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    confinement.die_with_parent(os.getppid())
    confinement.limit_core_dumps()
    content = sys.stdin.buffer.read()
    code = 0
    try:
        if mode == "build":
            output = build(msgspec.json.decode(content, type=Request)).encode()
        else:
            output = {"make": _make, "test": _test}[mode](flags, content)
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
    except (snapshot.SnapshotError, IsolateError, ServiceError, OSError) as error:
        sys.stderr.write(f"snapshot {mode}: {error}\n")
        code = EXIT_DETACHED if isinstance(error, ServiceError) else 1
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], tuple(sys.argv[2:]))
