"""A service made of the chassis alone: run as a program by the lifecycle tests, registered in process by the others.

It has no .proto of its own: its one service is assembled from `google.protobuf.StringValue`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from chassis import lifecycle
from chassis.config import ServerConfig, load, setting
from chassis.errors import MalformedRequestError, ServiceError
from chassis.metrics import Metrics

SERVICE = "test.v1.EchoService"
METRICS = Metrics("echo")
CALLS = METRICS.counter("calls_total", "Calls answered.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoConfig(ServerConfig):
    """Settings of the echo service."""

    start: str = setting("ready", unit="outcome", help="how start ends", reason="most tests want a server")


class BusyError(ServiceError):
    """A failure that a later call does not meet."""

    reason = "POOL_SATURATED"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    retryable = True
    retry_delay_ms = 250


class Echo:
    """Does what the text of the request says."""

    def __init__(self) -> None:
        self.attempts = 0

    async def call(self, request: StringValue, context: Any) -> StringValue:
        self.attempts += 1
        verb, _, rest = request.value.partition(" ")
        if verb == "malformed":
            raise MalformedRequestError("the text is wrong", field="value")
        if verb == "busy":
            raise BusyError("no worker is free", metadata={"queue_count": 7}, details=[StringValue(value=rest)])
        if verb == "large":
            raise BusyError("too much to tell", details=[StringValue(value="x" * int(rest))])
        if verb == "bug":
            raise RuntimeError("secret /etc/path")
        if verb == "sleep":
            await asyncio.sleep(float(rest))
        if verb == "flaky" and self.attempts < int(rest):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        CALLS.inc()
        return StringValue(value=request.value)

    async def stream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        for word in request.value.split():
            if word == "busy":
                raise BusyError("no worker is free")
            yield StringValue(value=word)
            while word == "forever":
                await asyncio.sleep(0.01)
                yield StringValue(value=word)


def register(server: grpc.aio.Server, echo: Echo) -> None:
    """Adds the service to a server."""
    codec = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    handlers = {
        "Call": grpc.unary_unary_rpc_method_handler(echo.call, **codec),
        "Stream": grpc.unary_stream_rpc_method_handler(echo.stream, **codec),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


def main() -> int:
    """Runs the service as a process."""
    config = load(EchoConfig, "echo")

    async def start(server: lifecycle.Server) -> None:
        if config.start == "refused":
            raise lifecycle.StartError("the folder is in use")
        if config.start == "broken":
            raise RuntimeError("a bug in start")
        register(server.grpc, Echo())
        server.expose(SERVICE)
        if config.start == "fails-later":
            asyncio.get_running_loop().call_later(0.2, lambda: server.request_stop("the disk failed", failed=True))

    async def stop() -> None:
        sys.stdout.write("released\n")
        sys.stdout.flush()

    return lifecycle.run("echo", config, start=start, stop=stop, metrics=METRICS)


if __name__ == "__main__":
    sys.exit(main())
