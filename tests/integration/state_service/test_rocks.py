"""What only RocksDB has: files that lock, tear, vanish and fill up."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chassis import failpoint
from state_service.errors import CorruptionError, StorageFailedError, StorageFullError, StoreLockedError
from state_service.head_record import HeadRecord
from state_service.storage import EngineBatch, Space
from tests.support.state_store import rocks

ROOT = Path(__file__).parents[3]


async def filled(folder: Path, count: int = 50) -> None:
    """Makes a store with some synced batches and closes it."""
    engine = rocks(folder)
    await engine.acquire()
    for n in range(count):
        await engine.commit(put(b"k%d" % n, b"v" * 100), sync=True)
    await engine.close()


async def crashed(folder: Path, count: int = 50) -> None:
    """Makes what a killed process leaves: the files as they were while the store was open."""
    engine = rocks(folder.with_name(f"{folder.name}-alive"))
    await engine.acquire()
    for n in range(count):
        await engine.commit(put(b"k%d" % n, b"v" * 100), sync=True)
    shutil.copytree(engine.folder, folder, dirs_exist_ok=True)
    await engine.close()


def put(key: bytes, value: bytes) -> EngineBatch:
    batch = EngineBatch()
    batch.put(Space.STATE, key, value)
    return batch


async def test_two_writers_on_one_folder_are_refused(tmp_path: Path) -> None:
    engine = rocks(tmp_path)
    with pytest.raises(StoreLockedError, match="in use by process"):
        rocks(tmp_path)
    program = (
        "import sys; from pathlib import Path; from tests.support.state_store import rocks\n"
        f"try: rocks(Path({str(tmp_path)!r}))\nexcept Exception as error: sys.exit(type(error).__name__)"
    )
    command = [sys.executable, "-c", program]
    other = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert other.stderr.strip() == "StoreLockedError"
    await engine.close()
    await rocks(tmp_path).close()


async def test_a_lost_log_is_noticed(tmp_path: Path) -> None:
    await crashed(tmp_path / "store")
    for log in (tmp_path / "store/db").glob("*.log"):
        log.unlink()
    with pytest.raises(CorruptionError, match="database log"):
        rocks(tmp_path / "store")


async def test_what_a_killed_process_leaves_is_whole(tmp_path: Path) -> None:
    await crashed(tmp_path / "store")
    engine = rocks(tmp_path / "store")
    assert await engine.get_many(Space.STATE, [b"k0", b"k49", b"k50"]) == [b"v" * 100, b"v" * 100, None]
    await engine.close()


async def test_a_folder_put_back_to_an_earlier_day_is_noticed(tmp_path: Path) -> None:
    await filled(tmp_path / "store", 5)
    shutil.copytree(tmp_path / "store/db", tmp_path / "backup")
    await filled(tmp_path / "store", 5)
    shutil.rmtree(tmp_path / "store/db")
    shutil.copytree(tmp_path / "backup", tmp_path / "store/db")
    with pytest.raises(CorruptionError, match="database log"):
        rocks(tmp_path / "store")


@pytest.mark.parametrize("name", ["HEAD", "STORE"])
async def test_a_missing_guard_file_is_noticed(tmp_path: Path, name: str) -> None:
    await filled(tmp_path)
    kept = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    with pytest.raises(CorruptionError, match=name):
        rocks(tmp_path)
    # A refused store is let go: it opens in the same process once the file is back.
    (tmp_path / name).write_bytes(kept)
    await rocks(tmp_path).close()


async def test_a_head_record_of_another_store_is_noticed(tmp_path: Path) -> None:
    await filled(tmp_path / "one")
    await filled(tmp_path / "two")
    (tmp_path / "one/HEAD").write_bytes((tmp_path / "two/HEAD").read_bytes())
    with pytest.raises(CorruptionError, match="head record"):
        rocks(tmp_path / "one")


async def test_a_flipped_bit_in_the_middle_of_the_log_is_noticed(tmp_path: Path) -> None:
    await crashed(tmp_path / "store")
    (log,) = [path for path in (tmp_path / "store/db").glob("*.log") if path.stat().st_size]
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    with pytest.raises(CorruptionError, match=log.name):
        rocks(tmp_path / "store")


def test_the_head_record_survives_a_torn_write(tmp_path: Path) -> None:
    path, store_id = tmp_path / "HEAD", b"s" * 16
    head = HeadRecord(path, store_id)
    assert head.read() == 0
    for sequence in (5, 9):
        head.write(sequence)
    head.close()
    data = bytearray(path.read_bytes())
    newest = 0 if data[:4096].find((9).to_bytes(8)) >= 0 else 4096
    data[newest + 10] ^= 1
    path.write_bytes(data)
    head = HeadRecord(path, store_id)
    assert head.read() == 5
    head.write(12)
    assert head.read() == 12
    head.close()
    path.write_bytes(b"\1" * 8192)
    with pytest.raises(CorruptionError, match="head record"):
        HeadRecord(path, store_id).read()


async def test_a_batch_is_refused_with_certainty_while_space_is_short(tmp_path: Path) -> None:
    engine = rocks(tmp_path, min_free_bytes=0)
    await engine.acquire()
    await engine.commit(put(b"a", b"1"), sync=True)
    engine._min_free_bytes = 1 << 62
    with pytest.raises(StorageFullError) as caught:
        await engine.commit(put(b"b", b"1"), sync=True)
    assert caught.value.applied is False
    assert await engine.get_many(Space.STATE, [b"a", b"b"]) == [b"1", None]
    engine._min_free_bytes = 0
    await engine.commit(put(b"b", b"1"), sync=True)
    await engine.close()


async def test_a_folder_that_cannot_be_a_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("a file where a folder belongs")
    with pytest.raises((CorruptionError, StorageFailedError)):
        rocks(tmp_path)


async def test_the_failpoints_of_a_commit_are_reached_in_order(tmp_path: Path) -> None:
    engine = rocks(tmp_path)
    await engine.acquire()
    names = ("before_write", "after_write_before_sync", "after_sync_before_head", "after_head")
    try:
        for name in names:
            failpoint.arm(f"state.engine.{name}=error")
            with pytest.raises(failpoint.FailpointError, match=name):
                await engine.commit(put(name.encode(), b"1"), sync=True)
    finally:
        failpoint.arm("")
    found = await engine.get_many(Space.STATE, [name.encode() for name in names])
    assert found == [None, b"1", b"1", b"1"]
    await engine.close()
