"""The boundary of every call: errors become statuses, and a stop ends calls with a status that says to go elsewhere.

gRPC itself cancels what still runs when the grace of a stop is over, and refuses calls that arrive while it closes a
connection. Callers then get CANCELLED, which nothing retries. `Calls` knows the handlers that run, so that the service
refuses and ends calls by itself before gRPC does.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from chassis.errors import DrainingError, MalformedRequestError, ServiceError, explain

_HEALTH_PREFIX = "/grpc.health."
"""Methods that are answered while the service stops: they say so, and their streams end by themselves."""


class Calls:
    """The handlers that run. REQUIRES: one event loop."""

    def __init__(self, draining: Callable[[], ServiceError] = DrainingError) -> None:
        """Takes what callers get whose calls are refused or ended by a stop."""
        self._draining = draining
        self._unary: set[asyncio.Task[Any]] = set()
        self._streams: set[asyncio.Task[Any]] = set()
        self._ended: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._finished = asyncio.Event()
        self._busy_at = float("-inf")
        self._released = asyncio.Event()
        self._released.set()

    @contextmanager
    def running(self, *, stream: bool) -> Iterator[None]:
        """Knows the current task as a handler for the time of the block.

        Raises:
            ServiceError: the service stops, and the handler came too late or was ended.
        """
        self._busy_at = asyncio.get_running_loop().time()
        if self._closed:
            raise self._draining()
        task = asyncio.current_task()
        assert task is not None, "handlers run in tasks"
        group = self._streams if stream else self._unary
        group.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._ended:
                raise
            task.uncancel()
            raise self._draining() from None
        finally:
            group.discard(task)
            self._ended.discard(task)
            self._busy_at = asyncio.get_running_loop().time()
            self._notice_finished()

    def close(self) -> None:
        """Refuses new calls, and ends streams, which have no end of their own."""
        self._closed = True
        self._end(self._streams)
        self._notice_finished()

    async def finish(self, grace_s: float) -> None:
        """Waits until no call runs; ends those that outlive the grace. REQUIRES: closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._finished.wait()
        self._end(self._streams | self._unary)

    async def quiet(self, pause_s: float, limit_s: float) -> bool:
        """Waits until no call runs and none has arrived or ended for a pause. REQUIRES: closed.

        The answer of a call is written after its handler has ended, and reaches the socket later still.

        Returns:
            False when that was not so within the limit.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._finished.wait()
                loop = asyncio.get_running_loop()
                while (rest_s := self._busy_at + pause_s - loop.time()) > 0:  # noqa: ASYNC110 - nothing to wait for
                    await asyncio.sleep(rest_s)
                return True
        return False

    @asynccontextmanager
    async def holding(self, pause_s: float) -> AsyncIterator[None]:
        """Holds refusals back for a pause and for the time of the block, so that their callers make no new calls."""
        self._released.clear()
        try:
            await asyncio.sleep(pause_s)
            yield
        finally:
            self._released.set()

    async def released(self) -> None:
        """Waits while refusals are held back."""
        await self._released.wait()

    def _end(self, tasks: set[asyncio.Task[Any]]) -> None:
        self._ended |= tasks
        for task in tuple(tasks):
            task.cancel()

    def _notice_finished(self) -> None:
        if self._closed and not (self._unary or self._streams):
            self._finished.set()


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Gives every handler of an asyncio server the mapping above; answers undecodable bytes as a malformed request.

    REQUIRES: handlers are coroutine functions or async generators. Those that take a stream of requests pass untouched.
    """

    def __init__(self, calls: Calls | None = None) -> None:
        """Takes the register of the calls in progress."""
        self._calls = calls or Calls()
        self._guarded: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:  # noqa: ANN401 - grpc's own handler type is generic over every message
        """Returns the guarded handler of a method; built once for each method."""
        method = handler_call_details.method
        if (guarded := self._guarded.get(method)) is not None:
            return guarded
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        make = _guard_stream if inspect.isasyncgenfunction(handler.unary_stream) else _guard_call
        calls = Calls() if method.startswith(_HEALTH_PREFIX) else self._calls
        return self._guarded.setdefault(method, make(handler, method, calls))


async def _abort(context: Any, error: Exception, method: str) -> NoReturn:  # noqa: ANN401
    # An internal error of gRPC inside a handler is a failed send: the call is over already, and nobody is to be told.
    if isinstance(error, grpc.aio.AbortError | grpc.aio.InternalError):
        raise error
    await context.abort_with_status(rpc_status.to_status(explain(error, method).to_status()))
    raise AssertionError("abort returned")


def _decode(handler: Any, raw: bytes) -> Any:  # noqa: ANN401
    try:
        return handler.request_deserializer(raw)
    except DecodeError as error:
        raise MalformedRequestError("the bytes are not a message of this method's request type") from error


def _guard_call(handler: Any, method: str, calls: Calls) -> Any:  # noqa: ANN401
    behavior = handler.unary_stream or handler.unary_unary

    async def guarded(raw: bytes, context: Any) -> Any:  # noqa: ANN401
        try:
            with calls.running(stream=handler.response_streaming):
                return await behavior(_decode(handler, raw), context)
        except Exception as error:  # noqa: BLE001 - the boundary: nothing leaves unmapped
            await calls.released()
            await _abort(context, error, method)

    make = grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
    return make(guarded, None, handler.response_serializer)


class _Stream:
    """The context of a stream, whose initial metadata is sent whole.

    gRPC takes metadata for unsent whose sending is cancelled. It sends them again with the status, which fails, and the
    call stays open until gRPC cancels it without a reason. The window of a slow reader does not hold metadata up.
    """

    def __init__(self, context: Any) -> None:  # noqa: ANN401
        self._context = context
        self._opened = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._context, name)

    async def send_initial_metadata(self, metadata: Any) -> None:  # noqa: ANN401
        self._opened = True
        sending = asyncio.ensure_future(self._context.send_initial_metadata(metadata))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait((sending,))
            raise

    async def write(self, response: Any) -> None:  # noqa: ANN401
        if not self._opened:
            await self.send_initial_metadata(())
        await self._context.write(response)


def _guard_stream(handler: Any, method: str, calls: Calls) -> Any:  # noqa: ANN401
    async def guarded(raw: bytes, context: Any) -> None:  # noqa: ANN401
        stream = _Stream(context)
        try:
            # Written here, not yielded: a stream that is ended while it waits for a slow reader must answer as well.
            with calls.running(stream=True):
                async with aclosing(handler.unary_stream(_decode(handler, raw), stream)) as responses:
                    async for response in responses:
                        await stream.write(response)
        except Exception as error:  # noqa: BLE001 - the boundary: nothing leaves unmapped
            await calls.released()
            await _abort(context, error, method)

    return grpc.unary_stream_rpc_method_handler(guarded, None, handler.response_serializer)
