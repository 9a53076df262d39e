"""The register of running calls: when a stopping service may close its port."""

import asyncio

import pytest

from chassis.calls import Calls
from chassis.errors import DrainingError

PAUSE_S = 0.05


async def test_the_port_stays_open_for_a_pause_after_the_last_call_has_ended() -> None:
    calls, loop = Calls(), asyncio.get_running_loop()

    async def handler() -> None:
        with calls.running(stream=True):
            await asyncio.sleep(60)

    running = asyncio.create_task(handler())
    await asyncio.sleep(2 * PAUSE_S)  # the call itself arrived longer ago than a pause
    calls.close()
    with pytest.raises(DrainingError):
        await running
    ended_at = loop.time()
    assert await calls.quiet(PAUSE_S, limit_s=10)
    assert loop.time() - ended_at >= PAUSE_S - 0.001


async def test_a_service_without_calls_closes_its_port_at_once() -> None:
    calls = Calls()
    calls.close()
    assert await asyncio.wait_for(calls.quiet(60, limit_s=120), timeout=10)
