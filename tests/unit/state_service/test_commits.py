"""Commits on the main chain: applied whole or refused whole, once, with versions that tell the truth."""

import asyncio
from asyncio import Task
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest

from state_service.errors import BacklogFullError, StaleEpochError, VersionUnavailableError, WriteConflictError
from state_service.model import CommitResult, Durability, View, WriteBatch
from state_service.store import Store
from state_service.tree import Block
from tests.support.state_store import QUIET, commit, contents, fold, get, opened, version_of


async def test_versions_count_commits_and_reads_are_pinned() -> None:
    async with opened() as store:
        assert (await commit(store, "c1", {"a": "1", "b": "1"})).version == 1
        assert (await commit(store, "c2", {"a": "2"})).version == 2
        assert [await get(store, "a", view) for view in (0, 1, 2)] == ["2", "1", "2"]
        assert [await version_of(store, key) for key in ("a", "b", "never")] == [2, 1, 0]


async def test_a_commit_for_one_head_is_refused_on_another() -> None:
    async with opened() as store:
        await commit(store, "c1", {"a": "1"})
        await store.committer.commit(WriteBatch(b"c2", {b"b": b"1"}, newest_id=b"c1"))
        for work in (store.committer.commit, store.committer.preview):
            with pytest.raises(WriteConflictError) as caught:
                await work(WriteBatch(b"c3", {b"c": b"1"}, newest_id=b"c1"))
            assert (caught.value.conflicting_keys, caught.value.version) == ((), 2)
        assert store.tree.head.commit_id == b"c2"


async def test_an_empty_store_is_version_0_and_empty() -> None:
    async with opened() as store:
        assert (store.reader.head().version, store.reader.head().commitment) == (0, bytes(32))
        assert await contents(store) == {}
        assert await get(store, "a") is None


async def test_a_batch_without_writes_is_a_version_too() -> None:
    async with opened() as store:
        assert (await commit(store, "c1")).version == 1
        assert store.reader.head().commitment != bytes(32)


async def test_a_deleted_key_is_absent_and_keeps_its_version() -> None:
    async with opened() as store:
        await commit(store, "c1", {"a": "1"})
        await commit(store, "c2", {"a": None})
        assert (await get(store, "a"), await version_of(store, "a")) == (None, 2)
        assert (await get(store, "a", 1), await contents(store)) == ("1", {})


@pytest.mark.parametrize("folded", [False, True])
async def test_a_stale_read_refuses_the_whole_batch_and_names_the_keys(folded: bool) -> None:
    async with opened() as store:
        await commit(store, "c1", {"a": "1", "b": "1", "gone": "1"})
        await commit(store, "c2", {"a": "2", "gone": None})
        if folded:
            await fold(store)
        with pytest.raises(WriteConflictError) as caught:
            await commit(store, "c3", {"x": "1"}, reads={"a": 1, "b": 1, "gone": 1, "never": 0})
        assert (set(caught.value.conflicting_keys), caught.value.version) == ({b"a", b"gone"}, 2)
        assert (await get(store, "x"), store.tree.head.version) == (None, 2)
        await commit(store, "c3", {"x": "1"}, reads={"a": 2, "b": 1, "gone": 2, "never": 0})


@pytest.mark.parametrize("folded", [False, True])
async def test_the_same_commit_id_returns_the_first_answer(folded: bool) -> None:
    async with opened() as store:
        first = await commit(store, "c1", {"a": "1"})
        if folded:
            await fold(store)
        again = await commit(store, "c1", {"a": "other"}, reads={"a": 0})
        assert again == replace(first, duplicate=True)
        assert (await get(store, "a"), store.tree.head.version) == ("1", 1)


async def test_twins_in_flight_are_applied_once() -> None:
    async with opened() as store:
        results = await asyncio.gather(*(commit(store, "c1", {"a": "1"}) for _ in range(10)))
        assert sorted(result.duplicate for result in results) == [False] + [True] * 9
        assert len({(result.version, result.commitment) for result in results}) == 1


def at_publication(store: Store, act: Callable[[], Coroutine[Any, Any, CommitResult]]) -> list[Task[CommitResult]]:
    """Begins something in the turn of the event loop in which the next commit is published; returns where it goes."""
    publish, begun = store.journal.on_published, []

    def act_and_publish(blocks: Sequence[Block]) -> None:
        store.journal.on_published = publish
        begun.append(asyncio.create_task(act()))
        publish(blocks)

    store.journal.on_published = act_and_publish
    return begun


@pytest.mark.timeout(10, method="signal")
async def test_a_conflict_in_the_turn_of_publication_is_answered() -> None:
    async with opened() as store:
        await commit(store, "c1", {"a": "1"})
        late = at_publication(store, lambda: commit(store, "c3", {"a": "3"}, reads={"a": 1}))
        await commit(store, "c2", {"a": "2"})
        with pytest.raises(WriteConflictError) as caught:
            await late[0]
        assert (caught.value.conflicting_keys, caught.value.version) == ((b"a",), 2)


@pytest.mark.timeout(10, method="signal")
async def test_a_twin_in_the_turn_of_publication_is_answered() -> None:
    async with opened() as store:
        late = at_publication(store, lambda: commit(store, "c1", {"a": "1"}))
        first = await commit(store, "c1", {"a": "1"})
        assert await late[0] == replace(first, duplicate=True)


async def test_concurrent_commits_share_a_sync_and_chain_up() -> None:
    async with opened() as store:
        results = await asyncio.gather(*(commit(store, f"c{n}", {f"k{n}": "1"}) for n in range(64)))
        assert sorted(result.version for result in results) == list(range(1, 65))
        assert store.journal.counts.groups <= 2
        assert len(await contents(store)) == 64


async def test_of_two_writers_of_one_key_one_is_told_to_read_again() -> None:
    async with opened() as store:
        await commit(store, "c0", {"n": "0"})

        async def increment(caller: int) -> int:
            for attempt in range(1, 50):
                (entry,), _ = await store.reader.get_many(View(), [b"n"])
                batch = WriteBatch(
                    b"%d-%d" % (caller, attempt),
                    {b"n": b"%d" % (int(entry.value or b"0") + 1)},
                    reads={b"n": entry.version},
                )
                try:
                    await store.committer.commit(batch)
                except WriteConflictError:
                    continue
                return attempt
            raise AssertionError("never got through")

        attempts = await asyncio.gather(*(increment(caller) for caller in range(8)))
        assert await get(store, "n") == "8"
        assert max(attempts) > 1


async def test_a_conflict_is_answered_when_the_winner_can_be_read() -> None:
    async with opened() as store:
        await commit(store, "c0", {"n": "0"})
        winner = asyncio.create_task(commit(store, "w", {"n": "1"}, reads={"n": 1}))
        await asyncio.sleep(0)
        with pytest.raises(WriteConflictError) as caught:
            await commit(store, "l", {"n": "2"}, reads={"n": 1})
        assert store.reader.head().version == caught.value.version == 2
        await winner


async def test_a_stale_epoch_is_refused() -> None:
    async with opened() as store:
        epoch = store.reader.epoch
        await store.committer.commit(WriteBatch(b"c1", {}, epoch=epoch))
        with pytest.raises(StaleEpochError):
            await store.committer.commit(WriteBatch(b"c2", {}, epoch=epoch - 1 or epoch + 1))


async def test_a_preview_answers_like_the_commit_and_applies_nothing() -> None:
    async with opened() as store:
        await commit(store, "c1", {"a": "1"})
        batch = WriteBatch(b"c2", {b"a": b"2"}, reads={b"a": 1})
        preview = await store.committer.preview(batch)
        assert (store.tree.head.version, await get(store, "a")) == (1, "1")
        assert await store.committer.commit(batch) == preview
        with pytest.raises(WriteConflictError):
            await store.committer.preview(WriteBatch(b"c3", {}, reads={b"a": 1}))
        assert (await store.committer.preview(batch)).duplicate


async def test_the_reply_says_which_durability_it_got() -> None:
    async with opened() as store:
        alone = await commit(store, "c1", durability=Durability.BUFFERED)
        together = await asyncio.gather(
            commit(store, "c2", durability=Durability.BUFFERED), commit(store, "c3", durability=Durability.SYNCED)
        )
        assert alone.durability is Durability.BUFFERED
        assert {result.durability for result in together} == {Durability.SYNCED}
        assert (await commit(store, "c1")).durability is Durability.BUFFERED


async def test_a_vanished_caller_takes_nothing_with_it() -> None:
    async with opened() as store:
        task = asyncio.create_task(commit(store, "c1", {"a": "1"}))
        other = asyncio.create_task(commit(store, "c2", {"b": "1"}))
        await asyncio.sleep(0)
        task.cancel()
        assert (await other).version == 2
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await commit(store, "c1")).duplicate
        assert await contents(store) == {"a": "1", "b": "1"}


async def test_commits_are_refused_when_blocks_pile_up_unfinalised() -> None:
    config = replace(QUIET, l2_bytes=1 << 16, commit_wait_ms=30, flush_age_ms=1)
    async with opened(config) as store:

        async def pile_up() -> None:
            for n in range(100):
                await commit(store, f"c{n}", {"k": "x" * 1000}, parent=f"c{n - 1}" if n else None)

        with pytest.raises(BacklogFullError) as caught:
            await pile_up()
        assert caught.value.metadata["limit_bytes"] == str(1 << 16)
        # Once a block is final there is room again.
        await store.committer.finalize(store.tree.head.commit_id)
        await commit(store, "more", {"k": "y"})


async def test_linear_commits_never_fill_memory() -> None:
    config = replace(QUIET, l2_bytes=1 << 17, flush_age_ms=1)
    async with opened(config) as store:
        for n in range(300):
            await commit(store, f"c{n}", {f"k{n % 7}": "x" * 1000})
            assert store.tree.held_bytes < 3 << 16
        assert store.tree.root.version > 200
        assert len(await contents(store)) == 7


async def test_a_read_outside_the_live_range_names_the_range() -> None:
    async with opened() as store:
        for n in range(5):
            await commit(store, f"c{n}", {"a": str(n)})
        await store.committer.finalize(b"c2")
        await store.flusher.fold(3)
        assert await get(store, "a", 3) == "2"
        for version in (2, 6):
            with pytest.raises(VersionUnavailableError, match="versions 3 to 5 are live"):
                await get(store, "a", version)
        with pytest.raises(VersionUnavailableError):
            await get(store, "a", "c0")
