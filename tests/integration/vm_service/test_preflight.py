"""Reasons for which a service cannot start: one line, exit code 2, no trace."""

import ctypes
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.demo.processes import NotStartedError, Program, Service
from tests.support.node import free_ports
from vm_service import preflight
from vm_service.config import VmConfig

ROOT = Path(__file__).parents[3]
GIB = 1 << 30
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1


def limited(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, value))


def no_executable_memory() -> None:
    if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
        os._exit(77)


def ended(module: str, *flags: str, prepare: Callable[[], None] = lambda: None) -> str:
    """Starts a service that must not start; returns the one line that it says."""
    command = [sys.executable, "-m", module, "--port=0", *flags]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, preexec_fn=prepare, check=False
    )
    if done.returncode == 77:
        pytest.skip("the kernel cannot refuse executable memory")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert told["event"] == "service_not_started"
    assert "exception" not in told
    return str(told["reason"])


def test_too_little_address_space_for_v8_is_recognised(tmp_path: Path) -> None:
    reason = ended("vm_service", f"--cache-dir={tmp_path}", prepare=limited(resource.RLIMIT_AS, 64 * GIB))
    assert "V8 cannot reserve" in reason
    assert "ulimit -v" in reason


def test_memory_that_may_not_become_executable_is_recognised(tmp_path: Path) -> None:
    reason = ended("vm_service", f"--cache-dir={tmp_path}", prepare=no_executable_memory)
    assert "--jitless" in reason


@pytest.mark.parametrize("module", ["gateway", "vm_service", "state_service"])
@pytest.mark.parametrize(
    ("kind", "limit", "word"),
    [(resource.RLIMIT_NOFILE, 30, "ulimit -n"), (resource.RLIMIT_AS, GIB * 3 // 4, "ulimit -v")],
    ids=["files", "address space"],
)
def test_limits_that_are_too_low_are_recognised_by_every_service(
    tmp_path: Path, module: str, kind: int, limit: int, word: str
) -> None:
    flags = [f"--data-dir={tmp_path}"] if module == "state_service" else []
    assert word in ended(module, *flags, prepare=limited(kind, limit))


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "folder"
    assert str(folder) in ended("state_service", f"--data-dir={folder}")


def test_what_this_machine_grants_is_enough() -> None:
    preflight.check(VmConfig())


def test_the_demonstration_tells_the_reason_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "folder"
    program = Program("state", "state_service", free_ports(1)[0], (f"--data-dir={folder}",))
    service = Service(program, tmp_path)
    try:
        with pytest.raises(NotStartedError, match=f"the state service does not start: .*{folder}") as caught:
            service.wait_ready()
        assert "\n" not in str(caught.value)
    finally:
        service.stop()
