"""The contract of `state_service.storage`, against every engine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from state_service import keys
from state_service.errors import StaleEpochError, StateError
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.storage import EngineBatch, Space, StorageEngine
from tests.support.state_store import rocks

Opener = Callable[[], StorageEngine]


@pytest.fixture(params=["memory", "rocks"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the same store again and again."""
    disk = MemoryDisk()
    return (lambda: MemoryEngine(disk)) if request.param == "memory" else (lambda: rocks(tmp_path / "store"))


@pytest.fixture
async def engine(opener: Opener) -> AsyncIterator[StorageEngine]:
    opened = opener()
    await opened.acquire()
    yield opened
    await opened.close()


def batch(*changes: tuple[Space, bytes, bytes | None]) -> EngineBatch:
    made = EngineBatch()
    for space, key, value in changes:
        if value is None:
            made.delete(space, key)
        else:
            made.put(space, key, value)
    return made


async def test_what_was_committed_is_read_back_by_space(engine: StorageEngine) -> None:
    await engine.commit(
        batch((Space.STATE, b"k", b"1"), (Space.RECEIPTS, b"k", b"2"), (Space.STATE, b"", b"")), sync=True
    )
    assert await engine.get_many(Space.STATE, [b"k", b"no", b""]) == [b"1", None, b""]
    assert await engine.get_many(Space.RECEIPTS, [b"k"]) == [b"2"]
    assert await engine.get_many(Space.STATE, []) == []


async def test_the_later_change_of_a_key_in_a_batch_wins(engine: StorageEngine) -> None:
    await engine.commit(
        batch(
            (Space.STATE, b"a", b"1"), (Space.STATE, b"a", None), (Space.STATE, b"b", None), (Space.STATE, b"b", b"2")
        ),
        sync=False,
    )
    assert await engine.get_many(Space.STATE, [b"a", b"b"]) == [None, b"2"]


async def test_deleting_what_is_not_there_is_no_error(engine: StorageEngine) -> None:
    await engine.commit(batch((Space.STATE, b"no", None)), sync=True)
    assert await engine.get_many(Space.STATE, [b"no"]) == [None]


async def test_scans_are_in_byte_order_and_bounded(engine: StorageEngine) -> None:
    names = [b"", b"\0", b"a", b"a\0", b"a\xff", b"b", b"\xff", b"\xff\xff"]
    await engine.commit(batch(*((Space.STATE, key, b"v" + key) for key in reversed(names))), sync=False)
    await engine.commit(batch((Space.JOURNAL, b"other", b"x")), sync=False)
    assert await engine.scan(Space.STATE, b"", None, 100) == [(key, b"v" + key) for key in names]
    assert [key for key, _ in await engine.scan(Space.STATE, b"a", b"b", 100)] == [b"a", b"a\0", b"a\xff"]
    assert [key for key, _ in await engine.scan(Space.STATE, b"a", None, 2)] == [b"a", b"a\0"]
    assert await engine.scan(Space.STATE, b"c", b"d", 100) == []


async def test_many_keys_come_in_the_order_asked_for(engine: StorageEngine) -> None:
    names = [b"%05d" % n for n in range(2500)]
    await engine.commit(batch(*((Space.STATE, key, key) for key in names[::2])), sync=False)
    wanted = names[::-1] + names[:1]
    assert await engine.get_many(Space.STATE, wanted) == [key if int(key) % 2 == 0 else None for key in wanted]


async def test_changes_come_in_version_order_from_a_version_on(engine: StorageEngine) -> None:
    versions = list(range(1, 200))
    changed = [(Space.JOURNAL, keys.journal_key(version, b"c"), b"%d" % version) for version in reversed(versions)]
    await engine.commit(batch(*changed), sync=False)
    found = [pair async for pair in engine.changes(150)]
    assert found == [(keys.journal_key(version, b"c"), b"%d" % version) for version in range(150, 200)]
    assert len([pair async for pair in engine.changes(0)]) == 199


async def test_everything_is_there_after_reopening(opener: Opener) -> None:
    for round_number in range(3):
        engine = opener()
        await engine.acquire()
        assert await engine.get_many(Space.STATE, [b"n"]) == [b"%d" % round_number if round_number else None]
        await engine.commit(batch((Space.STATE, b"n", b"%d" % (round_number + 1))), sync=True)
        await engine.close()
        await engine.close()


async def test_each_writer_gets_a_higher_epoch(opener: Opener) -> None:
    epochs = []
    for _ in range(3):
        engine = opener()
        epochs.append(await engine.acquire())
        await engine.close()
    assert epochs == [1, 2, 3]


async def test_a_writer_that_was_overtaken_is_fenced(engine: StorageEngine) -> None:
    await engine.commit(batch((Space.META, keys.META_EPOCH, (9).to_bytes(8))), sync=True)
    with pytest.raises(StaleEpochError, match="epoch 1 is stale; the writer's epoch is 9"):
        await engine.commit(batch((Space.STATE, b"k", b"1")), sync=True)
    assert await engine.get_many(Space.STATE, [b"k"]) == [None]


async def test_concurrent_commits_are_applied_in_order(engine: StorageEngine) -> None:
    await asyncio.gather(*(engine.commit(batch((Space.STATE, b"k", b"%d" % n)), sync=n % 3 == 0) for n in range(30)))
    assert await engine.get_many(Space.STATE, [b"k"]) == [b"29"]


async def test_verify_counts_every_pair(engine: StorageEngine) -> None:
    before = await engine.verify()
    await engine.commit(batch((Space.STATE, b"a", b"1"), (Space.GRAVES, b"b", b"")), sync=True)
    assert await engine.verify() == before + 2


async def test_stats_have_the_same_names_everywhere(engine: StorageEngine) -> None:
    assert set(engine.stats()) == {"engine_file_count", "engine_file_bytes", "engine_sequence"}


async def test_a_checkpoint_goes_into_a_new_folder(engine: StorageEngine, tmp_path: Path) -> None:
    await engine.checkpoint(tmp_path / "copy")
    assert (tmp_path / "copy").is_dir()


@pytest.mark.parametrize(
    "use",
    [
        lambda engine: engine.get_many(Space.STATE, [b"k"]),
        lambda engine: engine.scan(Space.STATE, b"", None, 1),
        lambda engine: engine.commit(EngineBatch(), sync=True),
    ],
)
async def test_a_closed_engine_says_so(opener: Opener, use: Callable[[StorageEngine], Awaitable[object]]) -> None:
    engine = opener()
    await engine.acquire()
    await engine.close()
    with pytest.raises(StateError):
        await use(engine)
