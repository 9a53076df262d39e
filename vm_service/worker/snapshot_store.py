"""Startup snapshots on disk, and the list of hot contracts that the next ones are made of.

    <folder>/hot.json            {"contracts": [id, ...]}           the most used first
    <folder>/<key>.snapshot      one snapshot, named by `sandbox.snapshot.key`

    file   = MAGIC, checksum: 32 bytes SHA-256 of what follows, length: u32 big-endian, header: JSON, blob
    header = {"key", "contracts": {contract id: image key}, "sizes": {image key: bytes}, "digest": of the self-test}

Files are written whole or not at all: to a temporary name, synced, then renamed. A file that does not hold what its
name says is never used; the manager removes it.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"V8VM snapshot 1\n"
SUFFIX = ".snapshot"
HOT_FILE = "hot.json"
CHECKSUM_BYTES = 32
LENGTH_BYTES = 4

NAME = re.compile(r"[ -~]{1,128}")
"""What may be the id of a contract in a hot list: whatever else stands there comes from a damaged file."""

KEPT = 3
"""Snapshots kept: the one in use, the next one, and one to go back to."""


class DamagedError(Exception):
    """A file does not hold what its name says; the text says why, in one word."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot with what must be known of it."""

    key: str
    """Its name: a hash over engine, flags, runtime and images."""
    contracts: Mapping[str, str]
    """Image key by contract id, of the images that it holds."""
    sizes: Mapping[str, int]
    """Bytes of each image."""
    digest: str
    """What the self-test gives."""
    blob: bytes
    """The heap."""


def encode(snapshot: Snapshot) -> bytes:
    """Returns the bytes of a file."""
    header = json.dumps(
        {
            "key": snapshot.key,
            "contracts": dict(snapshot.contracts),
            "sizes": dict(snapshot.sizes),
            "digest": snapshot.digest,
        }
    ).encode()
    content = len(header).to_bytes(LENGTH_BYTES) + header + snapshot.blob
    return MAGIC + hashlib.sha256(content).digest() + content


def decode(raw: bytes, key: str) -> Snapshot:
    """Reads the bytes of a file.

    Raises:
        DamagedError: they are no snapshot, were changed, or are another one.
    """
    if not raw.startswith(MAGIC):
        raise DamagedError("magic")
    checksum = raw[len(MAGIC) : len(MAGIC) + CHECKSUM_BYTES]
    content = raw[len(MAGIC) + CHECKSUM_BYTES :]
    if hashlib.sha256(content).digest() != checksum:
        raise DamagedError("checksum")
    end = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES])
    header = json.loads(content[LENGTH_BYTES:end])
    if header["key"] != key:
        raise DamagedError("key")
    return Snapshot(key, header["contracts"], header["sizes"], header["digest"], content[end:])


class SnapshotStore:
    """A folder of snapshots."""

    def __init__(self, folder: Path) -> None:
        """Uses a folder, made when it is first written to."""
        self._folder = folder

    def path(self, key: str) -> Path:
        """Returns where the snapshot of a key is or would be."""
        return self._folder / f"{key}{SUFFIX}"

    def newest(self) -> str:
        """Returns the key of the newest snapshot; empty when there is none."""
        found = self._snapshots()
        return found[-1].name.removesuffix(SUFFIX) if found else ""

    def _snapshots(self) -> list[Path]:
        try:
            return sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
        except OSError:
            return []

    def write(self, snapshot: Snapshot) -> Path:
        """Adds a snapshot and removes the oldest beyond those that are kept; returns its path.

        Raises:
            OSError: it cannot be written.
        """
        path = self.path(snapshot.key)
        _write_whole(path, encode(snapshot))
        for old in self._snapshots()[:-KEPT]:
            old.unlink(missing_ok=True)
        return path

    def read(self, key: str) -> Snapshot:
        """Reads a snapshot.

        Raises:
            DamagedError: it does not hold what its name says.
            OSError: it cannot be read.
        """
        try:
            return decode(self.path(key).read_bytes(), key)
        except (ValueError, KeyError) as error:
            raise DamagedError("header") from error

    def remove(self, key: str) -> None:
        """Removes a snapshot; harmless when it is not there.

        Raises:
            OSError: it cannot be removed.
        """
        self.path(key).unlink(missing_ok=True)

    # -- the hot list --------------------------------------------------------------------------------------------

    def write_hot(self, contracts: Sequence[str]) -> None:
        """Keeps the hot list for the next start.

        Raises:
            OSError: it cannot be written.
        """
        _write_whole(self._folder / HOT_FILE, json.dumps({"contracts": list(contracts)}).encode())

    def read_hot(self) -> list[str]:
        """Returns the hot list of the last run; empty when there is none that can be read."""
        try:
            contracts = json.loads((self._folder / HOT_FILE).read_bytes())["contracts"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return []
        names = contracts if isinstance(contracts, list) else []
        return [name for name in names if isinstance(name, str) and NAME.fullmatch(name)]


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
