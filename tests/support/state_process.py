"""A state service as a process of its own: started on a free port, stopped or killed by its own pid."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAIT_S = 20


class StateProcess:
    """One process; its log is read by a thread, so that it never blocks on a full pipe."""

    def __init__(
        self,
        data_dir: Path,
        *,
        failpoints: str = "",
        environment: Mapping[str, str] | None = None,
        module: str = "state_service",
        **flags: object,
    ) -> None:
        """Starts it; `flags` are settings by field name."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
        self.popen = subprocess.Popen(
            [sys.executable, "-m", module, "--port=0", f"--data-dir={data_dir}", *options],
            cwd=ROOT,
            env={**os.environ, "V8VM_FAILPOINTS": failpoints, **(environment or {})},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[dict[str, object]] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            with self._news:
                try:
                    self.log.append(json.loads(line))
                except ValueError:
                    self.log.append({"event": "unreadable", "line": line.rstrip()})
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait_for(self, event: str, timeout_s: float = WAIT_S) -> dict[str, object]:
        """Waits until an event is in the log."""
        with self._news:
            if not self._news.wait_for(lambda: self.find(event) or not self._reader.is_alive(), timeout_s):
                raise AssertionError(f"no {event} within {timeout_s} s: {self.log}")
        found = self.find(event)
        if found is None:
            raise AssertionError(f"ended without {event}: {self.log}")
        return found

    def find(self, event: str) -> dict[str, object] | None:
        """Returns the newest log line of an event."""
        return next((line for line in reversed(self.log) if line.get("event") == event), None)

    @property
    def address(self) -> str:
        """Where it listens, once it does."""
        return f"127.0.0.1:{self.wait_for('service_ready')['port']}"

    def stop(self) -> int:
        """Asks it to stop and returns its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> int:
        """Kills it as a crash would."""
        self.popen.kill()
        return self.wait()

    def wait(self) -> int:
        """Waits for its end; kills it when that takes too long."""
        try:
            code = self.popen.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            code = self.popen.wait()
        self._reader.join(WAIT_S)
        if self.popen.stderr is not None:
            self.popen.stderr.close()
        return code


@contextmanager
def running(data_dir: Path, **options: object) -> Iterator[StateProcess]:
    """Runs a state service and makes sure that it is gone afterwards."""
    process = StateProcess(data_dir, **options)  # type: ignore[arg-type]
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.kill()
        else:
            process.wait()
