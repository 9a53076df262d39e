"""Transactions ahead of the clock: how long they wait, and what cannot wait."""

import asyncio
from collections.abc import Awaitable

import pytest

from chassis.errors import DrainingError
from vm_service.errors import TransactionAheadError
from vm_service.manager.early import EarlyTransactions

NOW = 1_700_000_000 * 10**9
MS = 10**6
SECOND = 10**9
BOUND = 30 * SECOND


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_ns = NOW

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def early(clock: Clock) -> EarlyTransactions:
    return EarlyTransactions(BOUND, 3, clock)


async def pause() -> None:
    """Lets waits look at the clock several times."""
    await asyncio.sleep(0.01)


async def ended(*waits: "asyncio.Task[None]") -> list[bool]:
    await pause()
    return [wait.done() for wait in waits]


def start(wait: Awaitable[None]) -> "asyncio.Task[None]":
    async def run() -> None:
        await wait

    return asyncio.create_task(run())


@pytest.mark.parametrize("times_ns", [[], [NOW], [NOW - SECOND, NOW], [NOW + BOUND + 1]])
async def test_what_can_run_or_never_will_does_not_wait(early: EarlyTransactions, times_ns: list[int]) -> None:
    await early.wait(times_ns, timeout_s=0)

    assert early.count == 0


async def test_a_request_waits_for_the_latest_of_its_times(early: EarlyTransactions, clock: Clock) -> None:
    waiting = start(early.wait([NOW + MS, NOW + 2 * MS, NOW + BOUND + 1], None))
    assert await ended(waiting) == [False]
    assert early.count == 3

    clock.now_ns = NOW + MS
    assert await ended(waiting) == [False]

    clock.now_ns = NOW + 2 * MS
    assert await ended(waiting) == [True]
    assert early.count == 0


async def test_the_order_is_that_of_the_times(early: EarlyTransactions, clock: Clock) -> None:
    late, soon = start(early.wait([NOW + 3 * MS], None)), start(early.wait([NOW + MS], None))
    await pause()

    clock.now_ns = NOW + 2 * MS

    assert await ended(late, soon) == [False, True]


async def test_a_clock_that_is_set_back_makes_it_wait_longer(early: EarlyTransactions, clock: Clock) -> None:
    waiting = start(early.wait([NOW + MS], None))
    clock.now_ns = NOW - 2 * MS
    assert await ended(waiting) == [False]

    clock.now_ns = NOW + MS

    assert await ended(waiting) == [True]


@pytest.mark.parametrize(("timeout_s", "waits"), [(10.0, False), (20.0, False), (21.0, True), (None, True)])
async def test_a_caller_that_gives_up_before_is_told_when_to_come_back(
    early: EarlyTransactions, timeout_s: float | None, waits: bool
) -> None:
    waiting = start(early.wait([NOW + 20 * SECOND], timeout_s))

    assert await ended(waiting) == [not waits]
    if waits:
        waiting.cancel()
        return
    error = waiting.exception()
    assert isinstance(error, TransactionAheadError)
    assert error.retryable
    assert error.retry_delay_ms == 20_000
    assert error.metadata == {"time_ns": str(NOW + 20 * SECOND), "now_ns": str(NOW)}


async def test_the_room_is_bounded_and_who_leaves_makes_room(early: EarlyTransactions) -> None:
    first = start(early.wait([NOW + SECOND] * 2, None))
    await pause()
    with pytest.raises(TransactionAheadError):
        await early.wait([NOW + SECOND] * 2, None)

    first.cancel()
    await pause()

    assert early.count == 0
    assert await ended(start(early.wait([NOW + SECOND] * 2, None))) == [False]
    early.stop()


async def test_a_service_that_stops_lets_nothing_wait(early: EarlyTransactions) -> None:
    waiting = start(early.wait([NOW + SECOND], None))
    await pause()

    early.stop()

    with pytest.raises(DrainingError):
        await waiting
    with pytest.raises(DrainingError):
        await early.wait([NOW + SECOND], None)
