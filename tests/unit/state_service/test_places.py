"""Places: number and time strictly increase in version order, a place delays others only so long, lost ones rerun."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from chassis.errors import DrainingError
from iost.chain.v1.block_pb2 import BlockHeader
from state_service.config import StateConfig
from state_service.errors import HolderUnknownError, OutOfOrderError, PlaceLostError, WriteConflictError
from state_service.model import CommitResult, View, WriteBatch
from state_service.places import HeldPlace, PlaceWish
from state_service.store import Store
from tests.support.state_store import QUIET, fold, opened

pytestmark = pytest.mark.timeout(10, method="signal")

PATIENT = replace(QUIET, place_patience_ms=60_000, place_wait_ms=60_000, place_limit_ms=100_000)
"""Nothing is late however busy the machine is."""

HASTY = replace(PATIENT, place_patience_ms=1)
"""Every place is late at once."""

LONG_MS = 80_000
"""Longer than the patience of both, within the limit."""

START_NS = 10**18
MS = 10**6


class World:
    """A store with a clock that tests set, and one holder for each batch."""

    def __init__(self, store: Store) -> None:
        self.store, self.places = store, store.places
        self.now_ns = START_NS
        store.places.clock = lambda: self.now_ns

    async def open(self, *, cells: tuple[int, ...] = (), **wish: Any) -> "Batch":
        place = await self.places.claim(PlaceWish(self.places.enter(), cells=frozenset(cells), **wish))
        head = self.store.tree.head
        return Batch(self.store, place, head.version, head.commit_id)

    def begin_open(self, **wish: Any) -> "asyncio.Task[Batch]":
        return asyncio.create_task(self.open(**wish))

    async def block(self, number: int, time_ns: int, name: bytes = b"block") -> CommitResult:
        header = BlockHeader(number=number, time_ns=time_ns).SerializeToString()
        return await self.store.committer.commit(WriteBatch(name, {}, header=header))

    def main(self) -> list[tuple[int, int]]:
        """Number and time of each version, in order."""
        path = self.store.tree.path(self.store.tree.head)
        return [(block.number, block.time_ns) for block in path]


class Batch:
    """A batch that runs with a place."""

    def __init__(self, store: Store, place: HeldPlace, version: int, block_id: bytes) -> None:
        self._store, self.place, self.version, self.block_id = store, place, version, block_id

    @property
    def number(self) -> int:
        return self.place.moment.number

    @property
    def time_ns(self) -> int:
        return self.place.moment.time_ns

    def commit(self, key: bytes | None = None) -> Coroutine[Any, Any, CommitResult]:
        header = BlockHeader(number=self.number, time_ns=self.time_ns).SerializeToString()
        batch = WriteBatch(
            b"c%d" % self.place.place_id,
            {key: b"v"} if key else {},
            header=header,
            place_id=self.place.place_id,
        )
        return self._store.committer.commit(batch)

    def begin_commit(self) -> "asyncio.Task[CommitResult]":
        return asyncio.create_task(self.commit())

    def give_back(self) -> None:
        self._store.places.give_back(self.place.place_id)


@asynccontextmanager
async def world(config: StateConfig = PATIENT) -> AsyncIterator[World]:
    async with opened(config) as store:
        made = World(store)
        await made.block(0, START_NS - MS, b"genesis")
        yield made
        assert made.places.count == 0
        assert not made.places._claims
        assert not made.places._held


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_places_have_rising_numbers_and_times_though_the_clock_stands_still_or_goes_back() -> None:
    async with world() as made:
        batches = [await made.open()]
        batches.append(await made.open())
        made.now_ns -= 3600 * 10**9
        batches.append(await made.open())
        assert [batch.number for batch in batches] == [1, 2, 3]
        assert [batch.time_ns - START_NS for batch in batches] == [0, 1, 2]
        for batch in batches:
            await batch.commit()


async def test_the_clock_leads_where_it_is_ahead() -> None:
    async with world() as made:
        first = await made.open()
        made.now_ns += 5 * MS
        second = await made.open()
        assert (first.time_ns, second.time_ns) == (START_NS, START_NS + 5 * MS)
        await asyncio.gather(first.commit(), second.commit())


async def test_a_caller_whose_clock_is_ahead_gets_the_time_that_its_transactions_need() -> None:
    lead_ns = PATIENT.place_lead_ms * MS
    async with world() as made:
        behind, needed = await made.open(least_time_ns=START_NS - MS), await made.open(least_time_ns=START_NS + 5 * MS)
        following = await made.open()
        beyond = await made.open(least_time_ns=START_NS + lead_ns + MS)
        times = [batch.time_ns - START_NS for batch in (behind, needed, following, beyond)]
        assert times == [0, 5 * MS, 5 * MS + 1, lead_ns]
        await asyncio.gather(*(batch.commit() for batch in (behind, needed, following, beyond)))


async def test_a_place_follows_the_head_also_when_that_lies_ahead_of_the_clock() -> None:
    async with world() as made:
        await made.block(7, START_NS + 50 * MS)
        batch = await made.open()
        assert (batch.number, batch.time_ns) == (8, START_NS + 50 * MS + 1)
        await batch.commit()


async def test_commits_become_versions_in_the_order_of_their_places() -> None:
    async with world() as made:
        first, second, third = [await made.open() for _ in range(3)]
        late = [third.begin_commit(), second.begin_commit()]
        await turns()
        assert not any(task.done() for task in late)
        versions = [await first.commit(), await late[1], await late[0]]
        assert [result.version for result in versions] == [2, 3, 4]
        assert made.main() == sorted(set(made.main()))


@pytest.mark.parametrize("end", ["given back", "conflict", "holder left", "another was opened"])
async def test_a_place_that_is_not_needed_holds_nobody_up(end: str) -> None:
    async with world() as made:
        first, second = await made.open(), await made.open()
        waiting = second.begin_commit()
        await turns()
        if end == "given back":
            first.give_back()
        elif end == "conflict":
            stale = WriteBatch(b"x", {}, reads={b"k": 7}, place_id=first.place.place_id)
            with pytest.raises(WriteConflictError):
                await made.store.committer.commit(stale)
        elif end == "holder left":
            made.places.leave(first.place.wish.holder_id)
        else:
            again = await made.places.claim(first.place.wish)
            made.places.give_back(again.place_id)
        assert (await waiting).version == 2
        assert made.places.counts.overtaken == 0


async def test_a_commit_whose_caller_vanishes_while_it_waits_gives_its_place_back() -> None:
    async with world() as made:
        first, second, third = [await made.open() for _ in range(3)]
        vanishing, waiting = second.begin_commit(), third.begin_commit()
        await turns()
        vanishing.cancel()
        assert ((await first.commit()).version, (await waiting).version) == (2, 3)
        assert made.places.counts.given_back == 1


async def test_a_place_follows_those_that_were_not_given_back() -> None:
    async with world() as made:
        kept, returned = await made.open(), await made.open()
        returned.give_back()
        batch = await made.open()
        assert batch.number == kept.number + 1
        await asyncio.gather(kept.commit(), batch.commit())


async def test_a_late_place_is_overtaken_only_when_a_commit_waits_and_must_run_again() -> None:
    async with world(HASTY) as made:
        slow, quick = await made.open(), await made.open()
        await asyncio.sleep(0.01)
        assert made.places.count == 2
        assert (await quick.commit()).version == 2
        with pytest.raises(PlaceLostError):
            await slow.commit()
        again = await made.open()
        assert again.number > quick.number
        assert (await again.commit()).version == 3
        assert (made.places.counts.overtaken, made.places.counts.late) == (1, 1)


async def test_a_place_expires_when_nothing_is_heard_of_it() -> None:
    async with opened(replace(PATIENT, place_limit_ms=20)) as store:
        made = World(store)
        silent = await made.open()
        await asyncio.wait_for(silent.place.gone, 5)
        with pytest.raises(PlaceLostError):
            await silent.commit()
        assert made.places.counts.expired == 1


async def test_short_runs_overtake_one_that_was_announced_as_long_and_it_still_commits() -> None:
    async with world() as made:
        long = await made.open(expected_ms=LONG_MS)
        assert long.time_ns == START_NS + LONG_MS * MS
        for _ in range(5):
            made.now_ns += 10 * MS
            quick = await made.open()
            assert (quick.number < long.number, quick.time_ns) == (True, made.now_ns)
            await quick.commit()
        assert (await long.commit()).version == 7
        after = await made.open()
        assert after.time_ns == long.time_ns + 1
        await after.commit()
        assert made.main() == sorted(set(made.main()))
        assert made.places.counts.overtaken == 0


async def test_nothing_is_put_before_a_place_whose_commit_has_arrived() -> None:
    async with world() as made:
        quick, long = await made.open(), await made.open(expected_ms=LONG_MS)
        waiting = long.begin_commit()
        await turns()
        after = await made.open()
        assert after.number > long.number
        await quick.commit()
        assert ((await waiting).version, (await after.commit()).version) == (3, 4)


async def test_a_place_whose_time_has_come_is_no_longer_passed_by() -> None:
    async with world() as made:
        long = await made.open(expected_ms=LONG_MS)
        made.now_ns += (LONG_MS + 1) * MS
        later = await made.open()
        assert later.number > long.number
        committing = later.begin_commit()
        assert ((await long.commit()).version, (await committing).version) == (2, 3)


async def test_first_opens_its_view_when_earlier_places_have_passed_and_later_commits_wait_for_it() -> None:
    async with world() as made:
        earlier = await made.open()
        opening = made.begin_open(first=True)
        await turns()
        behind = made.begin_open()
        await turns()
        assert not opening.done()
        assert not behind.done()
        await earlier.commit(b"k")
        first = await opening
        assert first.version == made.store.tree.head.version == 2
        late = (await behind).begin_commit()
        await turns()
        assert not late.done()
        assert ((await first.commit()).version, (await late).version) == (3, 4)


async def test_first_does_not_wait_long_for_a_late_place() -> None:
    async with world(HASTY) as made:
        slow = await made.open()
        first = await made.open(first=True)
        assert slow.place.gone.done()
        await first.commit()


async def test_views_of_batches_with_a_common_cell_follow_each_other_and_others_do_not_wait() -> None:
    async with world() as made:
        one = await made.open(cells=(1, 2))
        same, other = made.begin_open(cells=(2,)), made.begin_open(cells=(3,))
        await turns()
        assert (same.done(), other.done()) == (False, True)
        committing = (await other).begin_commit()
        await one.commit()
        await committing
        second = await same
        assert second.version >= 2
        assert second.place.waited
        await second.commit()


async def test_nobody_waits_long_for_a_cell_of_a_slow_batch() -> None:
    async with world(HASTY) as made:
        slow, announced = await made.open(cells=(1,)), await made.open(cells=(2,), expected_ms=LONG_MS)
        waited = await made.open(cells=(1,))
        assert not slow.place.gone.done()
        at_once = made.begin_open(cells=(2,))
        await turns()
        assert at_once.done()
        for batch in (slow, waited, await at_once, announced):
            batch.give_back()


async def test_a_linear_commit_is_refused_unless_number_and_time_exceed_the_parents() -> None:
    async with world() as made:
        await made.block(5, START_NS)
        for number, time_ns in ((5, START_NS + 1), (6, START_NS), (4, START_NS - 1)):
            with pytest.raises(OutOfOrderError):
                await made.block(number, time_ns, b"late")
        await made.block(6, START_NS + 1, b"right")
        await fold(made.store)
        with pytest.raises(OutOfOrderError):
            await made.block(6, START_NS + 2, b"after folding")


async def test_a_block_that_overtakes_makes_the_batch_run_again() -> None:
    async with world() as made:
        batch = await made.open()
        await made.block(1, START_NS + MS)
        with pytest.raises(OutOfOrderError):
            await batch.commit()
        again = await made.open()
        assert (again.number, again.time_ns) == (2, START_NS + MS + 1)
        await again.commit()


async def test_a_repeated_commit_is_answered_though_its_place_has_passed() -> None:
    async with world() as made:
        batch = await made.open()
        first = await batch.commit()
        assert await batch.commit() == replace(first, duplicate=True)


async def test_a_holder_that_left_gets_no_place_also_while_it_waits() -> None:
    async with world() as made:
        with pytest.raises(HolderUnknownError):
            await made.places.claim(PlaceWish(99))
        one = await made.open(cells=(1,))
        holder = made.places.enter()
        waiting = asyncio.create_task(made.places.claim(PlaceWish(holder, cells=frozenset((1,)))))
        await turns()
        made.places.leave(holder)
        one.give_back()
        with pytest.raises(HolderUnknownError):
            await waiting


async def test_a_commit_that_has_arrived_goes_on_though_its_holder_leaves() -> None:
    async with world() as made:
        first, second = await made.open(), await made.open()
        committing = second.begin_commit()
        await turns()
        made.places.close()
        for batch in (second, first):
            made.places.leave(batch.place.wish.holder_id)
        assert (await committing).version == 2
        with pytest.raises(DrainingError):
            made.places.enter()


async def test_batches_on_disjoint_cells_both_commit_at_once() -> None:
    async with world() as made:
        batches = [await made.open(cells=(number,)) for number in range(4)]
        results = await asyncio.gather(*(batch.commit(b"k%d" % at) for at, batch in enumerate(reversed(batches))))
        assert [result.version for result in results] == [5, 4, 3, 2]
        assert made.places.counts.late == 0
        values, _ = await made.store.reader.get_many(View(), [b"k0", b"k3"])
        assert [entry.value for entry in values] == [b"v", b"v"]
