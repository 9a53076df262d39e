"""Streams that a stop ends: each answers with the reason to go elsewhere, whatever it was doing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from chassis.calls import Calls, ErrorInterceptor
from chassis.errors import from_rpc_error
from tests.integration.chassis.echo import SERVICE

LIMIT_S = 10


class Ending:
    """A stream that closes the register of calls in the moment in which it sends something first."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def message(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        asyncio.get_running_loop().call_soon(self._calls.close)
        yield request
        await asyncio.sleep(60)

    async def metadata(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        asyncio.get_running_loop().call_soon(self._calls.close)
        await context.send_initial_metadata(())
        yield request
        await asyncio.sleep(60)


@pytest.mark.parametrize("first", ["message", "metadata"])
@pytest.mark.parametrize("attempt", range(5))
async def test_a_stream_that_is_ended_while_it_sends_something_first_says_why(first: str, attempt: int) -> None:
    calls = Calls()
    server = grpc.aio.server(interceptors=(ErrorInterceptor(calls),))
    handler = grpc.unary_stream_rpc_method_handler(
        getattr(Ending(calls), first), StringValue.FromString, StringValue.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Stream": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = channel.unary_stream(f"/{SERVICE}/Stream", StringValue.SerializeToString, StringValue.FromString)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stream(StringValue(value="one"), timeout=LIMIT_S):
                pass
    await server.stop(None)
    assert from_rpc_error(caught.value).reason == "SERVICE_DRAINING"
