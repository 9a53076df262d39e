"""One writer for each data folder: an advisory lock that the kernel drops when its process dies, however it dies."""

import fcntl
import os
from pathlib import Path

from state_service.errors import StoreLockedError


class WriterLock:
    """The held lock of a data folder."""

    def __init__(self, folder: Path) -> None:
        """Takes the lock.

        Raises:
            StoreLockedError: another process holds it; names that process.
        """
        self._descriptor = os.open(folder / "LOCK", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreLockedError(str(folder), holder) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Gives the lock back."""
        os.close(self._descriptor)
