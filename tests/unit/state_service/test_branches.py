"""Blocks as a tree by parent: isolation, the head, finalising and discarding."""

from dataclasses import replace

import pytest

from state_service.config import StateConfig
from state_service.errors import (
    BlockNotFoundError,
    FinalityError,
    VersionUnavailableError,
    WriteConflictError,
)
from state_service.memory import MemoryDisk
from state_service.store import Store
from tests.support.state_store import QUIET, commit, contents, fold, get, opened, version_of


async def fork(store: Store) -> None:
    """Builds base -> a1 -> a2 (head) and base -> b1 -> b2."""
    await commit(store, "base", {"k": "base", "shared": "s"})
    await commit(store, "a1", {"k": "a1", "only_a": "1"}, parent="base")
    await commit(store, "a2", {"k": "a2"}, parent="a1")
    await commit(store, "b1", {"k": "b1", "only_b": "1"}, parent="base")
    await commit(store, "b2", {"shared": None}, parent="b1")


@pytest.mark.parametrize("folded", [False, True])
async def test_two_blocks_on_one_parent_never_see_each_other(folded: bool) -> None:
    async with opened() as store:
        await fork(store)
        if folded:
            await store.committer.finalize(b"base")
            await store.flusher.fold(1)
        assert await contents(store, "a2") == {"k": "a2", "only_a": "1", "shared": "s"}
        assert await contents(store, "b2") == {"k": "b1", "only_b": "1"}
        assert await contents(store, "b1") == {"k": "b1", "only_b": "1", "shared": "s"}
        assert [await version_of(store, "shared", view) for view in ("a2", "b1", "b2")] == [1, 1, 3]


async def test_the_head_follows_blocks_built_on_it_and_no_others() -> None:
    async with opened() as store:
        await fork(store)
        assert store.reader.head().block_id == b"a2"
        await commit(store, "b3", {"k": "b3"}, parent="b2")
        assert store.reader.head().block_id == b"a2"
        await commit(store, "next", {"k": "next"})
        assert store.tree.find(b"next").parent.commit_id == b"a2"


async def test_reads_are_checked_against_the_named_parent() -> None:
    async with opened() as store:
        await fork(store)
        await commit(store, "b3", {}, parent="b2", reads={"k": 2, "shared": 3, "only_a": 0})
        with pytest.raises(WriteConflictError) as caught:
            await commit(store, "b4", {}, parent="b2", reads={"k": 3, "shared": 1, "only_b": 2})
        assert set(caught.value.conflicting_keys) == {b"k", b"shared"}


async def test_finalising_keeps_the_head_when_it_is_a_descendant() -> None:
    async with opened() as store:
        await fork(store)
        assert await store.committer.finalize(b"a1") == (2, [b"b1", b"b2"])
        assert (store.reader.head().block_id, store.reader.head().final_version) == (b"a2", 2)
        with pytest.raises(BlockNotFoundError):
            await get(store, "k", "b1")
        assert await store.committer.finalize(b"a1") == (2, [])
        assert await store.committer.finalize(b"base") == (1, [])


async def test_finalising_a_branch_moves_the_head_to_it() -> None:
    async with opened() as store:
        await fork(store)
        assert await store.committer.finalize(b"b1") == (2, [b"a1", b"a2"])
        assert store.reader.head().block_id == b"b1"
        assert await contents(store) == await contents(store, "b1")
        assert await get(store, "k", 2) == "b1"
        # b2 descends from the final block and lives on; the next linear commit builds on the head.
        assert (await commit(store, "next", {"k": "next"})).version == 3
        assert await get(store, "k", "b2") == "b1"


async def test_finalising_a_descendant_of_the_head_moves_the_head_forward() -> None:
    async with opened() as store:
        await fork(store)
        await store.committer.discard(b"a1")
        assert store.reader.head().block_id == b"base"
        assert await store.committer.finalize(b"b1") == (2, [])
        assert (store.reader.head().block_id, store.reader.head().final_version) == (b"b1", 2)


async def test_a_dropped_block_can_be_neither_read_nor_built_on_but_committed_anew() -> None:
    async with opened() as store:
        await fork(store)
        await store.committer.finalize(b"b1")
        for use in (get(store, "k", "a2"), commit(store, "a3", parent="a2"), store.committer.discard(b"a1")):
            with pytest.raises(BlockNotFoundError):
                await use
        again = await commit(store, "a1", {"k": "again"}, parent="b1")
        assert (again.version, again.duplicate) == (3, False)


async def test_discarding_drops_descendants_and_moves_the_head_back() -> None:
    async with opened() as store:
        await fork(store)
        assert await store.committer.discard(b"b1") == [b"b1", b"b2"]
        assert store.reader.head().block_id == b"a2"
        assert await store.committer.discard(b"a1") == [b"a1", b"a2"]
        assert store.reader.head().block_id == b"base"
        assert await contents(store) == {"k": "base", "shared": "s"}
        assert (await commit(store, "c", {"k": "c"}, reads={"k": 1})).version == 2


async def test_a_final_block_cannot_be_discarded() -> None:
    async with opened() as store:
        await fork(store)
        await store.committer.finalize(b"a1")
        for block_id in (b"a1", b"base"):
            with pytest.raises(FinalityError):
                await store.committer.discard(block_id)
        await fold(store)
        with pytest.raises(FinalityError):
            await store.committer.discard(b"base")


async def test_no_block_can_be_built_beside_a_final_one() -> None:
    async with opened() as store:
        await fork(store)
        await store.committer.finalize(b"a1")
        with pytest.raises(FinalityError):
            await commit(store, "late", parent="base")
        assert (await commit(store, "a3", parent="a1")).version == 3


async def test_unknown_blocks_are_not_found() -> None:
    async with opened() as store:
        await commit(store, "c1")
        for use in (
            store.committer.finalize(b"nope"),
            store.committer.discard(b"nope"),
            commit(store, "c2", parent="nope"),
            get(store, "k", "nope"),
        ):
            with pytest.raises(BlockNotFoundError):
                await use


async def test_a_folded_block_cannot_be_built_on() -> None:
    async with opened() as store:
        await commit(store, "c1")
        await commit(store, "c2")
        await fold(store)
        with pytest.raises(VersionUnavailableError):
            await commit(store, "x", parent="c1")
        assert (await commit(store, "x", parent="c2")).version == 3


async def test_linear_commits_settle_behind_the_window_and_drop_what_forked_off_there() -> None:
    async with opened() as store:
        await commit(store, "c1")
        await commit(store, "side", {"k": "side"}, parent="c1")
        await commit(store, "c2")  # builds on side: side became the head
        await commit(store, "other", {"k": "other"}, parent="c1")
        assert store.tree.final.version == 0
        store.committer.config = store.flusher.config = _retaining(store, 1)
        await store.committer.settle()
        # c1 is linear and settles; side was committed with a named parent and waits for its consensus.
        assert store.tree.final.commit_id == b"c1"
        await store.committer.finalize(b"side")
        await commit(store, "c3")
        await store.committer.settle()
        assert store.tree.final.commit_id == b"c2"
        assert store.tree.find(b"other") is None


async def test_what_settled_stays_final_across_a_restart_even_when_the_head_goes_back() -> None:
    disk = MemoryDisk()
    config = replace(QUIET, retained_versions=1)
    async with opened(config, disk=disk) as store:
        await commit(store, "c1")
        await commit(store, "c2", parent="c1")
        await store.committer.discard(b"c2")
        assert store.tree.final.commit_id == b"c1"
    async with opened(config, disk=disk) as store:
        assert store.tree.final.commit_id == b"c1"


def _retaining(store: Store, versions: int) -> StateConfig:
    return replace(store.config, retained_versions=versions)


async def test_commitments_of_equal_chains_are_equal_and_of_branches_differ() -> None:
    async with opened() as store, opened() as replica:
        await fork(store)
        for commit_id, writes in (("x", {"k": "base", "shared": "s"}), ("y", {"only_a": "1", "k": "a1"})):
            await commit(replica, commit_id, writes)
        assert store.tree.find(b"a1").commitment == replica.tree.head.commitment
        assert store.tree.find(b"b1").commitment != replica.tree.head.commitment
