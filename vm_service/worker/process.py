"""What a process knows about itself."""

import os
import resource

_PAGE_BYTES = resource.getpagesize()
_statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)  # kept: a confined process opens no files


def rss_bytes() -> int:
    """Returns the resident memory of this process."""
    return int(os.pread(_statm, 64, 0).split()[1]) * _PAGE_BYTES
