"""The change feed: ordered, gap-free, resumable, honest about what was unwound and what is gone."""

import asyncio
from dataclasses import replace

import pytest

from state_service.errors import CursorUnavailableError, StreamClosedError
from state_service.feed import Position, Unwind
from state_service.model import CommitRecord
from state_service.store import Store
from tests.support.state_store import QUIET, commit, fold, opened, transaction

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
            store.feed.check_position(Position(5, None))
        assert caught.value.metadata["oldest_version"] == "8"
        with pytest.raises(CursorUnavailableError):
            await drain(store, Position(5, None))
        store.feed.check_position(Position(7, None))
        assert names(await drain(store, Position(7, None))) == ["c8", "c9", "c10"]


async def test_a_cursor_from_the_future_or_of_another_chain_is_refused() -> None:
    async with opened() as store:
        await commit(store, "c1")
        await commit(store, "c2")
        with pytest.raises(CursorUnavailableError, match="not committed yet"):
            store.feed.check_position(Position(3, None))
        with pytest.raises(CursorUnavailableError, match="not on the main chain"):
            store.feed.check_position(Position(1, b"other"))
        with pytest.raises(CursorUnavailableError, match="not on the main chain"):
            store.feed.resume(2, b"other")


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
        assert store.feed.resume(3, b"a2") == Position(3, b"a2")


async def test_a_discarded_head_unwinds() -> None:
    async with opened() as store:
        await commit(store, "base")
        await commit(store, "a1", parent="base")
        await store.committer.discard(b"a1")
        assert names(await drain(store, Position(2, b"a1"))) == ["~base"]
        await commit(store, "a1", {"k": "again"}, parent="base")
        assert names(await drain(store, Position(1, b"base"))) == ["a1"]


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
        with pytest.raises(StreamClosedError):
            await asyncio.wait_for(task, 5)


async def test_a_view_lists_what_changed_since_a_known_version() -> None:
    async with opened() as store:
        for n in range(1, 6):
            await commit(store, f"c{n}", {f"k{n}": "1", "hot": str(n)})
        opened_view = await store.reader.open_view(3, b"", 100, [b"hot", b"never"])
        assert (opened_view.version, opened_view.block_id, opened_view.complete) == (5, b"c5", True)
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
    async with opened() as store:
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
