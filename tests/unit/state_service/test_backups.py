"""Open backups: read from any offset, limited in number and time, kept across a restart."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from state_service.backups import Backups
from state_service.errors import BackupLimitError, BackupNotFoundError, InvalidRequestError
from state_service.store import Store
from tests.support.state_store import commit, opened

LABEL = "CHECKPOINT.json"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(folder=tmp_path / "data") as opened_store:
        await commit(opened_store, "a", {"k": "v"})
        yield opened_store


def backups(tmp_path: Path, limit: int = 2) -> Backups:
    return Backups(tmp_path / "checkpoints", hold_ms=60_000, limit=limit)


async def whole(source: Backups, backup_id: str, name: str, offset: int) -> tuple[bytes, bytes]:
    parts = [part async for part in source.read(backup_id, name, offset)]
    return b"".join(data for data, _ in parts), parts[-1][1]


async def test_a_file_is_read_from_any_offset_with_the_checksum_of_all_of_it(tmp_path: Path, store: Store) -> None:
    source = backups(tmp_path)
    backup = await source.open(store.engine, store.reader.head())
    assert backup.label.version == 1
    size = dict(backup.files)[LABEL]
    everything, sha256 = await whole(source, backup.backup_id, LABEL, 0)
    assert (len(everything), sha256) == (size, hashlib.sha256(everything).digest())
    for offset in (1, size - 1, size):
        assert await whole(source, backup.backup_id, LABEL, offset) == (everything[offset:], sha256)
    for wrong in (-1, size + 1):
        with pytest.raises(InvalidRequestError, match="bytes"):
            await whole(source, backup.backup_id, LABEL, wrong)


async def test_only_files_of_the_backup_are_read(tmp_path: Path, store: Store) -> None:
    source = backups(tmp_path)
    backup = await source.open(store.engine, store.reader.head())
    for name in ("../../data/STORE", "/etc/passwd", "nothing", ""):
        with pytest.raises(InvalidRequestError, match="no such file"):
            await whole(source, backup.backup_id, name, 0)
    for backup_id in ("..", ".", "", "../checkpoints", "unknown"):
        with pytest.raises(BackupNotFoundError):
            await source.find(backup_id)
        await source.close(backup_id)
    assert (tmp_path / "data" / "STORE").exists()


async def test_their_number_is_limited_and_closing_makes_room(tmp_path: Path, store: Store) -> None:
    source = backups(tmp_path, limit=1)
    backup = await source.open(store.engine, store.reader.head())
    with pytest.raises(BackupLimitError):
        await source.open(store.engine, store.reader.head())
    await source.close(backup.backup_id)
    with pytest.raises(BackupNotFoundError):
        await source.find(backup.backup_id)
    await source.open(store.engine, store.reader.head())


async def test_one_that_nothing_reads_is_removed_and_another_process_finds_the_rest(
    tmp_path: Path, store: Store
) -> None:
    source = backups(tmp_path)
    old, read = [await source.open(store.engine, store.reader.head()) for _ in range(2)]
    for backup in (old, read):
        os.utime(tmp_path / "checkpoints" / ".backups" / backup.backup_id, (1, 1))
    await whole(source, read.backup_id, LABEL, 0)
    restarted = backups(tmp_path)
    await restarted.sweep()
    with pytest.raises(BackupNotFoundError):
        await restarted.find(old.backup_id)
    assert (await restarted.find(read.backup_id)).files == read.files
