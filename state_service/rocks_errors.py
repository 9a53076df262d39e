"""What RocksDB's error texts mean: rocksdict raises bare exceptions, kind and place are in the text only."""

import errno
import re
from pathlib import Path

from state_service.errors import CorruptionError, StateError, StorageFailedError, StorageFullError

_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXTS = ("No space left on device", "File too large", "Disk quota exceeded")
_CORRUPTION_TEXTS = ("Corruption:", "checksum mismatch")

_PLACES = (
    # A block of a file, then a whole file, then the two files that name all others.
    re.compile(r"in \S*?(?P<file>[^/\s]+\.(?:sst|log|blob)) offset (?P<offset>\d+)"),
    re.compile(r"(?P<file>[^/\s]+\.(?:sst|log|blob))"),
    re.compile(r"(?P<file>MANIFEST-\d+)"),
    re.compile(r"(?P<file>CURRENT)"),
)

_DROPPING = re.compile(r"(?P<file>[^/\s]+\.log): dropping \d+ bytes; Corruption")
"""How RocksDB's own log names the damaged log file, which the error of a failed open does not."""

_LOG_TAIL_BYTES = 64 << 10
"""How much of RocksDB's own log is searched: the lines of one failed open are at its very end."""


def translate(error: Exception) -> StateError:
    """Gives an exception of RocksDB or the operating system its type."""
    text = str(error)
    if (isinstance(error, OSError) and error.errno in _FULL_ERRNOS) or any(sign in text for sign in _FULL_TEXTS):
        return StorageFullError(text)
    if any(sign in text for sign in _CORRUPTION_TEXTS):
        return CorruptionError(_place(text), text)
    return StorageFailedError(text)


def translate_open(error: Exception, folder: Path) -> StateError:
    """Gives an exception of opening a database its type; a file that is missing or cannot be read is damage too."""
    failure = translate(error)
    if isinstance(failure, CorruptionError) and failure.place == "database":
        return CorruptionError(_place_in_log(folder), failure.cause)
    if isinstance(failure, StorageFailedError) and (folder / "CURRENT").exists() and "No such file" in failure.cause:
        return CorruptionError(_place(failure.cause), failure.cause)
    return failure


def _place(text: str) -> str:
    for pattern in _PLACES:
        if (match := pattern.search(text)) is not None:
            offset = match.groupdict().get("offset")
            return match["file"] + (f" offset {offset}" if offset else "")
    return "database"


def _place_in_log(folder: Path) -> str:
    try:
        with (folder / "LOG").open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
            found = _DROPPING.findall(log.read().decode(errors="replace"))
    except OSError:
        found = []
    return found[-1] if found else "database"
