"""What a process knows about itself."""

import resource
from pathlib import Path

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = resource.getpagesize()


def rss_bytes() -> int:
    """Returns the resident memory of this process."""
    return int(_STATM.read_text("ascii").split()[1]) * _PAGE_BYTES
