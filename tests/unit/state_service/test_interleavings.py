"""Everything at once, in an order drawn from a seed: every call ends, and what is in memory is what is on the disk.

The engine gives others a turn at random, before and after its work; callers come, wait and vanish at random. A seed
that fails fails again.
"""

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from iost.chain.v1.block_pb2 import BlockHeader
from state_service.config import StateConfig
from state_service.errors import (
    CorruptionError,
    StateError,
    StorageFailedError,
    StorageFullError,
    WritesStoppedError,
)
from state_service.feed import Position, Unwind
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.model import CommitResult, View, WriteBatch
from state_service.places import PlaceWish
from state_service.storage import EngineBatch, Space
from state_service.store import Store, open_store
from state_service.tree import Block
from tests.support.state_store import QUIET, check, contents, transaction, verify_closed

CALLERS = 12
CALLS = 25
KEYS = [b"k%d" % n for n in range(8)]

FOLDING = replace(QUIET, retained_versions=3, flush_bytes=1)
"""Everything three versions behind the head is folded at once."""

BRANCHING = replace(QUIET, flush_bytes=1)
"""Nothing is final before a caller says so, so that branches live; then it is folded at once."""

CROWDED = replace(FOLDING, l2_bytes=1 << 16, retained_versions=1000)
"""Memory for some thirty commits: they wait for folds."""

BUGS = (CorruptionError, StorageFailedError, WritesStoppedError)
"""Errors that no caller may see as long as the engine does not fail."""


class UnevenEngine(MemoryEngine):
    """Gives others a turn at random. Batches are applied in order, as by one writer, whatever becomes of callers."""

    def __init__(self, disk: MemoryDisk, rng: random.Random) -> None:
        super().__init__(disk)
        self._rng = rng
        self._writer = asyncio.Lock()
        self._writes: set[asyncio.Task[None]] = set()
        self.refusal_rate = 0.0
        self.writes_left = 1 << 60
        """How many writes succeed; the next one fails, done or not."""

    async def pause(self) -> None:
        for _ in range(self._rng.choice((0, 0, 1, 2, 7))):
            await asyncio.sleep(0)

    async def get_many(self, space: Space, keys: Sequence[bytes]) -> list[bytes | None]:
        await self.pause()
        found = await super().get_many(space, keys)
        await self.pause()
        return found

    async def scan(self, space: Space, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        await self.pause()
        return await super().scan(space, start, end, limit)

    async def commit(self, batch: EngineBatch, *, sync: bool) -> None:
        write = asyncio.create_task(self._write(batch, sync=sync))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        await asyncio.shield(write)

    async def _write(self, batch: EngineBatch, *, sync: bool) -> None:
        async with self._writer:
            await self.pause()
            if self._rng.random() < self.refusal_rate:
                raise StorageFullError("no space left", applied=False)
            self.writes_left -= 1
            if self.writes_left >= 0 or self._rng.random() < 0.5:
                await super().commit(batch, sync=sync)
            if self.writes_left < 0:
                raise StorageFailedError("the disk is gone")


class Storm:
    """Callers of one store, and what they were told."""

    def __init__(self, store: Store, engine: UnevenEngine, rng: random.Random) -> None:
        self.store, self.rng, self._engine = store, rng, engine
        self.linear = False
        """Whether nobody makes branches, nor drops anything."""
        self.acknowledged: dict[bytes, CommitResult] = {}
        self.dropped: set[bytes] = set()
        self.refusals: set[str] = set()
        self._batches: list[WriteBatch] = []
        self._watch_tree()

    def _watch_tree(self) -> None:
        tree = self.store.tree
        remove = tree.remove

        def removed(dropped: Iterable[Block], new_head: Block) -> None:
            remove(dropped, new_head)
            self.dropped.update(block.commit_id for block in dropped)

        tree.remove = removed  # type: ignore[method-assign]

    async def run(self) -> None:
        """Lets everybody call; returns when everybody was answered."""
        callers = [asyncio.create_task(self._caller()) for _ in range(CALLERS)]
        try:
            await asyncio.gather(*callers)
        finally:
            for caller in callers:
                caller.cancel()

    async def _caller(self) -> None:
        acts = (self._commit, self._twin, self._preview, self._finalize, self._discard, self._read, self._follow)
        for _ in range(CALLS):
            drops = 0 if self.linear else 1
            act = self.rng.choices(acts, (12, 4, 2, drops, drops, 4, 1))[0]
            call = asyncio.create_task(act())
            await self._engine.pause()
            if self.rng.random() < 0.15:
                call.cancel()
            try:
                await call
            except BUGS:
                if self._engine.writes_left >= 0:
                    raise
            except StateError as error:
                self.refusals.add(error.reason)
            except asyncio.CancelledError:
                pass

    async def _commit(self) -> None:
        batch = await self._batch()
        self._batches.append(batch)
        self.acknowledged[batch.commit_id] = await self.store.committer.commit(batch)

    async def _twin(self) -> None:
        """Commits again what somebody commits just now, or committed before."""
        if self._batches:
            batch = self.rng.choice(self._batches[-3:])
            self.acknowledged[batch.commit_id] = await self.store.committer.commit(batch)

    async def _preview(self) -> None:
        await self.store.committer.preview(await self._batch())

    async def _batch(self) -> WriteBatch:
        """Makes a batch that read some keys as of now, on the head or on some block."""
        rng, tree = self.rng, self.store.tree
        parent = rng.choice([block for block in tree.blocks() if block.version >= tree.final.version])
        parent_id = None if self.linear else rng.choice((None, None, parent.commit_id))
        wanted = rng.sample(KEYS, rng.randint(0, 4))
        found, _ = await self.store.reader.get_many(View(block_id=parent_id or b""), wanted)
        writes = {key: rng.choice((None, b"%d" % rng.randrange(100))) for key in rng.sample(KEYS, rng.randint(0, 3))}
        name = b"c%d" % rng.randrange(1 << 60)
        return WriteBatch(
            name,
            writes,
            parent_id=parent_id,
            reads={key: entry.version for key, entry in zip(wanted, found, strict=True)},
            transactions=(transaction(name.decode(), "event"),),
        )

    async def _finalize(self) -> None:
        await self.store.committer.finalize(self.rng.choice(self.store.tree.blocks()).commit_id)

    async def _discard(self) -> None:
        await self.store.committer.discard(self.rng.choice(self.store.tree.blocks()[-3:]).commit_id)

    async def _read(self) -> None:
        block = self.rng.choice(self.store.tree.blocks())
        view = View(block_id=block.commit_id)
        (found, _), page = await asyncio.gather(
            self.store.reader.get_many(view, KEYS), self.store.reader.scan(view, b"", None, 3)
        )
        values = dict(zip(KEYS, found, strict=True))
        assert page.entries == [(key, values[key]) for key, _ in page.entries], "one view, one value"

    async def _follow(self) -> None:
        start = Position(self.store.feed.oldest_version - 1, None)
        async for item in self.store.feed.follow(start, until_head=True):
            assert isinstance(item, Unwind) or item.version
            await self._engine.pause()


async def storm(seed: int, config: StateConfig, refusal_rate: float = 0.0) -> set[str]:
    """Runs a storm and checks what it leaves; returns the reasons of its refusals."""
    rng, disk = random.Random(seed), MemoryDisk()
    engine = UnevenEngine(disk, rng)
    store = await open_store(config, engine)
    weather = Storm(store, engine, rng)
    engine.refusal_rate = refusal_rate
    try:
        await weather.run()
        engine.refusal_rate = 0.0
        await store.committer.changes.finished()  # of callers who vanished
        await check(store)
        check_acknowledged(store, weather)
        assert store.feed.followers == 0
    finally:
        await store.close()
    await check_restart(store, disk, config)
    return weather.refusals


def check_acknowledged(store: Store, weather: Storm) -> None:
    """What callers were told is there, unless it was dropped since."""
    for commit_id, result in weather.acknowledged.items():
        if commit_id not in weather.dropped:
            known = store.tree.find(commit_id) or store.history.find(commit_id)
            assert known is not None
            assert (known.version, known.commitment) == (result.version, result.commitment)


async def check_restart(store: Store, disk: MemoryDisk, config: StateConfig) -> None:
    """What is read from the disk at a restart is what the closed store had in memory."""
    again = await open_store(config, MemoryEngine(disk))
    try:
        for tree in (store.tree, again.tree):
            assert all(block.published for block in tree._by_id.values())
        live = {block.commit_id: (block.version, block.on_main) for block in store.tree.blocks()}
        assert {block.commit_id: (block.version, block.on_main) for block in again.tree.blocks()} == live
        assert again.tree.head.place == store.tree.head.place
        # What settled by itself under pressure settles again when it is folded, or when there is pressure again.
        assert again.tree.final.version <= store.tree.final.version
        assert config is CROWDED or again.tree.final.place == store.tree.final.place
        written: dict[str, str] = {}
        async for item in again.feed.follow(Position(0, b""), until_head=True):
            assert not isinstance(item, Unwind)
            for key, value in item.writes.items():
                written[key.decode()] = "" if value is None else value.decode()
        assert await contents(again) == {key: value for key, value in sorted(written.items()) if value}
        await check(again)
    finally:
        await again.close()
    await verify_closed(MemoryEngine(disk))


@pytest.mark.timeout(30, method="signal")
@pytest.mark.parametrize("config", [FOLDING, BRANCHING, CROWDED], ids=["folding", "branching", "crowded"])
@pytest.mark.parametrize("first", [0, 5])
async def test_every_call_ends_and_a_restart_finds_what_was_there(config: StateConfig, first: int) -> None:
    refusals: set[str] = set()
    for seed in range(first, first + 5):
        refusals |= await storm(seed, config)
    assert {"WRITE_CONFLICT", "BLOCK_NOT_FOUND", "FINALITY_VIOLATED"} <= refusals


@pytest.mark.timeout(30, method="signal")
async def test_every_call_ends_on_a_disk_that_is_full_now_and_then() -> None:
    refusals: set[str] = set()
    for seed in range(5):
        refusals |= await storm(seed, FOLDING, refusal_rate=0.1)
    assert "STORAGE_FULL" in refusals


@pytest.mark.timeout(30, method="signal")
async def test_every_call_ends_when_writes_stop_and_what_was_acknowledged_is_on_the_disk() -> None:
    for seed in range(8):
        rng, disk = random.Random(seed), MemoryDisk()
        engine, failures = UnevenEngine(disk, rng), list[StateError]()
        store = await open_store(FOLDING, engine, failures.append)
        weather = Storm(store, engine, rng)
        weather.linear = True
        engine.writes_left = rng.randint(5, 60)
        await weather.run()
        await store.close()
        assert len(failures) == 1
        again = await open_store(FOLDING, MemoryEngine(disk))
        check_acknowledged(again, weather)
        await check(again)
        await again.close()


HURRIED = replace(FOLDING, place_patience_ms=1, place_wait_ms=20, place_limit_ms=8)
"""Places are overtaken and expire all the time."""

PATIENT = replace(FOLDING, place_patience_ms=10_000, place_wait_ms=10_000)
"""Nothing is ever late: what goes on goes on because places are given back."""


class PlacedStorm(Storm):
    """Callers whose batches have places: they lose races, vanish, hold places too long, and leave."""

    def __init__(self, store: Store, engine: UnevenEngine, rng: random.Random) -> None:
        super().__init__(store, engine, rng)
        self.linear = True
        store.places.clock = lambda: 10**18 + rng.randrange(-(10**9), 10**9)

    async def _caller(self) -> None:
        holder = self.store.places.enter()
        for _ in range(CALLS):
            call = asyncio.create_task(self._placed(holder))
            await self._engine.pause()
            if self.rng.random() < 0.1:
                call.cancel()
            try:
                await call
            except StateError as error:
                self.refusals.add(error.reason)
            except asyncio.CancelledError:
                if self.rng.random() < 0.5:
                    self.store.places.leave(holder)
                    holder = self.store.places.enter()
        self.store.places.leave(holder)

    async def _placed(self, holder: int) -> None:
        rng, store = self.rng, self.store
        cells = rng.sample(KEYS, rng.randint(1, 3))
        wish = PlaceWish(
            holder,
            expected_ms=rng.choice((0, 0, 0, 2, 20_000)),
            first=rng.random() < 0.2,
            cells=frozenset(int(key[1:]) for key in cells) if rng.random() < 0.5 else frozenset(),
        )
        place = await store.places.claim(wish)
        opened = await store.reader.open_view(0, b"", 100, cells)
        for _ in range(rng.choice((0, 1, 30))):
            await asyncio.sleep(0)
        if rng.random() < 0.2:
            store.places.give_back(place.place_id)
            return
        batch = WriteBatch(
            b"p%d" % place.place_id,
            dict.fromkeys(cells, b"%d" % place.place_id),
            reads={key: entry.version for key, entry in zip(cells, opened.entries, strict=True)},
            transactions=(transaction(f"p{place.place_id}", "event"),),
            header=BlockHeader(number=place.moment.number, time_ns=place.moment.time_ns).SerializeToString(),
            place_id=place.place_id,
        )
        self.acknowledged[batch.commit_id] = await store.committer.commit(batch)


@pytest.mark.timeout(30, method="signal")
@pytest.mark.parametrize("config", [HURRIED, PATIENT], ids=["hurried", "patient"])
async def test_number_and_time_increase_with_the_version_whatever_becomes_of_places(config: StateConfig) -> None:
    refusals: set[str] = set()
    for seed in range(8):
        rng, disk = random.Random(seed), MemoryDisk()
        engine = UnevenEngine(disk, rng)
        store = await open_store(config, engine)
        weather = PlacedStorm(store, engine, rng)
        try:
            await weather.run()
            order: list[tuple[int, int]] = []
            async for item in store.feed.follow(Position(0, b""), until_head=True):
                assert not isinstance(item, Unwind)
                header = BlockHeader.FromString(item.header)
                order.append((header.number, header.time_ns))
            assert len(order) > CALLERS
            assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(order))
            check_acknowledged(store, weather)
            await check(store)
            assert (store.places.count, store.places.holder_count) == (0, 0)
            assert not store.places._held
            assert not store.places._claims
        finally:
            await store.close()
        refusals |= weather.refusals
    assert "WRITE_CONFLICT" in refusals
    assert ("PLACE_LOST" in refusals) == (config is HURRIED)
