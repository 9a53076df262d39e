"""A VM service as a process of its own, with its workers; stopped or killed by its own pid."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.state_process import ROOT, StateProcess


class VmProcess(StateProcess):
    """One process and its workers; its log holds the workers' lines too."""

    def __init__(self, state_address: str, *, failpoints: str = "", **flags: object) -> None:
        """Starts it; `flags` are settings by field name."""
        settings = {"state_address": state_address, "port": 0, **flags}
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "vm_service", *options],
            cwd=ROOT,
            env={**os.environ, "V8VM_FAILPOINTS": failpoints},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[dict[str, object]] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def worker_pids(self) -> list[int]:
        """Process ids of its workers now, as the kernel sees them."""
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text("ascii")
        return [int(pid) for pid in children.split()]

    def kill_worker(self, pid: int) -> None:
        """Kills one of its workers as a crash would."""
        if pid not in self.worker_pids():
            raise AssertionError(f"{pid} is no worker of this service")
        os.kill(pid, signal.SIGKILL)


@contextmanager
def running(state_address: str, **options: object) -> Iterator[VmProcess]:
    """Runs a VM service and makes sure that it is gone afterwards."""
    process = VmProcess(state_address, **options)  # type: ignore[arg-type]
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.kill()
        else:
            process.wait()
