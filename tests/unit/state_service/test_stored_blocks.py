"""Blocks by their name: header, answer and hash are found on every branch, live and folded, and after a restart."""

import asyncio
from dataclasses import replace

import pytest

from iost.chain.v1.block_pb2 import BlockHeader
from state_service.errors import BlockHashError, BlockNotFoundError, UnknownSchemaError, VersionUnavailableError
from state_service.keys import META_SCHEMA
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.model import Durability, View
from state_service.recovery import SCHEMA_VERSION
from state_service.storage import EngineBatch, Space
from state_service.store import Store, open_store
from tests.support.state_store import QUIET, commit, fold, opened, to_view, transaction


def header(number: int) -> BlockHeader:
    return BlockHeader(number=number, witness="w", time_ns=number * 10)


async def fork(store: Store) -> None:
    """Builds base -> a1 -> a2 (head) and base -> b1 -> b2, each with a transaction named after it."""
    for number, name, parent in (
        (0, "base", None),
        (1, "a1", "base"),
        (2, "a2", "a1"),
        (1, "b1", "base"),
        (2, "b2", "b1"),
    ):
        await commit(
            store,
            name,
            {"k": name},
            parent=parent,
            transactions=[transaction(f"t-{name}")],
            header=header(number),
            answer=f"answer {name}".encode(),
            named=name != "base",
        )


async def check_block(store: Store, name: str, number: int) -> None:
    block = await store.committer.stored_block(name.encode())
    assert (block.summary.commit_id, block.summary.version) == (name.encode(), number + 1)
    assert BlockHeader.FromString(block.header) == header(number)
    assert block.answer == f"answer {name}".encode()
    assert [item.tx_hash for item in block.transactions] == [f"t-{name}".encode()]


async def test_a_block_is_found_on_every_branch_and_after_a_restart() -> None:
    disk = MemoryDisk()
    for _ in range(2):
        async with opened(disk=disk) as store:
            if not store.tree.head.version:
                await fork(store)
            for name, number in (("base", 0), ("a1", 1), ("a2", 2), ("b1", 1), ("b2", 2)):
                await check_block(store, name, number)
            head = store.reader.head()
            assert (head.number, head.time_ns, head.parent_id, head.block_hash) == (2, 20, b"a1", b"a2")


async def test_a_folded_block_is_found_as_long_as_it_is_remembered() -> None:
    disk = MemoryDisk()
    config = replace(QUIET, feed_versions=3)
    async with opened(config, disk=disk) as store:
        await fork(store)
        await fold(store)
        for name, number in (("base", 0), ("a1", 1), ("a2", 2)):
            await check_block(store, name, number)
        with pytest.raises(BlockNotFoundError):  # a sibling of the final chain is dropped
            await store.committer.stored_block(b"b1")
    async with opened(config, disk=disk) as store:
        await check_block(store, "a2", 2)  # the root
        await commit(store, "a3", header=header(3))
        await fold(store)
        await check_block(store, "a1", 1)
        with pytest.raises(BlockNotFoundError):
            await store.committer.stored_block(b"base")


async def test_a_block_on_its_way_to_the_disk_is_waited_for() -> None:
    async with opened() as store:
        first = asyncio.create_task(commit(store, "c1", answer=b"a"))
        await asyncio.sleep(0)
        assert not store.tree.find(b"c1").published  # type: ignore[union-attr]
        assert (await store.committer.stored_block(b"c1")).answer == b"a"
        await first


# -- recorded hashes -----------------------------------------------------------------------------------------------


async def hash_of(store: Store, name: str) -> bytes:
    return (await store.committer.stored_block(name.encode())).summary.block_hash


async def test_the_id_that_a_caller_gave_is_the_hash_until_one_is_recorded() -> None:
    async with opened() as store:
        await fork(store)
        assert [await hash_of(store, name) for name in ("base", "a1")] == [b"", b"a1"]
        assert await store.committer.record_hash(b"a1", b"h") == 2
        assert await hash_of(store, "a1") == b"h"
        opened_view = await store.reader.open_view(0, b"", 1, [], to_view("a1"))
        assert (opened_view.summary.block_hash, opened_view.summary.parent_id) == (b"h", b"base")


async def test_a_recorded_hash_survives_folding_and_restarts_and_another_one_is_refused() -> None:
    disk = MemoryDisk()
    async with opened(disk=disk) as store:
        await fork(store)
        for name in ("base", "a2", "b2"):
            await store.committer.record_hash(name.encode(), b"hash " + name.encode())
    for folding in (True, False):
        async with opened(disk=disk) as store:
            if folding:
                await store.committer.finalize(b"a1")
                await store.flusher.fold(2)
                await store.committer.record_hash(b"a1", b"hash a1")  # of the root
            for name in ("base", "a1", "a2"):
                assert await hash_of(store, name) == b"hash " + name.encode()
                await store.committer.record_hash(name.encode(), b"hash " + name.encode())
                with pytest.raises(BlockHashError) as caught:
                    await store.committer.record_hash(name.encode(), b"other")
                assert caught.value.metadata["expected"] == (b"hash " + name.encode()).hex()
            with pytest.raises(BlockNotFoundError):  # it went with its block
                await store.committer.record_hash(b"b2", b"hash b2")


async def test_a_hash_goes_with_its_block() -> None:
    disk = MemoryDisk()
    async with opened(disk=disk) as store:
        await fork(store)
        await store.committer.record_hash(b"b2", b"one")
        await asyncio.gather(store.committer.discard(b"b1"), _recorded(store, b"b1"))
        await commit(store, "b1", parent="base")
        await commit(store, "b2", parent="b1")
        assert await hash_of(store, "b2") == b""
    async with opened(disk=disk) as store:  # nothing is left of what was dropped
        assert await hash_of(store, "b2") == b""


async def _recorded(store: Store, name: bytes) -> None:
    try:
        await store.committer.record_hash(name, b"late")
    except BlockNotFoundError:
        pass


async def test_of_two_different_hashes_at_once_one_is_recorded() -> None:
    async with opened() as store:
        await commit(store, "c1")
        results = await asyncio.gather(
            *(store.committer.record_hash(b"c1", name) for name in (b"x", b"y")), return_exceptions=True
        )
        assert results[0] == 1
        assert isinstance(results[1], BlockHashError)
        assert await hash_of(store, "c1") == b"x"


async def test_a_hash_can_be_recorded_while_its_commit_is_under_way() -> None:
    disk = MemoryDisk()
    async with opened(disk=disk) as store:
        await asyncio.gather(
            commit(store, "c1", durability=Durability.BUFFERED), store.committer.record_hash(b"c1", b"h")
        )
    async with opened(disk=disk) as store:
        assert await hash_of(store, "c1") == b"h"


# -- reads at a branch ---------------------------------------------------------------------------------------------


async def versions(store: Store, view: View, *names: str) -> list[int | None]:
    found = await store.reader.receipts([f"t-{name}".encode() for name in names], view)
    return [receipt and receipt.version for receipt in found]


@pytest.mark.parametrize("folded", [False, True])
async def test_receipts_are_those_of_the_chain_from_the_block_down(folded: bool) -> None:
    async with opened() as store:
        await fork(store)
        if folded:
            await store.committer.finalize(b"base")
            await store.flusher.fold(1)
        names = ("base", "a1", "a2", "b1", "b2")
        assert await versions(store, View(), *names) == [1, 2, 3, None, None]
        assert await versions(store, to_view("a1"), *names) == [1, 2, None, None, None]
        assert await versions(store, to_view("b2"), *names) == [1, None, None, 2, 3]
        assert await versions(store, View(2), *names) == [1, 2, None, None, None]
        assert await versions(store, View(3, b"b1"), *names) == [1, None, None, 2, None]  # the block id wins
        with pytest.raises(BlockNotFoundError):
            await versions(store, to_view("none"), "base")
        with pytest.raises(VersionUnavailableError):
            await versions(store, View(9), "base")


async def test_a_transaction_on_both_branches_has_the_receipt_of_each() -> None:
    async with opened() as store:
        await commit(store, "base")
        await commit(store, "a1", parent="base", transactions=[transaction("t", gas=1)])
        await commit(store, "b1", parent="base", transactions=[transaction("x"), transaction("t", gas=2)])
        for view, place in (("a1", 0), ("b1", 1)):
            (found,) = await store.reader.receipts([b"t"], to_view(view))
            assert found is not None
            assert (found.version, found.index) == (2, place)
            assert found.payload == store.tree.find(view.encode()).transactions[place].payload  # type: ignore[union-attr]


async def test_a_view_of_any_block_tells_what_changed_along_its_chain() -> None:
    async with opened() as store:
        await fork(store)
        await commit(store, "b3", {"x": "b3"}, parent="b2")

        async def changed(known: int, known_id: bytes, at: str) -> list[bytes] | None:
            view = await store.reader.open_view(known, known_id, 100, [b"k"], to_view(at))
            assert view.summary.commit_id == at.encode()
            return list(view.changed_keys) if view.complete else None

        assert await changed(3, b"b2", "b3") == [b"x"]
        assert await changed(4, b"b3", "b3") == []
        assert await changed(1, b"base", "b3") == [b"k", b"x"]
        assert await changed(1, b"", "b3") == [b"k", b"x"]
        for known, known_id, at in (
            (3, b"a2", "b3"),  # of the other branch
            (3, b"", "b3"),  # a number alone means the main chain
            (4, b"b3", "b2"),  # younger than the view
            (0, b"", "b3"),
        ):
            assert await changed(known, known_id, at) is None


# -- stores of the release before --------------------------------------------------------------------------------------


async def test_a_store_of_schema_1_is_raised_and_one_of_a_later_schema_is_refused() -> None:
    disk = MemoryDisk()

    async def write_schema(number: int) -> None:
        engine = MemoryEngine(disk)
        await engine.acquire()
        batch = EngineBatch()
        batch.put(Space.META, META_SCHEMA, number.to_bytes(4))
        await engine.commit(batch, sync=True)
        await engine.close()

    async with opened(disk=disk) as store:
        await fork(store)
    await write_schema(1)
    async with opened(disk=disk) as store:
        assert await store.engine.get_many(Space.META, [META_SCHEMA]) == [SCHEMA_VERSION.to_bytes(4)]
        await check_block(store, "a2", 2)
    later = SCHEMA_VERSION + 1
    await write_schema(later)
    with pytest.raises(UnknownSchemaError, match=f"schema version {later}, this software knows {SCHEMA_VERSION}"):
        await open_store(QUIET, MemoryEngine(disk))
