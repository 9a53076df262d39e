"""Orderings of calls that went wrong once, each of them forced."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from state_service.config import StateConfig
from state_service.errors import BlockNotFoundError, CorruptionError, WritesStoppedError
from state_service.feed import Position
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.model import View
from state_service.storage import EngineBatch, Space
from state_service.store import Store, open_store
from state_service.verification import verify_range
from tests.support.state_store import QUIET, check, commit, contents, fold, get, opened

pytestmark = pytest.mark.timeout(10, method="signal")
T = TypeVar("T")


class HeldEngine(MemoryEngine):
    """Writes wait in their order, and reads of STATE wait, while they are held; what was begun is done in any case."""

    def __init__(self, disk: MemoryDisk) -> None:
        super().__init__(disk)
        self.writes, self.reads, self.replies = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for event in (self.writes, self.reads, self.replies):
            event.set()
        self._writer = asyncio.Lock()

    async def get_many(self, space: Space, keys: Sequence[bytes]) -> list[bytes | None]:
        if space is Space.STATE:
            await self.reads.wait()
        return await super().get_many(space, keys)

    async def commit(self, batch: EngineBatch, *, sync: bool) -> None:
        if self.writes.is_set() and self.replies.is_set() and not self._writer.locked():
            return await super().commit(batch, sync=sync)
        await asyncio.shield(asyncio.create_task(self._write(batch, sync=sync)))

    async def _write(self, batch: EngineBatch, *, sync: bool) -> None:
        async with self._writer:
            await self.writes.wait()
            await super().commit(batch, sync=sync)
            await self.replies.wait()


@asynccontextmanager
async def held(config: StateConfig = QUIET, disk: MemoryDisk | None = None) -> AsyncIterator[tuple[Store, HeldEngine]]:
    engine = HeldEngine(disk or MemoryDisk())
    store = await open_store(config, engine)
    try:
        yield store, engine
        await check(store)
    finally:
        for event in (engine.writes, engine.reads, engine.replies):
            event.set()
        await store.close()


async def begin(call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Begins a call and lets it go as far as it gets."""
    task = asyncio.create_task(call)
    await settle()
    return task


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def vanish(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# -- changes of the tree ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["discard", "finalize"])
async def test_a_change_whose_caller_vanishes_is_made_in_memory_as_on_the_disk(change: str) -> None:
    disk = MemoryDisk()
    async with held(disk=disk) as (store, engine):
        await commit(store, "base")
        await commit(store, "a", parent="base")
        await commit(store, "b", parent="base")
        engine.replies.clear()
        named = {"discard": store.committer.discard(b"a"), "finalize": store.committer.finalize(b"b")}
        task = await begin(named.pop(change))
        for other in named.values():
            other.close()
        await vanish(task)
        engine.replies.set()
        await settle()
        assert store.tree.find(b"a") is None
        await commit(store, "next", {"k": "1"})
    async with opened(disk=disk) as store:
        assert await get(store, "k") == "1"
        assert store.tree.find(b"a") is None


async def test_the_store_is_closed_after_a_change_whose_caller_vanished() -> None:
    disk = MemoryDisk()
    engine, failures = HeldEngine(disk), []
    store = await open_store(QUIET, engine, failures.append)
    await commit(store, "a")
    engine.writes.clear()
    await vanish(await begin(store.committer.discard(b"a")))
    closing = await begin(store.close())
    assert not closing.done()
    engine.writes.set()
    await closing
    assert not failures
    assert store.tree.find(b"a") is None


async def test_a_fold_beside_a_finalisation_does_not_take_the_older_final_block_to_the_disk() -> None:
    disk = MemoryDisk()
    async with held(disk=disk) as (store, engine):
        for n in range(1, 4):
            await commit(store, f"c{n}", {"k": str(n)}, parent=f"c{n - 1}" if n > 1 else None)
        await store.committer.finalize(b"c1")
        engine.writes.clear()
        finalising = await begin(store.committer.finalize(b"c3"))
        folding = await begin(store.flusher.fold(1))
        engine.writes.set()
        await asyncio.gather(finalising, folding)
        assert store.tree.final.version == 3
    async with opened(disk=disk) as store:
        assert (store.tree.root.version, store.tree.final.version) == (1, 3)


async def test_a_twin_of_a_commit_that_is_discarded_in_the_turn_of_its_publication_is_a_new_commit() -> None:
    disk = MemoryDisk()
    async with held(disk=disk) as (store, engine):
        engine.reads.clear()
        twin = await begin(commit(store, "a", {"k": "1"}, reads={"k": 0, "other": 0}))
        engine.writes.clear()
        first = await begin(commit(store, "a", {"z": "1"}))
        engine.reads.set()
        await settle()
        discarding = await begin(store.committer.discard(b"a"))
        engine.writes.set()
        assert (await first).version == 1
        await discarding
        assert (await twin).version == 1
    async with opened(disk=disk) as store:
        assert store.tree.head is store.tree.main_at(store.tree.tip.version)


async def test_finalising_is_answered_though_the_next_block_is_discarded_before_it_settles() -> None:
    async with held(replace(QUIET, retained_versions=1)) as (store, engine):
        await commit(store, "base")
        await commit(store, "a")
        await commit(store, "sibling", parent="base")
        engine.writes.clear()
        later = await begin(commit(store, "b"))
        finalising = await begin(store.committer.finalize(b"base"))
        discarding = await begin(store.committer.discard(b"a"))
        engine.writes.set()
        await asyncio.gather(later, discarding)
        assert await finalising == (1, [])


# -- the journal -----------------------------------------------------------------------------------------------------


async def test_commits_are_refused_while_the_store_closes_and_afterwards() -> None:
    disk = MemoryDisk()
    engine = HeldEngine(disk)
    store = await open_store(QUIET, engine)
    engine.writes.clear()
    accepted = await begin(commit(store, "accepted"))
    closing = await begin(store.close())
    with pytest.raises(WritesStoppedError):
        await commit(store, "late")
    engine.writes.set()
    assert (await accepted).version == 1
    await closing
    with pytest.raises(WritesStoppedError):
        await commit(store, "too late")
    with pytest.raises(WritesStoppedError):
        await store.committer.discard(b"accepted")


async def test_a_commit_that_was_queued_when_writes_stopped_is_not_written() -> None:
    disk = MemoryDisk()
    async with held(disk=disk) as (store, engine):
        engine.writes.clear()
        written = await begin(commit(store, "written"))
        queued = await begin(commit(store, "queued"))
        store.journal.condemn(CorruptionError("somewhere", "found while reading"))
        engine.writes.set()
        assert (await written).version == 1
        with pytest.raises(WritesStoppedError):
            await queued
        assert len(disk.written[Space.JOURNAL]) == 1


# -- reads -----------------------------------------------------------------------------------------------------------


async def test_a_commit_gets_its_turn_though_others_commit_during_each_of_its_reads() -> None:
    async with opened(replace(QUIET, cache_bytes=0)) as store:
        real, names = store.engine.get_many, iter(range(1000))

        async def busy(space: Space, wanted: Sequence[bytes]) -> list[bytes | None]:
            if space is Space.STATE:
                await commit(store, f"other{next(names)}")
            return await real(space, wanted)

        store.engine.get_many = busy  # type: ignore[method-assign]
        assert (await commit(store, "c", reads={"k": 0})).version == 2


async def test_the_sampled_check_does_not_compare_while_a_fold_is_being_applied() -> None:
    async with held() as (store, engine):
        await commit(store, "c1", {"k": "1"})
        await fold(store)
        await commit(store, "c2", {"k": "2"})
        await store.committer.finalize(b"c2")
        engine.replies.clear()
        folding = await begin(store.flusher.fold(2))
        await store.reader.get_folded([b"k"])
        engine.replies.set()
        await folding
        assert store.cache.counts.mismatches == 0


async def test_a_scan_of_a_block_that_is_discarded_meanwhile_says_so() -> None:
    async with opened() as store:
        await commit(store, "base", {"a": "1"})
        await commit(store, "gone", {"b": "1"})
        real = store.engine.scan

        async def slow(space: Space, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
            found = await real(space, start, end, limit)
            if store.tree.find(b"gone") is not None:
                await store.committer.discard(b"gone")
            return found

        store.engine.scan = slow  # type: ignore[method-assign]
        with pytest.raises(BlockNotFoundError):
            await contents(store, "gone")


async def test_a_stream_until_the_head_ends_though_the_head_goes_back() -> None:
    async with opened() as store:
        await commit(store, "c1")
        await commit(store, "c2")
        stream = store.feed.follow(Position(0, b""), until_head=True)
        assert (await anext(stream)).version == 1
        await store.committer.discard(b"c2")
        assert [item async for item in stream] == []


# -- turns -----------------------------------------------------------------------------------------------------------


async def turns_during(work: Coroutine[Any, Any, object]) -> int:
    """Counts the turns that others get while something runs."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await work
    counting.cancel()
    return turns


async def test_others_get_their_turn_while_somebody_goes_through_the_past() -> None:
    async with opened() as store:
        for n in range(100):
            await commit(store, f"c{n}", {f"k{n}": "1"})
            await commit(store, f"d{n}", {f"k{n}": None})
        await store.committer.finalize(b"c50")
        await store.flusher.fold(100)

        async def follow() -> None:
            async for _ in store.feed.follow(Position(0, b""), until_head=True):
                pass

        assert await turns_during(follow()) >= 200
        assert await turns_during(verify_range(store.tree, store.history, 0, 0)) >= 200
        assert await turns_during(store.reader.scan(View(), b"", None, 1)) >= 25
