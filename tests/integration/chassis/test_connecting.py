"""Connecting to a peer that is slow to answer: a busy machine must not look like a dead one."""

import asyncio
from asyncio import StreamReader, StreamWriter

import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from chassis import channels
from chassis.calls import ErrorInterceptor
from tests.integration.chassis.echo import SERVICE, Echo, register

DELAY_S = 2.5
"""Longer than the longest pause between two attempts to connect."""


async def pipe(source: StreamReader, sink: StreamWriter) -> None:
    while data := await source.read(1 << 16):
        sink.write(data)
    sink.close()


async def test_a_peer_that_takes_seconds_to_answer_a_connection_is_reached_in_the_first_attempt() -> None:
    server = grpc.aio.server(interceptors=(ErrorInterceptor(),))
    register(server, Echo())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    attempts = 0

    async def accept_late(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        await asyncio.sleep(DELAY_S)
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, back), pipe(there, writer), return_exceptions=True)

    doorman = await asyncio.start_server(accept_late, "127.0.0.1", 0)
    door = doorman.sockets[0].getsockname()[1]
    async with channels.aio_channel(f"127.0.0.1:{door}") as channel:
        call = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
        assert (await call(StringValue(value="hello"))).value == "hello"
    assert attempts == 1
    doorman.close()
    await server.stop(None)
