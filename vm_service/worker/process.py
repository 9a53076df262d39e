"""What a process knows about itself."""

import os
import resource

_PAGE_BYTES = resource.getpagesize()
_statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)  # kept: a confined process opens no files


def rss_bytes() -> int:
    """Returns the resident memory of this process."""
    return _bytes(1)


def data_bytes() -> int:
    """Returns the size of the data segment, which RLIMIT_DATA bounds; stacks, which it does not, are counted too."""
    return _bytes(5)


def _bytes(field: int) -> int:
    """Returns a field of /proc/self/statm (proc(5)), which counts pages."""
    return int(os.pread(_statm, 128, 0).split()[field]) * _PAGE_BYTES
