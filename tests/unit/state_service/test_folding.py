"""Folding: what is read never changes, hot keys are written once, history and tombstones last as long as they must."""

import asyncio
from dataclasses import replace

import pytest

from state_service import keys
from state_service.memory import MemoryDisk
from state_service.storage import Space
from state_service.store import Store
from tests.support.state_store import EAGER, QUIET, commit, contents, fold, get, opened, transaction, version_of


@pytest.mark.parametrize("cache_bytes", [0, 1000, 1 << 20])
async def test_folding_changes_nothing_that_can_be_read(cache_bytes: int) -> None:
    async with opened(replace(QUIET, cache_bytes=cache_bytes)) as store:
        for n in range(30):
            writes = {f"k{(n * 7 + i) % 11}": None if (n + i) % 4 == 0 else f"{n}" for i in range(4)}
            await commit(store, f"c{n}", writes)
        before = {v: (await contents(store, v, page=3)) for v in range(20, 31)}
        versions = {key: await version_of(store, key) for key in before[30]}
        await store.committer.finalize(b"c19")
        await store.flusher.fold(20)
        assert {v: (await contents(store, v, page=3)) for v in range(20, 31)} == before
        await fold(store)
        assert await contents(store) == before[30]
        assert {key: await version_of(store, key) for key in before[30]} == versions


async def test_a_hot_key_is_written_once() -> None:
    async with opened() as store:
        for n in range(50):
            await commit(store, f"c{n}", {"hot": str(n), f"cold{n}": "1"})
        await fold(store)
        assert (store.flusher.counts.folded_writes, store.flusher.counts.stored_writes) == (100, 51)
        assert await get(store, "hot") == "49"


async def test_large_folds_go_in_chunks_that_let_readers_in_between() -> None:
    async with opened() as store:
        for n in range(5):
            await commit(store, f"c{n}", {f"k{n}-{i}": "v" for i in range(1500)})
        seen: set[int] = set()

        async def watch() -> None:
            while store.tree.root.version < 5:
                seen.add(len(await contents(store)))
                await asyncio.sleep(0)

        await asyncio.gather(watch(), fold(store))
        assert seen == {7500}


async def test_receipts_are_found_before_and_after_folding_newest_first() -> None:
    async with opened() as store:
        await commit(store, "c1", transactions=[transaction("t1"), transaction("t2", gas=7)])
        await commit(store, "c2", transactions=[transaction("t3")])
        for _ in range(2):
            found = await store.reader.receipts([b"t2", b"nope", b"t3", b"t1"])
            assert [None if r is None else (r.version, r.index) for r in found] == [(1, 1), None, (2, 0), (1, 0)]
            await fold(store)


async def test_receipts_of_a_branch_are_not_found_until_it_is_the_main_chain() -> None:
    async with opened() as store:
        await commit(store, "base")
        await commit(store, "a", transactions=[transaction("ta")], parent="base")
        await commit(store, "b", transactions=[transaction("tb")], parent="base")
        assert [r is not None for r in await store.reader.receipts([b"ta", b"tb"])] == [True, False]
        await store.committer.finalize(b"b")
        assert [r is not None for r in await store.reader.receipts([b"ta", b"tb"])] == [False, True]


async def test_a_receipt_names_the_commit_that_holds_it_before_and_after_folding() -> None:
    async with opened() as store:
        result = await commit(store, "c1", transactions=[transaction("t", "event")])
        (live,) = await store.reader.receipts([b"t"])
        await commit(store, "c2")
        await fold(store)
        (folded,) = await store.reader.receipts([b"t"])
        assert live is not None
        assert (live.version, live.commit_id, live.commitment) == (1, b"c1", result.commitment)
        assert folded == live


async def test_history_is_trimmed_to_its_window_and_commit_ids_with_it() -> None:
    disk = MemoryDisk()
    async with opened(replace(QUIET, feed_versions=5), disk=disk) as store:
        for n in range(12):
            await commit(store, f"c{n}", {"k": str(n)})
            await fold(store)
        assert (store.history.oldest_version, len(store.history)) == (8, 5)
        assert len(disk.written[Space.JOURNAL]) == len(disk.written[Space.COMMITS]) == 5
        assert (await commit(store, "c7")).duplicate
        assert not (await commit(store, "c6")).duplicate


async def test_a_tombstone_stays_for_the_retained_versions_and_then_goes() -> None:
    disk = MemoryDisk()
    async with opened(replace(QUIET, retained_versions=3), disk=disk) as store:
        await commit(store, "c1", {"dead": "1", "reborn": "1"})
        await commit(store, "c2", {"dead": None, "reborn": None})
        await commit(store, "c3", {"reborn": "2"})
        await fold(store)
        assert (await version_of(store, "dead"), b"dead" in disk.written[Space.STATE]) == (2, True)
        for n in range(4, 7):
            await commit(store, f"c{n}")
        await fold(store)
        assert (await version_of(store, "dead"), b"dead" in disk.written[Space.STATE]) == (0, False)
        assert await get(store, "reborn") == "2"
        assert not disk.written[Space.GRAVES]


async def test_the_background_flusher_folds_by_age_and_by_bytes() -> None:
    async with opened(EAGER) as store:
        await commit(store, "c1", {"k": "1"})
        await asyncio.wait_for(store.flusher.progress(), 5)
        assert store.tree.root.version == 1
    async with opened(replace(QUIET, retained_versions=0, flush_bytes=1)) as store:
        await commit(store, "c1", {"k": "1"})
        await folded_to(store, 1)


async def folded_to(store: Store, version: int) -> None:
    while store.tree.root.version < version:
        await asyncio.wait_for(store.flusher.progress(), 5)


async def test_retained_versions_stay_unfolded() -> None:
    async with opened(replace(QUIET, retained_versions=10, flush_age_ms=1)) as store:
        for n in range(40):
            await commit(store, f"c{n}", {"k": str(n)})
        await folded_to(store, 30)
        assert [await get(store, "k", version) for version in (30, 35, 40)] == ["29", "34", "39"]
        assert store.reader.oldest_version == 30


async def test_a_view_that_falls_behind_while_it_is_read_is_refused() -> None:
    """A read that waits for a slow engine must not mix two versions."""
    async with opened() as store:
        for n in range(3):
            await commit(store, f"c{n}", {"k": str(n)})
        await store.committer.finalize(b"c2")
        real = store.engine.get_many

        async def slow(space: Space, wanted: list[bytes]) -> list[bytes | None]:
            found = await real(space, wanted)
            if space is Space.STATE and wanted == [b"cold"]:
                await store.flusher.fold(3)
            return found

        store.engine.get_many = slow
        with pytest.raises(Exception, match="versions 3 to 3 are live"):
            await get(store, "cold", 1)


async def test_a_scan_that_a_fold_overtakes_starts_again() -> None:
    async with opened() as store:
        await commit(store, "c1", {"a": "1", "b": "1"})
        await commit(store, "c2", {"b": "2"})
        await store.committer.finalize(b"c2")
        real, calls = store.engine.scan, []

        async def slow(space: Space, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
            found = await real(space, start, end, limit)
            if space is Space.STATE and not calls:
                calls.append(1)
                await store.flusher.fold(2)
            return found

        store.engine.scan = slow
        assert await contents(store) == {"a": "1", "b": "2"}


async def test_the_sampled_check_finds_a_cache_that_differs_and_drops_it() -> None:
    disk = MemoryDisk()
    async with opened(disk=disk) as store:
        await commit(store, "c1", {"k": "1"})
        await fold(store)
        disk.written[Space.STATE][b"k"] = keys.version_bound(2) + b"tampered"
        await get(store, "k")
        assert (store.cache.counts.checks, store.cache.counts.mismatches, len(store.cache)) == (1, 1, 0)
        store.cache.counts.mismatches = 0
