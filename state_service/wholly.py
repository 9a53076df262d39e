"""Work that is done to its end even when its caller vanishes: half of it would leave memory behind the disk."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Wholly:
    """What is under way for callers who may vanish."""

    def __init__(self) -> None:
        """Nothing is under way yet."""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Does work to its end; returns what it returns to a caller who is still there."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return await asyncio.shield(task)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, though the caller may have vanished

    async def finished(self) -> None:
        """Waits until nothing is under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
