"""The blocking client's iterators end whatever moment Ctrl-C chooses."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from gateway.client.blocking_client import Client, _blocking_iterator


class Endless:
    """An iterator that gives one item and waits for the next one until it is closed."""

    def __init__(self) -> None:
        self.closed = False

    async def items(self, _client: object) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            self.closed = True


def test_ctrl_c_between_the_start_of_a_step_and_its_future(monkeypatch: pytest.MonkeyPatch) -> None:
    endless, calls = Endless(), 0
    with Client("127.0.0.1:1") as client:
        iterate = _blocking_iterator(endless.items)
        run = Client._run

        def interrupted(self: Client, work: Coroutine[Any, Any, Any]) -> object:
            nonlocal calls
            calls += 1
            if calls == 2:  # the step runs, and nobody has its future
                asyncio.run_coroutine_threadsafe(work, self._loop)
                raise KeyboardInterrupt
            return run(self, work)

        items = iterate(client)
        monkeypatch.setattr(Client, "_run", interrupted)
        assert next(items) == 1
        with pytest.raises(KeyboardInterrupt):
            next(items)
        monkeypatch.undo()
    assert endless.closed
