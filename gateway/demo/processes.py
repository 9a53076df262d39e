"""The three services as processes of this machine: ports, start, readiness, stop."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.channels import sync_channel

HOST = "127.0.0.1"

READY_TIMEOUT_S = 60.0
"""Seconds for one service to become ready: a start takes about one, on a loaded machine ten times that."""

STOP_TIMEOUT_S = 15.0
"""Seconds for one service to stop by itself; above the 10 s that services grant calls in progress."""

NOT_STARTED = "service_not_started"
"""Event in the log of a service that refuses to start, with the reason."""

_POLL_S = 0.05
_LOG_TAIL_LINES = 5


class PortBusyError(Exception):
    """A port is taken; the message is one line."""


class ServiceFailedError(Exception):
    """A service did not start or ended; the message is one line, `log` shows its last words."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class NotStartedError(ServiceFailedError):
    """A service refused to start and said why; its operator can mend it. The message is one line."""


@dataclass(frozen=True, slots=True)
class Program:
    """One service to run.

    Attributes:
        name: as people call it; also the name of its log.
        module: run with `python -m`.
        port: where it listens.
        flags: further flags.
    """

    name: str
    module: str
    port: int
    flags: Sequence[str] = ()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Returns the command line; the service ends when this process does, however it ends."""
        bound = (sys.executable, "-m", "gateway.demo.bound", str(os.getpid()))
        return [*bound, self.module, f"--host={HOST}", f"--port={self.port}", *self.flags]


def programs(data_dir: Path, *, gateway_port: int, vm_port: int, state_port: int) -> tuple[Program, Program, Program]:
    """Lists the services in the order in which they start: each finds those before it."""
    state = Program(
        "state",
        "state_service",
        state_port,
        (f"--data-dir={data_dir / 'state'}", f"--checkpoint-dir={data_dir / 'checkpoints'}"),
    )
    vm = Program("vm", "vm_service", vm_port, (f"--state-address={state.address}", f"--cache-dir={data_dir / 'vm'}"))
    gateway = Program(
        "gateway", "gateway", gateway_port, (f"--vm-address={vm.address}", f"--state-address={state.address}")
    )
    return state, vm, gateway


def check_ports(wanted: Sequence[Program]) -> None:
    """Raises PortBusyError when one of the ports cannot be listened on."""
    for program in wanted:
        with contextlib.closing(socket.socket()) as probe:
            # As servers do: a port whose last owner just left is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, program.port))
            except OSError as error:
                raise PortBusyError(
                    f"port {program.port} of the {program.name} service cannot be used ({error.strerror}); "
                    f"choose another with --{program.name}-port (make run {program.name.upper()}_PORT=...)"
                ) from None


class Service:
    """One running service."""

    def __init__(self, program: Program, log_dir: Path) -> None:
        """Starts the process; its output goes to a file of `log_dir`."""
        self.program = program
        self.log_file = log_dir / f"{program.name}.log"
        self._log: IO[bytes] = self.log_file.open("ab")
        # A session of its own: Ctrl-C reaches this program only, which then stops its services in order.
        self._process = subprocess.Popen(
            program.command(), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True
        )

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Waits until the service says that it serves.

        Raises:
            ServiceFailedError: it ended, or took too long.
        """
        deadline = time.monotonic() + timeout_s
        with sync_channel(self.program.address) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
            while time.monotonic() < deadline:
                self.check_running()
                try:
                    answer = check(health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=False)
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
                except grpc.RpcError:
                    pass  # Not listening yet.
                time.sleep(_POLL_S)
        raise self._failure(f"was not ready after {timeout_s:.0f} s")

    def check_running(self) -> None:
        """Raises ServiceFailedError when the process has ended."""
        if not self.running:
            raise self._failure(f"ended with exit code {self._process.returncode}")

    def _failure(self, what: str) -> ServiceFailedError:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        if reason := _refusal(lines):
            return NotStartedError(f"the {self.program.name} service does not start: {reason}")
        return ServiceFailedError(
            f"the {self.program.name} service {what}; see {self.log_file}", "\n".join(lines[-_LOG_TAIL_LINES:])
        )

    def stop(self) -> None:
        """Asks the process to stop, and ends it when it does not within its time."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def _refusal(lines: Sequence[str]) -> str:
    """Returns why a service refused to start, from the end of its log; empty when it did not say."""
    with contextlib.suppress(ValueError, IndexError):
        last = json.loads(lines[-1])
        if isinstance(last, dict) and last.get("event") == NOT_STARTED:
            return str(last.get("reason", ""))
    return ""


class Services:
    """The running services; leaving the `with` block stops them, the last one first."""

    def __init__(self, wanted: Sequence[Program], log_dir: Path) -> None:
        """Prepares; `start` runs them."""
        self._wanted = wanted
        self._log_dir = log_dir
        self._running: list[Service] = []

    def __enter__(self) -> "Services":
        return self

    def __exit__(self, *_: object) -> None:
        for service in reversed(self._running):
            service.stop()

    def start(self) -> None:
        """Starts one service after the other, each when the one before is ready.

        Raises:
            ServiceFailedError: one did not become ready.
        """
        self._log_dir.mkdir(parents=True, exist_ok=True)
        for program in self._wanted:
            service = Service(program, self._log_dir)
            self._running.append(service)
            service.wait_ready()

    def check_running(self) -> None:
        """Raises ServiceFailedError when one of them has ended."""
        for service in self._running:
            service.check_running()

    def alive(self, name: str) -> bool:
        """Tells whether the process of a service lives."""
        return any(service.running for service in self._running if service.program.name == name)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {service.program.name: service.pid for service in self._running}
