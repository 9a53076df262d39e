"""What a confined process cannot do, tried from inside, and what it still can."""

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.support.vm_world import running
from vm_service.manager.supervisor import ENVIRONMENT

SCRIPT = """
import ctypes, errno, json, mmap, os, resource, socket, sys, threading
from vm_service.sandbox.isolate import DeadlineError, Isolate
from vm_service.worker import confinement
from vm_service.worker.process import rss_bytes

libc = ctypes.CDLL(None, use_errno=True)
ours, theirs = socket.socketpair()
isolate = Isolate(heap_bytes=64 << 20)
isolate.evaluate("1 + 1")
parent = os.getppid()
confinement.die_with_parent(parent)
confinement.limit_core_dumps()
limit = confinement.limit_memory(256 << 20)
core = resource.getrlimit(resource.RLIMIT_CORE)
assert confinement.confine()

def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    return 0 if result >= 0 else ctypes.get_errno()

NUMBERS = {numbers!r}
denied = {{name: call(number, *arguments) for name, (number, arguments) in NUMBERS.items()}}
denied["kill parent"] = call(62, parent, 0)
denied["pin parent"] = call(203, parent, 8, ctypes.byref(ctypes.c_uint64(1)))
denied["prlimit set"] = call(302, 0, 9, ctypes.byref((ctypes.c_uint64 * 2)(0, 0)), None)
denied["clone process"] = call(56, 17, 0, 0, 0, 0)

def tries(function):
    try:
        function()
        return "done"
    except OSError as error:
        return error.errno

python = {{
    "open": tries(lambda: open("/etc/passwd")),
    "socket": tries(socket.socket),
    "fork": tries(os.fork),
    "spawn": tries(lambda: os.posix_spawn("/bin/true", ["true"], {{}})),
}}
ours.send(b"x")
works = {{
    "socket": theirs.recv(1) == b"x",
    "rss": rss_bytes() > 0,
    "script": isolate.evaluate("let s = 0; for (let i = 0; i < 1e7; i++) s += i; s > 0"),
    "isolate": Isolate().evaluate("2 + 2") == 4,
}}
done = []
thread = threading.Thread(target=lambda: done.append(1))
thread.start(); thread.join()
works["thread"] = done == [1]
try:
    isolate.evaluate("while (true) {{}}", 0.1)
except DeadlineError:
    works["deadline"] = True
other = Isolate()
memory = other.evaluate("try {{ new ArrayBuffer(400 * 1024 * 1024); 'granted' }} catch (error) {{ error.name }}")
facts = {{"core": core, "data": resource.getrlimit(resource.RLIMIT_DATA)[0] == limit}}
print(json.dumps({{"denied": denied, "python": python, "works": works, "memory": memory, "facts": facts}}), flush=True)
os._exit(0)
"""

FORBIDDEN: dict[str, tuple[int, tuple[int, ...]]] = {
    "open": (2, (0, 0)),
    "openat": (257, (-100, 0, 0)),
    "openat2": (437, (-100, 0, 0, 0)),
    "creat": (85, (0, 0)),
    "unlink": (87, (0,)),
    "rename": (82, (0, 0)),
    "mkdir": (83, (0, 0)),
    "stat": (4, (0, 0)),
    "execve": (59, (0, 0, 0)),
    "execveat": (322, (0, 0, 0, 0, 0)),
    "fork": (57, ()),
    "vfork": (58, ()),
    "socket": (41, (2, 1, 0)),
    "connect": (42, (0, 0, 0)),
    "bind": (49, (0, 0, 0)),
    "listen": (50, (0, 0)),
    "accept": (43, (0, 0, 0)),
    "socketpair": (53, (1, 1, 0, 0)),
    "ptrace": (101, (0, 0, 0, 0)),
    "process_vm_readv": (310, (0, 0, 0, 0, 0, 0)),
    "process_vm_writev": (311, (0, 0, 0, 0, 0, 0)),
    "io_uring_setup": (425, (1, 0)),
    "bpf": (321, (0, 0, 0)),
    "perf_event_open": (298, (0, 0, -1, -1, 0)),
    "userfaultfd": (323, (0,)),
    "memfd_create": (319, (0, 0)),
    "mount": (165, (0, 0, 0, 0, 0)),
    "unshare": (272, (0,)),
    "setns": (308, (0, 0)),
    "chroot": (161, (0,)),
    "setuid": (105, (0,)),
    "keyctl": (250, (0, 0, 0, 0, 0)),
    "init_module": (175, (0, 0, 0)),
    "reboot": (169, (0, 0, 0, 0)),
    "pidfd_open": (434, (1, 0)),
    "seccomp": (317, (0, 0, 0)),
    "personality": (135, (0,)),
    "setrlimit": (160, (9, 0)),
    "ioctl TIOCSTI": (16, (0, 0x5412, 0)),
    "prctl PDEATHSIG": (157, (1, 0, 0, 0, 0)),
}
"""System calls that must be refused, by name: x86-64 number and arguments."""

EPERM = 1


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    script = textwrap.dedent(SCRIPT).format(numbers=FORBIDDEN)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", [*FORBIDDEN, "kill parent", "pin parent", "prlimit set", "clone process"])
def test_a_forbidden_system_call_is_refused(report: dict[str, Any], name: str) -> None:
    assert report["denied"][name] == EPERM


def test_python_cannot_do_it_either(report: dict[str, Any]) -> None:
    assert set(report["python"].values()) == {EPERM}


def test_what_a_worker_needs_still_works(report: dict[str, Any]) -> None:
    assert report["works"] == dict.fromkeys(("socket", "rss", "script", "isolate", "thread", "deadline"), True)


def test_memory_outside_of_the_heap_is_refused_and_not_fatal(report: dict[str, Any]) -> None:
    assert report["memory"] == "RangeError"


def test_limits_are_set(report: dict[str, Any]) -> None:
    assert report["facts"]["core"] == [0, 0]
    assert report["facts"]["data"]


def test_workers_are_confined_and_die_with_their_manager(tmp_path: Path) -> None:
    with running(tmp_path, users=2) as world:
        assert world.vm is not None
        world.execute(world.signer.transfer(*world.users))
        pids = world.vm.worker_pids()
        listing = world.workers.ListWorkers(worker_pb.ListWorkersRequest())
        ready = [worker.pid for worker in listing.workers if worker.uptime_ms > 0]
        assert ready
        for pid in ready:
            status = Path(f"/proc/{pid}/status").read_text("ascii")
            fields = dict(line.split(":", 1) for line in status.splitlines())
            assert fields["NoNewPrivs"].strip() == "1"
            assert fields["Seccomp"].strip() == "2"
            links = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
            kinds = {link.partition(":")[0] for link in links}
            assert kinds == {"/dev/null", "pipe", "anon_inode", "socket", f"/proc/{pid}/statm"}  # pipe: the log
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert sorted(environment.decode().split("\0")) == ["", *sorted(map("=".join, ENVIRONMENT.items()))]
        world.vm.kill()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in pids):
            time.sleep(0.02)
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
