"""Followers that break off and resume at random while blocks are committed, discarded, finalised and folded.

Each round is drawn from a seed: callers change the tree while followers read it through the servicers, and the store is
closed and opened again half way. A follower keeps the events it was given, drops what an unwind notice calls void, and
must hold exactly the events of the main chain in the end. No cursor may be refused: the window holds every version.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chassis.errors import DrainingError
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.state.v1 import state_service_pb2 as state_pb
from state_service.config import StateConfig
from state_service.errors import StateError
from state_service.inspection import InspectionServicer
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.model import WriteBatch
from state_service.server import StateServicer
from state_service.store import Store, open_store
from tests.support.state_store import QUIET, transaction

ROUNDS = 600
CHANGES = 14
"""Changes of the tree in each half of a round."""

FOLDING = replace(QUIET, retained_versions=2, flush_bytes=1)
"""Everything two versions behind the head is final and folded at once."""

BRANCHING = replace(QUIET, flush_bytes=1)
"""Nothing is final before it is finalised; then it is folded at once."""


@dataclass
class Clock:
    """Gives other tasks a turn at random."""

    rng: random.Random

    async def pause(self) -> None:
        for _ in range(self.rng.choice((0, 0, 1, 2, 5))):
            await asyncio.sleep(0)

    async def send_initial_metadata(self, _: object) -> None:
        """Stands in for the context of a call: sending metadata takes a while."""
        await self.pause()


class SlowEngine(MemoryEngine):
    """A memory engine whose calls take a while."""

    def __init__(self, disk: MemoryDisk, clock: Clock) -> None:
        super().__init__(disk)
        self._clock = clock
        self._writing = asyncio.Lock()

    async def get_many(self, *args: Any) -> list[bytes | None]:
        await self._clock.pause()
        found = await super().get_many(*args)
        await self._clock.pause()
        return found

    async def commit(self, *args: Any, sync: bool) -> None:
        async with self._writing:  # in the order of the calls, as every engine
            await self._clock.pause()
            await super().commit(*args, sync=sync)


@dataclass
class Chain:
    """The callers that change the tree."""

    store: Store
    rng: random.Random
    count: int = 0
    dropped: list[WriteBatch] = field(default_factory=list)
    batches: dict[bytes, WriteBatch] = field(default_factory=dict)

    async def change(self) -> None:
        """Makes one change at random."""
        acts = (self._extend, self._branch, self._again, self._discard, self._finalize)
        try:
            await self.rng.choices(acts, (8, 4, 1, 5, 1))[0]()
        except StateError as error:
            if error.reason not in ("BLOCK_NOT_FOUND", "FINALITY_VIOLATED", "VERSION_UNAVAILABLE"):
                raise

    async def _extend(self) -> None:
        await self._commit(self._batch(None))

    async def _branch(self) -> None:
        await self._commit(self._batch(self.rng.choice(self.store.tree.blocks()[-4:]).commit_id or None))

    async def _again(self) -> None:
        """Commits a dropped block once more, on the same parent: not one of the first version, which can name none."""
        named = [batch for batch in self.dropped if batch.parent_id]
        if named:
            await self._commit(self.rng.choice(named))

    async def _discard(self) -> None:
        block = self.rng.choice(self.store.tree.blocks()[-3:])
        for commit_id in await self.store.committer.discard(block.commit_id):
            self.dropped.append(self.batches[commit_id])

    async def _finalize(self) -> None:
        await self.store.committer.finalize(self.rng.choice(self.store.tree.blocks()[-4:]).commit_id)

    async def _commit(self, batch: WriteBatch) -> None:
        await self.store.committer.commit(batch)
        block = self.store.tree.find(batch.commit_id)
        if block is not None:
            self.batches[batch.commit_id] = replace(batch, parent_id=block.parent_id or None)

    def _batch(self, parent_id: bytes | None) -> WriteBatch:
        self.count += 1
        name = f"c{self.count}"
        events = [f"{name}.{place}" for place in range(self.rng.randint(0, 3))]
        cut = self.rng.randint(0, len(events))
        transactions = (transaction(f"{name}a", *events[:cut]), transaction(f"{name}b", *events[cut:]))
        return WriteBatch(name.encode(), {}, parent_id=parent_id, transactions=transactions)


async def hear(stream: Any, take: Callable[[Any], None], clock: Clock, most: int | None) -> None:
    """Takes at most so many answers of a stream, all when no number is given, and closes it."""
    try:
        async for item in stream:
            take(item)
            if most is not None and (most := most - 1) <= 0:
                return
            await clock.pause()
    finally:
        await stream.aclose()


@dataclass
class EventFollower:
    """A subscriber of StreamEvents: what it holds, and the cursor it resumes from."""

    store: Store
    clock: Clock
    final_only: bool = False
    cursor: inspection_pb.EventCursor = field(default_factory=inspection_pb.EventCursor)
    held: list[tuple[int, str]] = field(default_factory=list)

    async def listen(self, most: int | None = None) -> None:
        """Listens for some answers from where it stands, to the head when no number is given."""
        request = inspection_pb.StreamEventsRequest(
            cursor=self.cursor, final_only=self.final_only, until_head=most is None
        )
        stream = InspectionServicer(lambda: self.store).StreamEvents(request, self.clock)  # type: ignore[arg-type]
        await hear(stream, self._take, self.clock, most)

    def _take(self, item: inspection_pb.StreamEventsResponse) -> None:
        self.cursor.CopyFrom(item.cursor)
        if item.unwind:
            assert not self.final_only
            self.held = [(version, data) for version, data in self.held if version <= item.cursor.version]
        else:
            self.held.append((item.cursor.version, item.event.data))


@dataclass
class ChangeFollower:
    """A subscriber of StreamChanges."""

    store: Store
    clock: Clock
    final_only: bool = False
    held: list[tuple[int, bytes]] = field(default_factory=list)

    async def listen(self, most: int | None = None) -> None:
        """As EventFollower.listen."""
        version, commit_id = self.held[-1] if self.held else (0, b"")
        request = state_pb.StreamChangesRequest(
            from_version=version + 1, known_block_id=commit_id, until_head=most is None, final_only=self.final_only
        )
        stream = StateServicer(lambda: self.store).StreamChanges(request, self.clock)  # type: ignore[arg-type]
        await hear(stream, self._take, self.clock, most)

    def _take(self, item: state_pb.StreamChangesResponse) -> None:
        if item.unwind:
            assert not self.final_only
            self.held = self.held[: item.version]
            assert item.commit_id == (self.held[-1][1] if self.held else b"")
        else:
            assert item.version == len(self.held) + 1
            assert item.parent_id == (self.held[-1][1] if self.held else b"")
            self.held.append((item.version, item.commit_id))


Follower = EventFollower | ChangeFollower


async def keep_listening(follower: Follower, rng: random.Random, done: asyncio.Event) -> None:
    """Connects again and again; each connection breaks after some answers or after some turns."""
    while not done.is_set():
        listening = asyncio.create_task(follower.listen(rng.randint(1, 4)))
        for _ in range(rng.randint(1, 40)):
            await asyncio.sleep(0)
            if listening.done():
                break
        listening.cancel()
        with suppress(asyncio.CancelledError, DrainingError):
            await listening


async def half(store: Store, chain: Chain, followers: list[Follower], clock: Clock) -> None:
    """Changes the tree while followers listen."""
    done = asyncio.Event()
    chain.store = store
    listening = []
    for follower in followers:
        follower.store = store
        listening.append(asyncio.create_task(keep_listening(follower, clock.rng, done)))
    for _ in range(CHANGES):
        await chain.change()
        await clock.pause()
    done.set()
    await asyncio.gather(*listening)


async def main_chain(store: Store, newest: int) -> tuple[list[tuple[int, bytes]], list[tuple[int, str]]]:
    """Returns commits and events of the main chain up to a version."""
    commits, events = [], []
    for version in range(1, newest + 1):
        record = await store.feed.record_at(version)
        commits.append((version, record.commit_id))
        for kept in record.transactions:
            parsed = state_pb.TransactionRecord.FromString(kept.payload)
            events += [(version, event.data) for event in parsed.events]
    return commits, events


async def play(seed: int, config: StateConfig) -> None:
    """Plays one round and compares every follower with the main chain."""
    rng, disk = random.Random(seed), MemoryDisk()
    clock = Clock(rng)
    store = await open_store(config, SlowEngine(disk, clock))
    chain = Chain(store, rng)
    followers: list[Follower] = [kind(store, clock, final) for kind in (EventFollower, ChangeFollower)
                                 for final in (False, True)]  # fmt: skip
    await half(store, chain, followers, clock)
    await store.close()
    store = await open_store(config, SlowEngine(disk, clock))
    try:
        await half(store, chain, followers, clock)
        for follower in followers:
            await follower.listen()
            newest = store.tree.final.version if follower.final_only else store.tree.head.version
            commits, events = await main_chain(store, newest)
            assert follower.held == (events if isinstance(follower, EventFollower) else commits), f"seed {seed}"
    finally:
        await store.close()


@pytest.mark.timeout(120, method="signal")
@pytest.mark.parametrize("config", [FOLDING, BRANCHING], ids=["folding", "branching"])
async def test_a_follower_that_resumes_at_any_moment_holds_the_main_chain_in_the_end(config: StateConfig) -> None:
    for seed in range(ROUNDS // 2):
        await play(seed, config)
