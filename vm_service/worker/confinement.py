"""What a worker process gives up before it takes work (docs/security.md, layer 4).

* it dies with its parent, writes no core dump, gains no privileges;
* its data segment may grow by a fixed amount: memory that the heap limit does not see ends it, not the machine;
* a seccomp filter lets through only the system calls that V8, Python and an open gRPC connection need. Whatever else is
  asked for fails with EPERM: no file is opened, no socket made or connected, no program started, no process touched.

The filter is a list of what is allowed: a system call that nobody thought of is denied. Threads are made with `clone`;
`clone3` answers ENOSYS, since its flags cannot be looked at, and glibc then falls back to `clone`.
"""

import ctypes
import errno
import logging
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38
SYS_SECCOMP: Final = 317
SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_TSYNC: Final = 1
AUDIT_ARCH_X86_64: Final = 0xC000003E
CLONE_THREAD: Final = 0x00010000

ALLOWED: Final[dict[str, int]] = {
    # memory
    "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "mremap": 25, "msync": 26, "mincore": 27, "madvise": 28,
    "pkey_mprotect": 329, "pkey_alloc": 330, "pkey_free": 331, "membarrier": 324,
    # what is open already
    "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "pread64": 17, "readv": 19, "writev": 20, "pipe2": 293,
    "dup": 32, "fcntl": 72, "poll": 7, "ppoll": 271, "select": 23, "pselect6": 270, "epoll_create1": 291,
    "epoll_ctl": 233, "epoll_wait": 232, "epoll_pwait": 281, "epoll_pwait2": 441, "eventfd2": 290,
    "timerfd_create": 283, "timerfd_settime": 286,
    # connections that are open already
    "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "sendmmsg": 307, "recvmmsg": 299, "shutdown": 48,
    "getsockname": 51, "getpeername": 52, "setsockopt": 54, "getsockopt": 55,
    # threads and time
    "futex": 202, "futex_waitv": 449, "set_robust_list": 273, "get_robust_list": 274, "rseq": 334, "gettid": 186,
    "set_tid_address": 218, "sched_yield": 24, "sched_getaffinity": 204,
    "sched_getparam": 143, "sched_getscheduler": 145, "getpriority": 140, "nanosleep": 35, "clock_nanosleep": 230,
    "clock_gettime": 228, "clock_getres": 229, "gettimeofday": 96, "time": 201, "getcpu": 309, "restart_syscall": 219,
    # signals to itself
    "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "rt_sigtimedwait": 128, "sigaltstack": 131,
    # who and what it is
    "getpid": 39, "getppid": 110, "getuid": 102, "geteuid": 107, "getgid": 104, "getegid": 108, "getrusage": 98,
    "sysinfo": 99, "uname": 63, "getrlimit": 97, "getrandom": 318, "times": 100, "arch_prctl": 158,
    # the end
    "exit": 60, "exit_group": 231,
}  # fmt: skip
"""System calls that are allowed whatever their arguments, by name and x86-64 number."""

_IOCTL, _CLONE, _CLONE3, _KILL, _TGKILL, _PRLIMIT64, _PRCTL = 16, 56, 435, 62, 234, 302, 157
_IOCTLS: Final = (0x541B, 0x5421, 0x5401)  # FIONREAD, FIONBIO, TCGETS
_PRCTLS: Final = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA


class ConfinementError(Exception):
    """The process could not give up what it must."""


# -- the filter, classic BPF -------------------------------------------------------------------------------------------

_LOAD, _EQUAL, _BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_ALLOW: Final = 0x7FFF0000
_DENY: Final = 0x00050000  # | errno

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant; jumps count instructions to leave out."""


def _argument(index: int, *, high: bool = False) -> int:
    return 16 + 8 * index + (4 if high else 0)


def _returns(value: int) -> list[Instruction]:
    return [(_RETURN, 0, 0, value)]


def _when(number: int, body: Sequence[Instruction]) -> list[Instruction]:
    """Runs `body` for one system call; it must return. REQUIRES: the number is loaded."""
    return [(_EQUAL, 0, len(body), number), *body]


def _any_of(offset: int, values: Iterable[int]) -> list[Instruction]:
    """Allows the call if a word of its arguments is one of the values."""
    body: list[Instruction] = [(_LOAD, 0, 0, offset)]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return body + _returns(_DENY | errno.EPERM)


def program(pid: int) -> list[Instruction]:
    """Returns the filter for a process."""
    deny = _returns(_DENY | errno.EPERM)
    null_pointer = [
        (_LOAD, 0, 0, _argument(2)),
        (_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, _argument(2, high=True)),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        *deny,
    ]
    thread = [(_LOAD, 0, 0, _argument(0)), (_BITS, 0, 1, CLONE_THREAD), (_RETURN, 0, 0, _ALLOW), *deny]
    parts: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, AUDIT_ARCH_X86_64),
        *deny,
        (_LOAD, 0, 0, _NUMBER),
    ]
    for number in ALLOWED.values():
        parts += _when(number, _returns(_ALLOW))
    parts += _when(_CLONE3, _returns(_DENY | errno.ENOSYS))
    parts += _when(_CLONE, thread)
    parts += _when(_IOCTL, _any_of(_argument(1), _IOCTLS))
    parts += _when(_PRCTL, _any_of(_argument(0), _PRCTLS))
    parts += _when(_KILL, _any_of(_argument(0), (pid,)))
    parts += _when(_TGKILL, _any_of(_argument(0), (pid,)))
    parts += _when(_PRLIMIT64, null_pointer)
    return parts + deny


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _install_filter() -> None:
    instructions = program(os.getpid())
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(code, len(code))
    prog = _Program(len(instructions), ctypes.addressof(buffer))
    # TSYNC: for the threads that V8 and gRPC have started already, too
    result = _libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(prog))
    if result != 0:
        raise ConfinementError(f"seccomp: {os.strerror(ctypes.get_errno()) if result < 0 else f'thread {result}'}")


# -- the steps ---------------------------------------------------------------------------------------------------------


def die_with_parent(parent: int) -> None:
    """Lets the kernel kill this process when the thread that made it ends; leaves at once if that has happened."""
    if _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise ConfinementError(f"PR_SET_PDEATHSIG: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        os._exit(0)


def limit_core_dumps() -> None:
    """Forbids core dumps: they would hold contract state, and take seconds to write."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_memory(margin_bytes: int) -> int:
    """Lets the data segment grow by `margin_bytes` from here; returns the limit in bytes."""
    status = Path("/proc/self/status").read_text("ascii")
    now = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:"))
    limit = now + margin_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return limit


def confine() -> bool:
    """Gives up new privileges and all system calls but the allowed ones; returns False where there is no filter.

    REQUIRES: everything that must be opened or connected is open and connected.

    Raises:
        ConfinementError: the kernel refused.
    """
    if platform.machine() != "x86_64":
        log.warning("worker_not_confined", extra={"machine": platform.machine()})
        return False
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise ConfinementError(f"PR_SET_NO_NEW_PRIVS: {os.strerror(ctypes.get_errno())}")
    _install_filter()
    return True
