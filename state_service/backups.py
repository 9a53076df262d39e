"""Open backups: temporary checkpoints that a caller copies to another machine, file by file.

A backup is a folder below `checkpoint_dir/.backups`; its name is its id and its modification time the last read. So
open backups survive a restart of the service, and nothing about them is kept in memory.
"""

import asyncio
import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from state_service import checkpoints
from state_service.checkpoints import CheckpointLabel
from state_service.errors import BackupLimitError, BackupNotFoundError, InvalidRequestError
from state_service.model import Head
from state_service.storage import StorageEngine

_FOLDER = ".backups"
_PART_BYTES = 1 << 20
"""Bytes in one message: all that a read holds in memory, and about a millisecond of hashing and sending."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backup:
    """An open backup."""

    backup_id: str
    label: CheckpointLabel
    files: list[tuple[str, int]]
    """Path and size of each file, sorted by path."""


class Backups:
    """The open backups of one store."""

    def __init__(self, checkpoint_dir: Path, *, hold_ms: int, limit: int) -> None:
        """Takes where checkpoints are made, how long an unread backup is kept, and how many there may be."""
        self._folder = checkpoint_dir / _FOLDER
        self._limit = limit
        self.hold_ms = hold_ms

    async def open(self, engine: StorageEngine, head: Head) -> Backup:
        """Makes a backup of everything committed so far.

        Raises:
            BackupLimitError: too many are open.
            StateError: the engine could not write it.
        """
        if len(await asyncio.to_thread(self._ids)) >= self._limit:
            raise BackupLimitError(self._limit, self.hold_ms)
        backup_id = secrets.token_hex(8)
        await checkpoints.create(engine, head, self._folder, backup_id)
        log.info("backup_opened", extra={"backup_id": backup_id, "version": head.version})
        return await self.find(backup_id)

    async def find(self, backup_id: str) -> Backup:
        """Returns an open backup.

        Raises:
            BackupNotFoundError: it was removed.
        """
        return await asyncio.to_thread(self._find, backup_id)

    def _find(self, backup_id: str) -> Backup:
        path = self._path(backup_id)
        os.utime(path)
        files = [(str(file.relative_to(path)), file.stat().st_size) for file in path.rglob("*") if file.is_file()]
        return Backup(backup_id, checkpoints.read_label(path), sorted(files))

    async def read(self, backup_id: str, name: str, offset: int) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yields a file from an offset on, part by part, then its SHA-256.

        Yields:
            Data and an empty checksum, at the end empty data and the checksum of the whole file.

        Raises:
            BackupNotFoundError: it was removed.
            InvalidRequestError: it has no such file, or the offset is behind its end.
        """
        path = await asyncio.to_thread(self._path, backup_id)
        files = dict((await self.find(backup_id)).files)
        if name not in files:
            raise InvalidRequestError("the backup has no such file", field="path")
        if not 0 <= offset <= files[name]:
            raise InvalidRequestError(f"the file has {files[name]} bytes", field="offset")
        parts = _parts(path, name, offset)
        while True:
            part = await asyncio.to_thread(next, parts, None)
            if part is None:
                return
            if part[0] or part[1]:
                yield part

    async def close(self, backup_id: str) -> None:
        """Removes a backup if it is there."""
        try:
            path = await asyncio.to_thread(self._path, backup_id)
        except BackupNotFoundError:
            return
        await asyncio.to_thread(shutil.rmtree, path)
        log.info("backup_closed", extra={"backup_id": backup_id})

    async def sweep(self) -> None:
        """Removes backups that nothing has read for too long, and attempts that were interrupted."""
        for path in await asyncio.to_thread(self._stale):
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
            log.warning("backup_expired", extra={"backup_id": path.name})

    def _stale(self) -> list[Path]:
        oldest = time.time() - self.hold_ms / 1000
        return [path for path in self._children() if path.stat().st_mtime < oldest]

    def _ids(self) -> list[str]:
        return [path.name for path in self._children()]

    def _children(self) -> list[Path]:
        return list(self._folder.iterdir()) if self._folder.exists() else []

    def _path(self, backup_id: str) -> Path:
        """Returns the folder of a backup; an id is compared with the names that exist, never made a path of."""
        if not backup_id or backup_id.startswith(".") or backup_id not in self._ids():
            raise BackupNotFoundError(backup_id)
        return self._folder / backup_id


def _parts(folder: Path, name: str, offset: int) -> Iterator[tuple[bytes, bytes]]:
    """Reads a file; what lies before the offset is hashed and not told. Each part counts as a read of the backup."""
    digest = hashlib.sha256()
    at = 0
    with (folder / name).open("rb") as file:
        while part := file.read(_PART_BYTES):
            digest.update(part)
            data = part[max(0, offset - at) :]
            at += len(part)
            os.utime(folder)
            yield data, b""
    yield b"", digest.digest()
