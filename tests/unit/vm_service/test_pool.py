"""The set of workers: leases, replacement by spares, resizing, back-off."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.waiting import until
from vm_service.errors import NoWorkersError
from vm_service.manager import pool as pool_module
from vm_service.manager.pool import Pool, PoolSettings
from vm_service.manager.supervisor import WorkerGoneError, WorkerProcess, WorkerState
from vm_service.worker import channel


class FakeWorker:
    """A worker without a process."""

    fail_starts = 0
    failure: Exception = WorkerGoneError("cannot start")

    def __init__(
        self, worker_id: str, *, silence_s: float, on_gone: Callable[["FakeWorker"], None], images: object
    ) -> None:
        self.worker_id = worker_id
        self.state = WorkerState.STARTING
        self.figures = channel.Figures()
        self.ready = None
        self.pid = 1
        self.stopped = False
        self._on_gone = on_gone

    async def start(self, message: Any, timeout_s: float) -> None:
        await asyncio.sleep(0)
        if FakeWorker.fail_starts:
            FakeWorker.fail_starts -= 1
            raise FakeWorker.failure

    async def stop(self, grace_s: float) -> None:
        self.stopped = True
        self.die()

    def kill(self, reason: str) -> None:
        self.die()

    def watch(self) -> None: ...

    def die(self) -> None:
        if self.state is not WorkerState.GONE:
            self.state = WorkerState.GONE
            self._on_gone(self)


@pytest.fixture(autouse=True)
def fake_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "WorkerProcess", FakeWorker)
    monkeypatch.setattr(pool_module, "FIRST_BACK_OFF_S", 0.001)
    FakeWorker.fail_starts = 0
    FakeWorker.failure = WorkerGoneError("cannot start")


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def make(size: int = 2, spare_count: int = 1, on_free: Callable[[], None] = lambda: None) -> Pool:
    pool = Pool(PoolSettings(size, spare_count, start_s=1, silence_s=1), lambda _id: None, on_free=on_free)  # type: ignore[arg-type, return-value]
    await pool.open()
    await settle()
    return pool


async def test_open_returns_when_all_workers_take_work() -> None:
    pool = await make(size=3, spare_count=1)
    assert pool.free_count == 3
    assert len(pool.workers()) == 4
    await pool.close()


async def test_a_lost_worker_is_replaced_by_a_spare_at_once_and_the_spare_is_made_anew() -> None:
    pool = await make()
    worker = pool.take()
    assert worker is not None
    worker.kill("test")
    assert pool.free_count == 2
    await settle()
    assert len(pool.workers()) == 3
    assert pool.restart_count == 1
    await pool.close()


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (WorkerGoneError("ended by SIGSEGV"), ["ended by SIGSEGV"] * 2),
        (WorkerGoneError("left with exit code 5", detached=True), []),
        (OSError("too many processes"), []),
    ],
)
async def test_a_start_that_failed_for_want_of_something_else_says_nothing_of_its_snapshot(
    failure: Exception, told: list[str]
) -> None:
    causes: list[str] = []
    FakeWorker.fail_starts, FakeWorker.failure = 2, failure

    def on_start(_message: object, ready: channel.Ready | None, cause: str) -> None:
        if cause:
            causes.append(cause)

    settings = PoolSettings(1, 0, start_s=1, silence_s=1)
    pool = Pool(settings, lambda _id: "start", on_free=lambda: None, on_start=on_start)  # type: ignore[arg-type, return-value]
    await pool.open()
    assert causes == told
    await pool.close()


async def test_a_second_run_gets_the_worker_that_has_done_least() -> None:
    pool = await make(size=2, spare_count=0)
    old, new = pool.workers()
    old.figures = channel.Figures(transaction_count=9, hot_contracts=["c"])
    assert await pool.wait(["c"], fresh=True) is new


async def test_returned_workers_are_free_again_and_announced() -> None:
    freed: list[int] = []
    pool = await make(size=1, spare_count=0, on_free=lambda: freed.append(1))
    worker = pool.take()
    assert worker is not None
    assert pool.take() is None
    freed.clear()
    pool.give_back(worker)
    assert freed == [1]
    assert pool.free_count == 1
    await pool.close()


async def test_a_retired_worker_leaves_and_is_replaced_without_counting_as_lost() -> None:
    pool = await make(size=1)
    worker = pool.take()
    assert worker is not None
    pool.retire(worker)
    await settle()
    assert worker.stopped  # type: ignore[attr-defined]
    assert pool.free_count == 1
    assert pool.restart_count == 0
    await pool.close()


@pytest.mark.parametrize(
    "figures",
    [
        channel.Figures(transaction_count=1_000_000),
        channel.Figures(heap_bytes=100 << 20),
        channel.Figures(crowded=True),
    ],
)
async def test_a_worker_that_has_done_enough_is_replaced_at_once(figures: channel.Figures) -> None:
    pool = await make(size=1)
    worker = pool.take()
    assert worker is not None
    worker.figures = figures
    pool.give_back(worker)
    assert pool.free_count == 1
    assert pool.take() is not worker
    await settle()
    assert worker.stopped  # type: ignore[attr-defined]
    assert pool.restart_count == 0
    await pool.close()


async def test_a_smaller_size_lets_free_workers_leave_and_leased_ones_when_they_return() -> None:
    pool = await make(size=3, spare_count=0)
    leased = [pool.take(), pool.take()]
    pool.resize(1)
    await settle()
    assert pool.free_count == 0
    for worker in leased:
        assert worker is not None
        pool.give_back(worker)
    await settle()
    assert pool.free_count == 1
    assert len(pool.workers()) == 1
    await pool.close()


async def test_a_larger_size_takes_the_spare_first() -> None:
    pool = await make(size=1, spare_count=1)
    pool.resize(2)
    assert pool.free_count == 2
    await settle()
    assert len(pool.workers()) == 3
    await pool.close()


async def test_failed_starts_are_repeated() -> None:
    FakeWorker.fail_starts = 2
    pool = await make(size=1, spare_count=0)
    assert pool.free_count == 1
    await pool.close()


async def test_workers_that_never_start_are_an_error() -> None:
    FakeWorker.fail_starts = 10_000
    with pytest.raises(WorkerGoneError, match="cannot start"):
        await make(size=1, spare_count=0)


async def test_a_start_that_fails_in_an_unforeseen_way_is_repeated() -> None:
    trouble = [ValueError("a bug")]

    def message(_worker_id: str) -> Any:
        if trouble:
            raise trouble.pop()

    pool = Pool(PoolSettings(1, 0, start_s=1, silence_s=1), message, on_free=lambda: None)
    await asyncio.wait_for(pool.open(), 5)
    assert (pool.free_count, pool.restart_count, trouble) == (1, 1, [])
    await pool.close()


async def test_those_who_wait_get_workers_in_their_order() -> None:
    pool = await make(size=1, spare_count=0)
    worker = pool.take()
    assert worker is not None
    first = asyncio.create_task(pool.wait())
    await settle()
    second = asyncio.create_task(pool.wait())  # asks before the first has noticed
    pool.give_back(worker)
    await settle()
    assert (first.done(), second.done()) == (True, False)
    pool.give_back(await first)
    assert await second is worker
    await pool.close()


async def test_a_spare_that_replaces_a_worker_goes_to_who_waits_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = await make(size=1, spare_count=1)
    left = asyncio.Event()

    async def stop(leaving: FakeWorker, _grace_s: float) -> None:
        await left.wait()
        leaving.die()

    monkeypatch.setattr(FakeWorker, "stop", stop)
    worker = pool.take()
    assert worker is not None
    waiting = asyncio.create_task(pool.wait())
    await settle()
    FakeWorker.fail_starts = 10_000
    worker.figures = channel.Figures(transaction_count=1_000_000)
    pool.give_back(worker)
    await settle()
    assert waiting.done()
    left.set()
    await pool.close()


async def test_a_larger_size_is_announced() -> None:
    freed: list[int] = []
    pool = await make(size=1, spare_count=1, on_free=lambda: freed.append(pool.free_count))
    freed.clear()
    pool.resize(2)
    assert freed == [2]
    await pool.close()


async def test_whoever_waits_for_a_worker_is_answered_when_the_pool_closes() -> None:
    pool = await make(size=1, spare_count=0)
    pool.take()
    waiting = asyncio.create_task(pool.wait())
    await settle()
    await pool.close()
    with pytest.raises(NoWorkersError):
        await asyncio.wait_for(waiting, 5)


async def test_no_worker_starts_once_the_pool_closes() -> None:
    pool = await make(size=1, spare_count=0)
    worker = pool.take()
    assert worker is not None
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0)
    pool.retire(worker)  # as its batch does when it notices
    await closing
    await settle()
    assert pool.workers() == []


async def test_workers_are_judged_after_what_they_said_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "BEAT_SECONDS", 0.05)
    looks: list[float] = []
    monkeypatch.setattr(FakeWorker, "watch", lambda _self: looks.append(time.monotonic()))
    pool = await make(size=1, spare_count=0)
    await asyncio.sleep(0.06)
    asyncio.get_running_loop().call_soon(time.sleep, 0.3)  # the process stands still
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    went_on = time.monotonic()
    looks.clear()
    await until(lambda: bool(looks))
    assert looks[0] - went_on >= 0.04
    await pool.close()


def test_only_a_worker_that_runs_a_batch_is_killed_for_its_silence() -> None:
    killed: list[str] = []
    worker = WorkerProcess("w", silence_s=1.0, on_gone=lambda _worker: None)
    worker.kill = killed.append  # type: ignore[method-assign]
    worker.state, worker._heard_at = WorkerState.BUSY, time.monotonic() - 3  # leased; it was idle until now
    worker.watch()
    assert killed == []
    worker._answer = asyncio.Future(loop=asyncio.new_event_loop())
    worker._answer.get_loop().close()
    worker.watch()
    assert len(killed) == 1


async def test_a_batch_that_lost_its_worker_comes_before_new_ones() -> None:
    pool = await make(size=1, spare_count=0)
    first = pool.take()
    assert first is not None
    waiting = asyncio.create_task(pool.wait())
    await settle()
    pool.give_back(first)
    assert pool.free_count == 0
    assert await waiting is first
    pool.give_back(first)
    assert pool.free_count == 1
    await pool.close()
