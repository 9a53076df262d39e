"""The blocking client of a gateway: the asyncio client, driven from ordinary code.

    with Client("127.0.0.1:7001") as client:
        print(client.head().version)

Every method has the parameters, results and errors of the method of the same name of `AsyncClient`.
"""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import uvloop

from gateway.client.async_client import AsyncClient
from gateway.client.calls import DEFAULT_TARGET

P = ParamSpec("P")
R = TypeVar("R")
_END = object()


def _blocking(
    method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, R]],
) -> "Callable[Concatenate[Client, P], R]":
    """Makes a blocking method of a coroutine method."""

    @functools.wraps(method)
    def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._run(method(self._client, *args, **kwargs))

    return call


def _blocking_iterator(
    method: Callable[Concatenate[AsyncClient, P], AsyncIterator[R]],
) -> "Callable[Concatenate[Client, P], Iterator[R]]":
    """Makes a blocking iterator method of an asynchronous one; leaving the loop early ends the call behind it."""

    @functools.wraps(method)
    def iterate(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        items: Any = method(self._client, *args, **kwargs)
        running: asyncio.Task[Any] | None = None

        async def step() -> Any:  # noqa: ANN401
            nonlocal running
            running = asyncio.current_task()
            try:
                return await anext(items, _END)
            finally:
                running = None

        async def end() -> None:
            # Ctrl-C can leave a step running whose future the caller never got; the iterator closes only after it.
            if running is not None:
                running.cancel()
                await asyncio.wait((running,))
            await items.aclose()

        try:
            while True:
                item: Any = self._run(step())
                if item is _END:
                    return
                yield item
        finally:
            self._run(end())

    return iterate


class Client:
    """Calls a gateway. One instance serves any number of threads; its event loop runs in a thread of its own."""

    def __init__(self, target: str = DEFAULT_TARGET) -> None:
        """Opens a channel to `target` (`host:port`); connects at the first call."""
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gateway-client", daemon=True)
        self._thread.start()
        self._client = self._run(self._open(target))

    @staticmethod
    async def _open(target: str) -> AsyncClient:
        return AsyncClient(target)

    def _run(self, work: Coroutine[Any, Any, R]) -> R:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C while waiting: the call must not go on without a caller.
            future.cancel()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the channel and ends the thread; calls in flight are cancelled. Closing again does nothing."""
        if self._loop.is_closed():
            return
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    execute = _blocking(AsyncClient.execute)
    send = _blocking(AsyncClient.send)
    validate = _blocking(AsyncClient.validate)
    call = _blocking(AsyncClient.call)
    compile = _blocking(AsyncClient.compile)
    publish = _blocking(AsyncClient.publish)
    contracts = _blocking(AsyncClient.contracts)
    block = _blocking(AsyncClient.block)
    record_block_hash = _blocking(AsyncClient.record_block_hash)
    execute_block = _blocking(AsyncClient.execute_block)
    validate_block = _blocking(AsyncClient.validate_block)
    finalize_block = _blocking(AsyncClient.finalize_block)
    discard_block = _blocking(AsyncClient.discard_block)
    receipts = _blocking(AsyncClient.receipts)
    state = _blocking(AsyncClient.state)
    state_page = _blocking(AsyncClient.state_page)
    list_state = _blocking_iterator(AsyncClient.list_state)
    balances = _blocking(AsyncClient.balances)
    head = _blocking(AsyncClient.head)
    workers = _blocking(AsyncClient.workers)
    status = _blocking(AsyncClient.status)
    events = _blocking_iterator(AsyncClient.events)
