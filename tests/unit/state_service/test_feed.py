"""The change feed: ordered, gap-free, resumable, honest about what was unwound and what is gone."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chassis.errors import DrainingError
from state_service.errors import CursorUnavailableError
from state_service.feed import Position, Unwind
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.model import CommitRecord
from state_service.storage import Space
from state_service.store import Store
from tests.support.state_store import QUIET, commit, fold, opened, transaction, verify_closed

START = Position(0, b"")


async def drain(store: Store, position: Position = START, **options: bool) -> list[CommitRecord | Unwind]:
    return [item async for item in store.feed.follow(position, until_head=True, **options)]


def names(items: list[CommitRecord | Unwind]) -> list[str]:
    return [("~" if isinstance(item, Unwind) else "") + item.commit_id.decode() for item in items]


@pytest.mark.parametrize("folded", [0, 3, 5])
async def test_it_gives_every_commit_once_in_order_from_memory_and_from_the_journal(folded: int) -> None:
    async with opened() as store:
        for n in range(1, 6):
            await commit(store, f"c{n}", {"k": str(n), "gone": None}, transactions=[transaction(f"t{n}", "e")])
        if folded:
            await store.committer.finalize(f"c{folded}".encode())
            await store.flusher.fold(folded)
        items = await drain(store)
        assert names(items) == ["c1", "c2", "c3", "c4", "c5"]
        for n, item in enumerate(items, start=1):
            assert isinstance(item, CommitRecord)
            assert item.writes == {b"gone": None, b"k": b"%d" % n}
            assert item.transactions == (transaction(f"t{n}", "e"),) or list(item.transactions) == [
                transaction(f"t{n}", "e")
            ]
            assert item.parent_id == (b"c%d" % (n - 1) if n > 1 else b"")
        assert names(await drain(store, Position(3, b"c3"))) == ["c4", "c5"]


async def test_a_listener_gets_commits_as_they_are_published() -> None:
    async with opened() as store:
        got: asyncio.Queue[CommitRecord | Unwind] = asyncio.Queue()

        async def listen() -> None:
            async for item in store.feed.follow(Position(0, b"")):
                got.put_nowait(item)

        task = asyncio.create_task(listen())
        for n in range(20):
            await commit(store, f"c{n}")
            item = await asyncio.wait_for(got.get(), 5)
            assert item.commit_id == f"c{n}".encode()
        assert store.feed.followers == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert store.feed.followers == 0


async def test_a_slow_reader_loses_nothing_while_the_store_folds_under_it() -> None:
    async with opened(replace(QUIET, retained_versions=2, flush_age_ms=1)) as store:
        seen: list[str] = []

        async def listen() -> None:
            async for item in store.feed.follow(Position(0, b"")):
                seen.append(item.commit_id.decode())
                await asyncio.sleep(0.002)
                if len(seen) == 60:
                    return

        task = asyncio.create_task(listen())
        for n in range(60):
            await commit(store, f"c{n}", {"k": str(n)})
        await asyncio.wait_for(task, 10)
        assert seen == [f"c{n}" for n in range(60)]


async def test_a_cursor_that_is_too_old_is_told_the_oldest() -> None:
    async with opened(replace(QUIET, feed_versions=3)) as store:
        for n in range(1, 11):
            await commit(store, f"c{n}")
            await fold(store)
        with pytest.raises(CursorUnavailableError, match="oldest recorded version is 8") as caught:
            await store.feed.locate(Position(5, None))
        assert caught.value.metadata["oldest_version"] == "8"
        with pytest.raises(CursorUnavailableError):
            await drain(store, Position(5, None))
        assert await store.feed.locate(Position(7, None)) == await store.feed.locate(Position(7, b"c7"))
        with pytest.raises(CursorUnavailableError, match="no longer recorded"):
            await store.feed.locate(Position(7, b"c7", partial=True))
        with pytest.raises(CursorUnavailableError, match="no longer recorded"):
            await store.feed.locate(Position(0, b""))
        assert names(await drain(store, Position(7, None))) == ["c8", "c9", "c10"]


async def test_a_cursor_from_the_future_or_of_another_chain_is_refused() -> None:
    async with opened() as store:
        await commit(store, "c1")
        await commit(store, "c2")
        with pytest.raises(CursorUnavailableError, match="not committed yet"):
            await store.feed.locate(Position(3, None))
        with pytest.raises(CursorUnavailableError, match="not on the main chain"):
            await store.feed.locate(Position(1, b"other"))
        with pytest.raises(CursorUnavailableError, match="not committed yet"):
            await store.feed.locate(Position(3, b"other", partial=True))


async def test_a_reorganisation_unwinds_to_the_fork_and_goes_on_from_there() -> None:
    async with opened() as store:
        await commit(store, "base")
        await commit(store, "a1", parent="base")
        await commit(store, "a2", parent="a1")
        await commit(store, "b1", parent="base")
        got: list[str] = []

        async def listen() -> None:
            async for item in store.feed.follow(Position(0, b"")):
                got.extend(names([item]))

        task = asyncio.create_task(listen())
        await asyncio.sleep(0.01)
        await store.committer.finalize(b"b1")
        await commit(store, "b2")
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert got == ["base", "a1", "a2", "~base", "b1", "b2"]
        # The same for a caller that comes back with what it had.
        assert names(await drain(store, Position(3, b"a2"))) == ["~base", "b1", "b2"]
        assert await store.feed.locate(Position(3, b"a2", partial=True)) == Position(1, b"base")


async def test_a_discarded_head_unwinds() -> None:
    async with opened() as store:
        await commit(store, "base")
        await commit(store, "a1", parent="base")
        await store.committer.discard(b"a1")
        assert names(await drain(store, Position(2, b"a1"))) == ["~base"]
        await commit(store, "a1", {"k": "again"}, parent="base")
        assert names(await drain(store, Position(1, b"base"))) == ["a1"]


async def test_a_branch_is_left_step_by_step_as_it_is_discarded() -> None:
    async with opened() as store:
        for name in ("a1", "a2", "x3", "x4"):
            await commit(store, name)
        await store.committer.discard(b"x4")
        assert names(await drain(store, Position(4, b"x4"))) == ["~x3"]
        await store.committer.discard(b"x3")
        for name in ("y3", "y4"):
            await commit(store, name)
        for position in (Position(4, b"x4"), Position(3, b"x3"), Position(3, b"x3", partial=True)):
            assert names(await drain(store, position)) == ["~a2", "y3", "y4"]


async def test_a_follower_of_a_live_branch_goes_back_to_the_fork() -> None:
    async with opened() as store:
        await commit(store, "a1")
        await commit(store, "a2")
        await commit(store, "b2", parent="a1")
        await commit(store, "b3", parent="b2")
        assert names(await drain(store, Position(3, b"b3"))) == ["~a1", "a2"]


@pytest.mark.parametrize("end", ["discard", "finalize"])
async def test_the_way_back_from_a_dropped_branch_is_the_same_after_restarts(end: str) -> None:
    disk, position = MemoryDisk(), Position(4, b"x4")
    async with opened(disk=disk) as store:
        for name in ("a1", "a2", "x3", "x4"):
            await commit(store, name)
        await commit(store, "y3", parent="a2")
        await (store.committer.discard(b"x3") if end == "discard" else store.committer.finalize(b"y3"))
        expected = ["~a2", "y3"] if end == "finalize" else ["~a2"]
        assert names(await drain(store, position)) == expected
    async with opened(disk=disk) as store:
        assert names(await drain(store, position)) == expected
        if end == "discard":  # the chain goes back further, and forward again
            await store.committer.discard(b"a2")
            await commit(store, "z2")
            expected = ["~a1", "z2"]
            assert names(await drain(store, position)) == expected
        await fold(store)
    async with opened(disk=disk) as store:
        assert store.tree.root is store.tree.head
        assert names(await drain(store, position)) == expected
        assert names(await drain(store, replace(position, partial=True))) == expected
    await verify_closed(MemoryEngine(disk))


async def test_a_dropped_commit_that_is_committed_again_is_followed_on() -> None:
    disk = MemoryDisk()
    async with opened(disk=disk) as store:
        await commit(store, "base")
        await commit(store, "a", parent="base")
        await commit(store, "b", parent="a")
        await store.committer.discard(b"a")
        await commit(store, "a", parent="base")
        assert names(await drain(store, Position(2, b"a"))) == []
        assert names(await drain(store, Position(3, b"b"))) == ["~a"]
        assert len(store.history.dropped) == 1
    async with opened(disk=disk) as store:
        assert (store.tree.head.commit_id, len(store.history.dropped)) == (b"a", 1)
        assert names(await drain(store, Position(3, b"b"))) == ["~a"]


async def test_dropped_commits_are_forgotten_with_the_window_they_lie_in() -> None:
    disk, config = MemoryDisk(), replace(QUIET, feed_versions=3)
    async with opened(config, disk=disk) as store:
        await commit(store, "base")
        await commit(store, "side")
        await store.committer.discard(b"side")
        for n in range(2, 5):
            await commit(store, f"c{n}")
            await fold(store)
        assert names(await drain(store, Position(2, b"side"))) == ["~base", "c2", "c3", "c4"]
        await commit(store, "c5")
        await fold(store)
        assert len(store.history.dropped) == 0
        with pytest.raises(CursorUnavailableError, match="no longer recorded"):
            await store.feed.locate(Position(2, b"side"))
        assert len(disk.written[Space.COMMITS]) == 3


async def test_the_number_of_dropped_commits_that_are_remembered_is_bounded() -> None:
    disk = MemoryDisk()
    async with opened(disk=disk) as store:
        store.history.dropped.limit = 3
        for n in range(4):
            await commit(store, f"c{n}")
            await commit(store, f"side{n}")
            await store.committer.discard(f"side{n}".encode())
        assert len(store.history.dropped) == 3
        with pytest.raises(CursorUnavailableError):
            await store.feed.locate(Position(2, b"side0"))
        assert await store.feed.locate(Position(5, b"side3")) == Position(4, b"c3")
        assert len(disk.written[Space.COMMITS]) == 4 + 3


async def test_final_only_followers_get_nothing_that_can_be_unwound() -> None:
    async with opened() as store:
        await commit(store, "base")
        await commit(store, "a1", parent="base")
        await commit(store, "b1", parent="base")
        assert await drain(store, final_only=True) == []
        await store.committer.finalize(b"b1")
        assert names(await drain(store, final_only=True)) == ["base", "b1"]


async def test_closing_ends_streams_with_a_typed_error() -> None:
    async with opened() as store:
        await commit(store, "c1")

        async def listen() -> None:
            async for _ in store.feed.follow(Position(0, b"")):
                pass

        task = asyncio.create_task(listen())
        await asyncio.sleep(0.01)
        store.feed.close()
        with pytest.raises(DrainingError):
            await asyncio.wait_for(task, 5)


async def test_a_view_lists_what_changed_since_a_known_version() -> None:
    async with opened() as store:
        for n in range(1, 6):
            await commit(store, f"c{n}", {f"k{n}": "1", "hot": str(n)})
        opened_view = await store.reader.open_view(3, b"", 100, [b"hot", b"never"])
        assert (opened_view.summary.version, opened_view.summary.commit_id, opened_view.complete) == (5, b"c5", True)
        assert opened_view.changed_keys == [b"hot", b"k4", b"k5"]
        assert [(e.value, e.version) for e in opened_view.entries] == [(b"5", 5), (None, 0)]
        assert (await store.reader.open_view(5, b"", 100, [])).changed_keys == []
        for known, known_id, limit in ((0, b"", 100), (3, b"", 2), (9, b"", 100), (3, b"other", 100)):
            answer = await store.reader.open_view(known, known_id, limit, [])
            assert (answer.complete, answer.changed_keys) == (False, [])
        await store.committer.finalize(b"c4")
        await store.flusher.fold(4)
        assert not (await store.reader.open_view(3, b"", 100, [])).complete
        assert (await store.reader.open_view(4, b"c4", 100, [])).changed_keys == [b"hot", b"k5"]


async def test_after_a_reorganisation_a_bare_version_is_not_trusted() -> None:
    disk = MemoryDisk()
    async with opened(disk=disk) as store:
        await commit(store, "base")
        await commit(store, "a1", {"k": "a"}, parent="base")
        await commit(store, "b1", {"k": "b"}, parent="base")
        await store.committer.finalize(b"b1")
        await commit(store, "b2", {"x": "b"})
        assert not (await store.reader.open_view(2, b"", 100, [])).complete
        assert not (await store.reader.open_view(2, b"a1", 100, [])).complete
        assert (await store.reader.open_view(2, b"b1", 100, [])).changed_keys == [b"x"]
        assert (await store.reader.open_view(1, b"", 100, [])).changed_keys == [b"k", b"x"]
        assert (await store.reader.open_view(3, b"", 100, [])).complete
    async with opened(disk=disk) as store:
        assert not (await store.reader.open_view(2, b"", 100, [])).complete
        assert (await store.reader.open_view(1, b"", 100, [])).complete
        assert (await store.reader.open_view(3, b"", 100, [])).complete
        store.history.dropped.limit = 1
        await store.committer.discard(b"b2")  # forgets that "a1" was dropped
        assert not (await store.reader.open_view(2, b"", 100, [])).complete


@pytest.mark.parametrize("folded", [True, False])
async def test_a_commit_does_not_wait_until_every_follower_had_its_turn(folded: bool) -> None:
    async with opened() as store:
        for n in range(30):
            await commit(store, f"c{n}", transactions=[transaction(f"t{n}", "e")])
        if folded:
            await fold(store)
        steps = 0

        async def follow() -> None:
            nonlocal steps
            async for _ in store.feed.follow(START, until_head=True):
                steps += 1

        followers = [asyncio.create_task(follow()) for _ in range(200)]
        for _ in range(20):
            await asyncio.sleep(0)
        before = steps
        await commit(store, "new")
        assert steps - before < len(followers) / 2
        await asyncio.gather(*followers)
        assert steps >= 30 * len(followers)


async def test_followers_of_the_head_do_not_wait_for_those_of_the_history() -> None:
    async with opened() as store:
        for n in range(30):
            await commit(store, f"c{n}")
        await fold(store)
        behind = [asyncio.create_task(drain(store)) for _ in range(200)]
        live: Any = store.feed.follow(Position(30, b"c29"))
        item = asyncio.ensure_future(anext(live))
        await commit(store, "new")
        assert names([await item]) == ["new"]
        assert not any(task.done() for task in behind)
        await live.aclose()
        await asyncio.gather(*behind)
