"""How long folded versions stay recorded: by age and size, at least as many as are held, in bounded memory."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from state_service import retention
from state_service.config import StateConfig
from state_service.errors import CursorUnavailableError
from state_service.feed import Position
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.retention import Retention, read_segments
from state_service.storage import EngineBatch, Space
from state_service.store import Store, history_bytes, open_store
from tests.support.state_store import QUIET, commit, fold, opened, verify_closed

DAY = 86_400_000
LONG = replace(QUIET, feed_versions=3, history_ms=DAY)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Milliseconds that the store takes for the time."""
    now = [1_700_000_000_000]
    monkeypatch.setattr("time.time_ns", lambda: now[0] * 1_000_000)
    return now


@asynccontextmanager
async def folded(count: int, config: StateConfig, disk: MemoryDisk | None = None) -> AsyncIterator[Store]:
    """A store with folded versions `c1` to `c<count>`."""
    async with opened(config, disk=disk) as store:
        for number in range(1, count + 1):
            await commit(store, f"c{number}", {"k": str(number)})
            await fold(store)
        yield store


async def names(store: Store, position: Position) -> list[str]:
    return [item.commit_id.decode() async for item in store.feed.follow(position, until_head=True)]


def test_versions_are_due_by_age_in_whole_segments() -> None:
    kept, batch = Retention(keep_ms=60_000, keep_bytes=1 << 40, keep_versions=1), EngineBatch()
    for version in range(1, 101):
        kept.note(batch, [(version, 1000)], version * 1000)
    assert len(kept._segments) == 11
    assert kept.due(100, 68_999) == 0
    assert kept.due(100, 69_000) == 9  # those of the first ten seconds
    assert kept.due(100, 1_000_000) == 99  # one is kept whatever its age


def test_versions_are_due_by_size() -> None:
    kept, batch = Retention(keep_ms=DAY, keep_bytes=64 << 20, keep_versions=1), EngineBatch()
    for version in range(1, 101):
        kept.note(batch, [(version, 1 << 20)], 1000)
    newest = kept.due(100, 1000)
    assert 36 <= newest <= 52  # a segment has 16 MiB
    kept.forget(batch, newest)
    assert kept.byte_count <= 64 << 20
    assert kept.due(100, 1000) == 0


def test_a_fold_that_is_tried_again_counts_once() -> None:
    kept = Retention(keep_ms=DAY, keep_bytes=1 << 40, keep_versions=1)
    kept.note(EngineBatch(), [(1, 1000), (2, 1000)], 1000)
    before = kept.byte_count
    batch = EngineBatch()
    kept.note(batch, [(1, 1000), (2, 1000)], 1000)
    assert kept.byte_count == before
    assert len(batch.operations) == 1


def test_a_day_of_any_load_takes_a_bounded_number_of_segments() -> None:
    kept, batch = Retention(keep_ms=DAY, keep_bytes=1 << 40, keep_versions=1), EngineBatch()
    for second in range(0, 3600):
        kept.note(batch, ((second * 100 + number, 300) for number in range(100)), second * 1000)
    assert len(kept._segments) == 360


async def test_streams_start_far_below_what_memory_holds(clock: list[int]) -> None:
    async with folded(20, LONG) as store:
        assert (store.history.held_from, store.history.oldest_version, len(store.history)) == (18, 1, 20)
        expected = [f"c{number}" for number in range(1, 21)]
        for start in (0, 1, 5, 16, 17, 18, 20):
            assert await names(store, Position(start, None)) == expected[start:]
            commit_id = f"c{start}".encode() if start else b""
            assert await names(store, Position(start, commit_id)) == expected[start:]
        assert await names(store, Position(5, b"c5", partial=True)) == expected[4:]
        with pytest.raises(CursorUnavailableError, match="not on the main chain"):
            await store.feed.locate(Position(5, b"other"))
        assert not (await commit(store, "c5")).duplicate  # ids are known as long as they are held


async def test_old_versions_go_and_the_error_names_the_oldest_cursor(clock: list[int]) -> None:
    disk = MemoryDisk()
    async with folded(10, LONG, disk) as store:
        clock[0] += DAY // 2
        for number in range(11, 21):
            await commit(store, f"c{number}")
            await fold(store)
        clock[0] += DAY // 2
        await commit(store, "c21")
        await fold(store)
        assert (store.history.oldest_version, len(store.history)) == (11, 11)
        assert len(disk.written[Space.JOURNAL]) == len(disk.written[Space.COMMITS]) == 11
        for position in (Position(5, None), Position(9, b"c9"), Position(0, None)):
            with pytest.raises(CursorUnavailableError, match="oldest recorded version is 11") as caught:
                await store.feed.locate(position)
            assert caught.value.metadata["oldest_version"] == "11"
            assert bytes.fromhex(caught.value.metadata["oldest_block_id"]) == b"c11"
        assert (await names(store, Position(11, b"c11", partial=True)))[0] == "c11"
        assert (await names(store, Position(10, b"c10")))[0] == "c11"
        with pytest.raises(CursorUnavailableError, match="cannot stream"):
            await store.feed.locate(Position(10, b"other"))


async def test_size_limits_history_as_well_and_few_versions_never_go(clock: list[int]) -> None:
    async with folded(10, replace(LONG, history_bytes=0)) as store:
        assert (store.history.oldest_version, store.history.held_from) == (8, 8)
        assert store.history.retention.byte_count < 3000


async def test_a_restart_holds_few_versions_and_streams_the_rest(clock: list[int]) -> None:
    disk = MemoryDisk()
    async with folded(20, LONG, disk) as store:
        size = store.history.retention.byte_count
    async with opened(LONG, disk=disk) as store:
        assert (store.history.held_from, store.history.oldest_version, len(store.history)) == (18, 1, 20)
        assert store.history.retention.byte_count == size
        assert len(await names(store, Position(0, None))) == 20
        clock[0] += DAY
        await commit(store, "c21")
        await fold(store)
        assert store.history.oldest_version == 19
    await verify_closed(MemoryEngine(disk))


async def test_versions_of_a_store_without_segments_age_from_its_first_opening(clock: list[int]) -> None:
    disk = MemoryDisk()
    async with folded(10, LONG, disk):
        pass
    for segment in await read_segments(MemoryEngine(disk)):
        del disk.written[Space.META][retention.keys.segment_key(segment.first)]
    clock[0] += DAY * 2
    async with opened(LONG, disk=disk) as store:
        await commit(store, "c11")
        await fold(store)
        assert store.history.oldest_version == 1
    clock[0] += DAY
    async with opened(LONG, disk=disk) as store:
        await commit(store, "c12")
        await fold(store)
        assert store.history.oldest_version == 10


async def test_a_cursor_on_a_branch_that_was_dropped_long_ago_goes_back_to_the_main_chain(clock: list[int]) -> None:
    disk = MemoryDisk()
    async with opened(LONG, disk=disk) as store:
        await commit(store, "c1")
        await commit(store, "c2", parent="c1")
        await commit(store, "x2", parent="c1")
        await commit(store, "x3", parent="x2")
        await store.committer.finalize(b"c2")
        for number in range(3, 21):
            await commit(store, f"c{number}")
            await fold(store)
    async with opened(LONG, disk=disk) as store:
        assert store.history.held_from == 18
        assert await store.feed.locate(Position(3, b"x3")) == Position(1, b"c1")
        items = [item async for item in store.feed.follow(Position(3, b"x3", partial=True), until_head=True)]
        assert [item.commit_id.decode() for item in items] == ["c1", *(f"c{number}" for number in range(2, 21))]


async def test_a_removal_that_a_crash_interrupted_is_done_after_the_restart(clock: list[int]) -> None:
    disk = MemoryDisk()
    async with folded(20, LONG, disk):
        pass
    for number in range(1, 6):  # some records are gone, their segment is not
        for space in (Space.JOURNAL, Space.COMMITS):
            del disk.written[space][retention.keys.journal_key(number, f"c{number}".encode())]
    async with opened(LONG, disk=disk) as store:
        assert store.history.oldest_version == 6
        assert (await names(store, Position(5, None)))[0] == "c6"
    store = await open_store(replace(LONG, history_ms=0), MemoryEngine(disk))
    await commit(store, "c21")
    await fold(store)
    assert store.history.oldest_version == 19
    await store.close()


def test_history_takes_at_most_half_of_its_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StateConfig(data_dir=tmp_path, history_bytes=1000)
    assert history_bytes(config) == 1000
    usage = shutil.disk_usage(tmp_path)._replace(total=600)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert history_bytes(config) == 300
    monkeypatch.undo()
    assert history_bytes(StateConfig(data_dir=tmp_path / "absent", history_bytes=1000)) == 1000
