"""The services under test: one state service, two VM services, each with a link to it, and two gateways."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from gateway.demo.processes import Program, Service
from tests.fault.consistency.links import Link
from tests.support.node import free_ports

READY_S = 60
STATE_FLAGS = ("--retained-versions=300",)

GARBLED = "Invalid encoding on b"
"""How grpcio logs the details of a failed call that are no text: a worker may open no second connection."""


class Part:
    """One service that is started, paused, stopped and killed again and again, by its own process id."""

    def __init__(self, program: Program, log_dir: Path) -> None:
        self.program = program
        self._log_dir = log_dir
        self._service: Service | None = None

    @property
    def name(self) -> str:
        """As people call it."""
        return self.program.name

    @property
    def address(self) -> str:
        """Where it answers."""
        return self.program.address

    async def start(self, *flags: str) -> None:
        """Starts it and waits until it serves; `flags` are for this start only."""
        program = Program(self.name, self.program.module, self.program.port, (*self.program.flags, *flags))
        self._service = Service(program, self._log_dir)
        await asyncio.to_thread(self._service.wait_ready, READY_S)

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self._service is not None, "it was started"
        return self._service.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._service is not None and self._service.running

    def workers(self) -> list[int]:
        """Process ids of its children now."""
        with contextlib.suppress(OSError):
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    async def end(self, number: signal.Signals) -> None:
        """Sends a signal that ends it, and waits for the end."""
        assert self._service is not None, "it was started"
        send(self.pid, number)
        while self._service.running:  # noqa: ASYNC110 - a process has no event
            await asyncio.sleep(0.01)
        self._service.stop()  # closes its log


def send(pid: int, number: signal.Signals) -> None:
    """Sends a signal to a process that may have gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class Stack:
    """All services of one run, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._logs = folder / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        state, *links, vm0, vm1, gateway0, gateway1 = free_ports(7)
        self.links = [Link(port, state) for port in links]
        state_flags = (f"--data-dir={folder / 'state'}", f"--checkpoint-dir={folder / 'checkpoints'}", *STATE_FLAGS)
        self.state = self._part("state", "state_service", state, state_flags)
        self.vms = [
            self._part(
                f"vm{place}",
                "vm_service",
                port,
                (f"--state-address=127.0.0.1:{link.port}", f"--cache-dir={folder / f'vm{place}'}"),
            )
            for place, (port, link) in enumerate(zip((vm0, vm1), self.links, strict=True))
        ]
        vm_address = ",".join(vm.address for vm in self.vms)
        self.gateways = [
            self._part(
                f"gateway{place}",
                "gateway",
                port,
                (f"--vm-address={vm_address}", f"--state-address={self.state.address}"),
            )
            for place, port in enumerate((gateway0, gateway1))
        ]

    def _part(self, name: str, module: str, port: int, flags: Sequence[str]) -> Part:
        return Part(Program(name, module, port, flags), self._logs)

    @property
    def parts(self) -> list[Part]:
        """All services, in the order in which they start."""
        return [self.state, *self.vms, *self.gateways]

    def tracebacks(self) -> list[str]:
        """Returns log lines of all services that hold a traceback: each is a bug, whatever the fault."""
        lines = (line for log in self._logs.glob("*.log") for line in log.read_text(errors="replace").splitlines())
        return [line for line in lines if "Traceback" in line and GARBLED not in line]


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Stack]:
    """Starts all services; ends them afterwards, whatever state the faults left them in."""
    stack = Stack(folder)
    try:
        for link in stack.links:
            await link.start()
        for part in stack.parts:
            await part.start()
        yield stack
    finally:
        for part in reversed(stack.parts):
            if part.running:
                send(part.pid, signal.SIGCONT)
                for pid in part.workers():
                    send(pid, signal.SIGCONT)
                await _end(part)
        for link in stack.links:
            await link.stop()


async def _end(part: Part) -> None:
    started = time.monotonic()
    try:
        async with asyncio.timeout(20):
            await part.end(signal.SIGTERM)
    except TimeoutError:
        await part.end(signal.SIGKILL)
        raise AssertionError(f"{part.name} did not stop within {time.monotonic() - started:.0f} s") from None
