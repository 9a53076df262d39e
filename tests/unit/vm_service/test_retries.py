"""Who is blamed when workers end, and that nobody pays for his neighbours."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from iost.vm.v1 import execution_service_pb2 as execution_pb
from vm_service.errors import WorkerLostError
from vm_service.manager.retries import Retries
from vm_service.manager.supervisor import WorkerGoneError
from vm_service.worker import channel

Script = Callable[[channel.Work], channel.Done]


class FakeWorker:
    """Runs batches by a script instead of a process."""

    def __init__(self, script: Script) -> None:
        self.worker_id = "w"
        self.killed = False
        self._script = script

    async def run(self, work: channel.Work) -> channel.Done:
        return self._script(work)

    def kill(self, _reason: str) -> None:
        self.killed = True


class FakePool:
    """Hands out a new worker for each attempt and counts the lost ones."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.retired = 0
        self.returned = 0
        self.fresh: list[bool] = []

    def take(self, _contracts: Collection[str] = ()) -> Any:
        return FakeWorker(self._script)

    async def wait(self, _contracts: Collection[str] = (), *, fresh: bool = False) -> Any:
        self.fresh.append(fresh)
        return FakeWorker(self._script)

    def retire(self, _worker: object) -> None:
        self.retired += 1

    def give_back(self, _worker: object) -> None:
        self.returned += 1


def done(work: channel.Work) -> channel.Done:
    return channel.Done(work.work_id, [b""], channel.Figures())


def items_of(work: channel.Work, count: int) -> list[int]:
    """Places that a batch of `count` items would run, given what it must leave out."""
    out = {item.index for item in work.excluded if item.index >= 0}
    hashes = {item.tx_hash for item in work.excluded if item.tx_hash}
    return [place for place in range(count) if place not in out and f"h{place}".encode() not in hashes]


def crash_at(work: channel.Work, place: int) -> WorkerGoneError:
    """How a worker ends that crashed at a place: it says where only when it was asked to be careful."""
    announced = channel.Announce(work.work_id, place, f"h{place}".encode()) if work.careful else None
    return WorkerGoneError("ended by SIGTRAP", announced=announced)


async def run(script: Script) -> tuple[Any, Retries, FakePool]:
    retries, pool = Retries(quarantine_s=60), FakePool(script)
    answer = await retries.run(pool, None, "execute", [b"request"], ())  # type: ignore[arg-type]
    return answer, retries, pool


async def test_the_next_run_is_told_under_which_ids_lost_workers_may_have_committed() -> None:
    told: list[list[bytes]] = []
    losses = [b"", b"first", b"second"]

    def script(work: channel.Work) -> channel.Done:
        told.append(work.own_commit_ids)
        if losses:
            announced = channel.Announce(work.work_id, len(losses), b"")
            raise WorkerGoneError("ended by SIGKILL", announced=announced, commit_id=losses.pop(0))
        return done(work)

    await run(script)
    assert told == [[], [], [b"first"], [b"first", b"second"]]


async def test_a_batch_that_lost_its_worker_once_is_run_again() -> None:
    works: list[channel.Work] = []

    def script(work: channel.Work) -> channel.Done:
        works.append(work)
        if len(works) == 1:
            raise WorkerGoneError("ended by SIGKILL")
        return done(work)

    _, retries, pool = await run(script)
    assert [work.careful for work in works] == [False, True]
    assert works[1].excluded == []
    assert (pool.retired, pool.returned, retries.quarantine_count) == (1, 1, 0)
    assert pool.fresh == [False, True]


async def test_the_item_that_ends_two_workers_is_left_out_and_the_others_run() -> None:
    ran: list[int] = []

    def script(work: channel.Work) -> channel.Done:
        places = items_of(work, 5)
        if 3 in places:
            raise crash_at(work, 3)
        ran.extend(places)
        return done(work)

    _, retries, pool = await run(script)
    assert ran == [0, 1, 2, 4]
    assert pool.retired == 2
    assert retries.quarantine_count == 1


async def test_several_hostile_items_are_found_one_after_another() -> None:
    last: list[channel.Work] = []

    def script(work: channel.Work) -> channel.Done:
        hostile = [place for place in items_of(work, 10) if place in (2, 5, 9)]
        if hostile:
            raise crash_at(work, hostile[0])
        last.append(work)
        return done(work)

    await run(script)
    assert {item.index for item in last[0].excluded if item.index >= 0} == {2, 5, 9}


async def test_a_quarantined_hash_is_excluded_from_later_batches() -> None:
    def script(work: channel.Work) -> channel.Done:
        if 0 in items_of(work, 1):
            raise crash_at(work, 0)
        return done(work)

    _, retries, pool = await run(script)
    await retries.run(pool, None, "execute", [b"again"], ())  # type: ignore[arg-type]
    assert pool.retired == 2


async def test_quarantine_ends() -> None:
    def script(work: channel.Work) -> channel.Done:
        if 0 in items_of(work, 1):
            raise crash_at(work, 0)
        return done(work)

    retries, pool = Retries(quarantine_s=0), FakePool(script)
    await retries.run(pool, None, "execute", [b"request"], ())  # type: ignore[arg-type]
    assert retries._quarantined() == []


@pytest.mark.parametrize(
    ("reason", "verdict"), [("timeout", execution_pb.VERDICT_TIMEOUT), ("memory", execution_pb.VERDICT_MEMORY)]
)
async def test_a_stopped_item_is_answered_with_what_stopped_it(reason: Any, verdict: int) -> None:
    last: list[channel.Work] = []

    def script(work: channel.Work) -> channel.Done:
        last.append(work)
        if 1 in items_of(work, 3):
            stopped = channel.Stopped(work.work_id, reason, 1, b"h1", "measured")
            raise WorkerGoneError("measured", stopped=stopped)
        return done(work)

    await run(script)
    assert [item for item in last[-1].excluded if item.index >= 0] == [channel.Exclusion(verdict, "measured", index=1)]
    assert len(last) == 3


async def test_one_strike_each_excludes_nobody() -> None:
    deaths = [0, 1]

    def script(work: channel.Work) -> channel.Done:
        if deaths:
            place = deaths.pop()
            raise WorkerGoneError("x", stopped=channel.Stopped(work.work_id, "timeout", place, b"h", "x"))
        assert work.excluded == []
        return done(work)

    await run(script)


async def test_nobody_is_blamed_for_a_worker_that_ends_while_it_commits() -> None:
    losses = [channel.NOBODY, channel.NOBODY]

    def script(work: channel.Work) -> channel.Done:
        if losses:
            raise crash_at(work, losses.pop())
        assert work.excluded == []
        return done(work)

    _, retries, _ = await run(script)
    assert retries.quarantine_count == 0


async def test_nobody_is_blamed_for_workers_that_lost_the_state_service() -> None:
    deaths = [True, True, False]

    def script(work: channel.Work) -> channel.Done:
        assert work.excluded == []
        if deaths:
            announced = channel.Announce(work.work_id, 0, b"h0")
            raise WorkerGoneError("left", announced=announced, detached=deaths.pop(0))
        return done(work)

    _, retries, _ = await run(script)
    assert retries.quarantine_count == 0


async def test_losses_that_name_nobody_give_the_batch_up() -> None:
    def script(work: channel.Work) -> channel.Done:
        raise WorkerGoneError("ended by SIGKILL")

    with pytest.raises(WorkerLostError, match="SIGKILL"):
        await run(script)


async def test_an_abandoned_batch_kills_its_worker() -> None:
    workers: list[FakeWorker] = []

    def script(work: channel.Work) -> channel.Done:
        raise KeyboardInterrupt

    pool = FakePool(script)
    workers.append(FakeWorker(script))
    with pytest.raises(KeyboardInterrupt):
        await Retries(60).run(pool, workers[0], "execute", [b""], ())  # type: ignore[arg-type]
    assert workers[0].killed
    assert (pool.retired, pool.returned) == (1, 0)  # nobody is given a worker that is about to end
