"""Closing and opening: the store stands where it stood, whatever was folded, forked or half done."""

import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from chassis import failpoint
from state_service import keys
from state_service.errors import CorruptionError, StateError, UnknownSchemaError, WritesStoppedError
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.model import Durability
from state_service.recovery import SCHEMA_VERSION, recover
from state_service.storage import EngineBatch, Space
from state_service.store import Store, open_store
from tests.support.state_store import (
    QUIET,
    commit,
    contents,
    fold,
    get,
    opened,
    rocks,
    transaction,
    verify_closed,
    version_of,
)

Opening = Callable[..., AbstractAsyncContextManager[Store]]


@pytest.fixture(params=["memory", "rocks"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens the same store again and again."""
    if request.param == "memory":
        return partial(opened, disk=MemoryDisk())
    return partial(opened, folder=tmp_path / "store")


async def test_a_reopened_store_shows_the_same_and_has_a_new_epoch(opening: Opening) -> None:
    async with opening() as store:
        for n in range(10):
            await commit(store, f"c{n}", {"k": str(n), f"k{n}": "1", "gone": None}, transactions=[transaction(f"t{n}")])
        await store.committer.finalize(b"c4")
        await store.flusher.fold(5)
        before, head = {v: await contents(store, v) for v in range(5, 11)}, store.reader.head()
    async with opening() as store:
        assert {v: await contents(store, v) for v in range(5, 11)} == before
        assert store.reader.head() == replace(head, epoch=head.epoch + 1)
        assert [r is not None for r in await store.reader.receipts([b"t0", b"t4", b"t9"])] == [True, True, True]
        assert (await version_of(store, "gone"), await version_of(store, "k3")) == (10, 4)
        assert (await commit(store, "c2")).duplicate
        assert (await commit(store, "c7")).duplicate
        assert (await commit(store, "next", reads={"k": 10})).version == 11


async def test_a_restart_in_the_middle_of_a_branch_loses_no_block(opening: Opening) -> None:
    async with opening() as store:
        await commit(store, "base", {"k": "base"})
        await commit(store, "a1", {"k": "a1"}, parent="base")
        await commit(store, "b1", {"k": "b1"}, parent="base")
        await commit(store, "b2", {"k": "b2"}, parent="b1")
        await commit(store, "dropped", {"k": "x"}, parent="base")
        await store.committer.discard(b"dropped")
    async with opening() as store:
        assert [block.commit_id for block in store.tree.blocks()] == [b"", b"base", b"a1", b"b1", b"b2"]
        assert store.reader.head().block_id == b"a1"
        assert [await get(store, "k", name) for name in ("a1", "b1", "b2")] == ["a1", "b1", "b2"]
        await commit(store, "b3", {"k": "b3"}, parent="b2")
        await store.committer.finalize(b"b2")
    async with opening() as store:
        assert (store.reader.head().block_id, store.tree.final.commit_id) == (b"b2", b"b2")
        assert [await get(store, "k", name) for name in ("b2", "b3")] == ["b2", "b3"]
        await fold(store)
    async with opening() as store:
        # b3 descends from the folded head and is still live.
        assert (store.tree.root.commit_id, await get(store, "k", "b3")) == (b"b2", "b3")
        assert (await commit(store, "b4", parent="b3")).version == 5


@pytest.mark.parametrize(
    "place", ["state.flush.before_chunk=error@2", "state.flush.after_chunk=error@1", "state.flush.before_trim=error"]
)
async def test_an_interrupted_fold_shows_nothing_twice_and_nothing_half(opening: Opening, place: str) -> None:
    async with opening() as store:
        await commit(store, "c1", {f"k{n}": "1" for n in range(3000)})
        await commit(store, "c2", {f"k{n}": None if n % 2 else "2" for n in range(3000)})
        await commit(store, "c3", {"k0": "3"})
        expected = {v: await contents(store, v) for v in (2, 3)}
        await store.committer.finalize(b"c2")
        failpoint.arm(place)
        try:
            with pytest.raises(failpoint.FailpointError):
                await store.flusher.fold(2)
        finally:
            failpoint.arm("")
        assert {v: await contents(store, v) for v in (2, 3)} == expected
    async with opening() as store:
        assert store.reader.oldest_version == 2
        assert {v: await contents(store, v) for v in (2, 3)} == expected
        await fold(store)
        assert await contents(store) == expected[3]


async def test_a_store_of_another_schema_is_refused(opening: Opening) -> None:
    async with opening() as store:
        batch = EngineBatch()
        batch.put(Space.META, keys.META_SCHEMA, (99).to_bytes(4))
        await store.journal.write(batch, sync=True)
    with pytest.raises(UnknownSchemaError, match=f"schema version 99, this software knows {SCHEMA_VERSION}"):
        async with opening():
            pass


async def test_a_store_of_the_first_schema_is_opened_and_raised(opening: Opening) -> None:
    async with opening() as store:
        await commit(store, "c1", {"k": "1"})
        batch = EngineBatch()
        batch.put(Space.META, keys.META_SCHEMA, (1).to_bytes(4))
        await store.journal.write(batch, sync=True)
    async with opening() as store:
        assert await get(store, "k") == "1"
        assert await store.engine.get_many(Space.META, [keys.META_SCHEMA]) == [(2).to_bytes(4)]


async def damaged(change: Callable[[MemoryDisk], None]) -> MemoryDisk:
    """Makes a store with two folded and two live versions, and damages it."""
    disk = MemoryDisk()
    async with opened(disk=disk) as store:
        for n in range(1, 5):
            await commit(store, f"c{n}", {"k": str(n), f"k{n}": "x"}, transactions=[transaction(f"t{n}")])
        await store.committer.finalize(b"c2")
        await store.flusher.fold(2)
    change(disk)
    return disk


def drop(space: Space, version: int) -> Callable[[MemoryDisk], None]:
    return lambda disk: disk.written[space].pop(keys.journal_key(version, b"c%d" % version)) and None


def flip(space: Space, key: bytes, place: int) -> Callable[[MemoryDisk], None]:
    def change(disk: MemoryDisk) -> None:
        value = bytearray(disk.written[space][key])
        value[place] ^= 1
        disk.written[space][key] = bytes(value)

    return change


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (drop(Space.JOURNAL, 3), "journal record"),
        (drop(Space.COMMITS, 3), "journal record .* has no summary|journal record"),
        (drop(Space.JOURNAL, 4), "journal record"),
        (flip(Space.JOURNAL, keys.journal_key(3, b"c3"), 30), "journal record 0000000000000003"),
        (flip(Space.COMMITS, keys.journal_key(4, b"c4"), 10), "version 4"),
        (flip(Space.META, keys.META_HEAD, 12), "head"),
        (flip(Space.META, keys.META_BASE, 12), "base"),
        (drop(Space.COMMITS, 2), "base"),
    ],
)
async def test_what_does_not_fit_together_is_refused_with_its_place(
    change: Callable[[MemoryDisk], None], place: str
) -> None:
    disk = await damaged(change)
    with pytest.raises(CorruptionError, match=place):
        await open_store(QUIET, MemoryEngine(disk))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda disk: disk.written[Space.STATE].pop(b"k1"), "state key 6b31"),
        (flip(Space.STATE, b"k1", 8), "state key 6b31"),
        (lambda disk: disk.written[Space.RECEIPTS].pop(b"t1"), "receipt of 7431"),
        (drop(Space.JOURNAL, 1), "journal record"),
    ],
)
async def test_the_offline_check_finds_what_opening_does_not(change: Callable[[MemoryDisk], None], place: str) -> None:
    disk = await damaged(change)
    async with opened(disk=disk) as store:
        store.history._by_version.clear()  # the check at the end of `opened` would find it as well
    with pytest.raises(CorruptionError, match=place):
        await verify_closed(MemoryEngine(disk))


async def test_a_sound_store_passes_the_offline_check(opening: Opening) -> None:
    async with opening() as store:
        for n in range(1, 8):
            await commit(store, f"c{n}", {"k": str(n), "gone": None if n % 2 else "1"})
        await commit(store, "side", {"k": "side"}, parent="c6")
        await store.committer.finalize(b"c3")
        await store.flusher.fold(3)
        engine = store.engine
    await verify_closed(MemoryEngine(engine.disk) if isinstance(engine, MemoryEngine) else rocks(engine.folder))


async def test_after_power_loss_everything_synced_is_there_and_nothing_is_half(tmp_path: Path) -> None:
    disk = MemoryDisk()
    store = await open_store(QUIET, MemoryEngine(disk))
    await commit(store, "synced", {"a": "1", "b": "1"})
    await commit(store, "buffered", {"a": "2", "b": "2"}, durability=Durability.BUFFERED)
    disk.lose_unsynced()
    recovered = await recover(MemoryEngine(disk), QUIET.feed_versions)
    assert recovered.tree.head.commit_id == b"synced"
    await store.engine.close()
    await store.journal.stop()
    await store.flusher.stop()


async def test_after_an_uncertain_write_nothing_is_written_until_the_store_is_opened_again(opening: Opening) -> None:
    failures: list[StateError] = []
    async with opening() as store:
        store.journal.on_failure = failures.append
        await commit(store, "c1", {"k": "1"})
        failpoint.arm("state.journal.after_commit_before_publish=error@1")
        try:
            with pytest.raises(StateError):
                await commit(store, "c2", {"k": "2"})
        finally:
            failpoint.arm("")
        for use in (commit(store, "c3"), store.committer.finalize(b"c1"), store.committer.discard(b"c1")):
            with pytest.raises(WritesStoppedError):
                await use
        assert (len(failures), await get(store, "k")) == (1, "1")
    async with opening() as store:
        # The write did happen: the retried commit finds its first answer.
        assert (await commit(store, "c2", {"k": "2"})).duplicate
        assert await get(store, "k") == "2"


async def test_a_copy_of_the_files_of_a_living_store_opens(tmp_path: Path) -> None:
    """What kill -9 leaves, at the finest grain: after every single commit."""
    async with opened(folder=tmp_path / "alive") as store:
        for n in range(1, 6):
            await commit(store, f"c{n}", {"k": str(n)})
            shutil.copytree(tmp_path / "alive", tmp_path / f"copy{n}")
    for n in range(1, 6):
        async with opened(folder=tmp_path / f"copy{n}") as store:
            assert (store.tree.head.version, await get(store, "k")) == (n, str(n))
