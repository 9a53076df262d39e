"""An event loop that stands still is measured and reported, with the place where it does."""

import asyncio
import logging
import threading
import time

import pytest

from chassis.stall import StallWatch
from tests.support.waiting import until

WAIT_S = 10


def block_until_reported(caplog: pytest.LogCaptureFixture) -> None:
    deadline = time.monotonic() + WAIT_S
    while "event_loop_stalled" not in caplog.messages:
        assert time.monotonic() < deadline, "a standing loop was not reported"
        time.sleep(0.01)


async def test_a_turning_loop_is_measured_and_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    measured: list[float] = []
    with StallWatch(measured.append, stall_s=WAIT_S):
        await until(lambda: len(measured) >= 2)
    assert all(0 <= seconds < WAIT_S for seconds in measured)
    assert caplog.messages == []


async def test_a_standing_loop_is_reported_where_it_stands_and_again_when_it_turns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    measured: list[float] = []
    with StallWatch(measured.append, stall_s=0.05):
        block_until_reported(caplog)
        await until(lambda: bool(measured))
    stalled, resumed = caplog.records[0], caplog.records[-1]
    assert any("block_until_reported" in call for call in stalled.__dict__["at"])
    assert resumed.getMessage() == "event_loop_resumed"
    assert resumed.__dict__["seconds"] >= 0.05


class LateEvent(threading.Event):
    """Is cleared only after its next `set`: the thread is overtaken by the end just there."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self._was_set = threading.Event()

    def clear(self) -> None:
        self.entered.set()
        self._was_set.wait()
        super().clear()

    def set(self) -> None:
        super().set()
        self._was_set.set()


@pytest.mark.timeout(10, method="signal")
async def test_it_ends_though_the_end_comes_just_before_a_measurement() -> None:
    watch = StallWatch(stall_s=0.05)
    watch._turned = late = LateEvent()
    with watch:
        await asyncio.to_thread(late.entered.wait)
