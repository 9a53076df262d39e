"""Turns: many long tasks that share the event loop with everything else take one step each, one after the other.

    async with turns.take():     # waits for the turn
        ...                      # a step: the next task waits for its end

So each turn of the event loop holds one step, however many tasks there are, and commits wait for no more than that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """The turns of some tasks, in the order in which they ask. REQUIRES: one event loop."""

    def __init__(self) -> None:
        """Has no task yet."""
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Waits for the turn, which lasts for the time of the block."""
        async with self._lock:
            await asyncio.sleep(0)  # also while no other task asks
            yield

    async def wait(self) -> None:
        """Waits for the turn; what follows until the next wait is the step."""
        async with self.take():
            pass
