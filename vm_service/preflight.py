"""What V8 and the workers need of this machine, looked at before the first worker starts.

V8 ends its process with a page of addresses where it cannot reserve memory. Each check says in one line what is wrong
and how it is mended. A worker inherits all limits, so what holds for this process holds for it.
"""

import contextlib
import ctypes
import mmap
import os
from collections.abc import Iterator
from typing import Final

from chassis.lifecycle import StartError
from vm_service.config import VmConfig

V8_RESERVE_BYTES: Final = 512 << 30
"""Address space that must be free. V8 reserves it and uses little of it: it fails with 140 GiB, with 150 to 260 GiB it
fails now and then, with 300 GiB it starts."""

_MAP_NORESERVE: Final = 0x4000
_PROT_NONE: Final = 0
_JITLESS: Final = "--jitless"


def check(config: VmConfig) -> None:
    """Checks everything.

    Raises:
        StartError: something is missing; the message is one line.
    """
    check_address_space()
    if _JITLESS not in config.v8_flags:
        check_executable_memory()


def check_address_space() -> None:
    """Reserves what V8 will reserve, and lets go of it.

    Raises:
        StartError: it cannot be reserved.
    """
    with _mapped(V8_RESERVE_BYTES, _PROT_NONE) as problem:
        if problem:
            raise StartError(
                f"V8 cannot reserve {V8_RESERVE_BYTES >> 30} GiB of address space ({problem}): lift the limit "
                "(ulimit -v unlimited, LimitAS of systemd, vm.overcommit_memory other than 2); it is hardly used, "
                "memory is limited by heap_bytes and by the container"
            )


def check_executable_memory() -> None:
    """Asks for memory that may be written and executed.

    Raises:
        StartError: it is refused.
    """
    with _mapped(mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as problem:
        if problem:
            raise StartError(
                f"memory may not become executable ({problem}), which V8 compiles into: allow it (SELinux execmem, "
                "MemoryDenyWriteExecute of systemd) or set V8VM_VM_V8_FLAGS=--jitless, which is slower"
            )


@contextlib.contextmanager
def _mapped(size_bytes: int, protection: int) -> Iterator[str]:
    """Maps memory for the time of a block; gives why it cannot be mapped, empty: it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    address = libc.mmap(None, size_bytes, protection, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE, -1, 0)
    if address == ctypes.c_void_p(-1).value:
        yield os.strerror(ctypes.get_errno())
        return
    try:
        yield ""
    finally:
        libc.munmap(address, size_bytes)
