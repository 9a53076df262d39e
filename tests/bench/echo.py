"""What gRPC in Python gives at best: empty unary calls of 64 callers to a server in another process.

python -m tests.bench.echo serve        the server; prints its port
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import grpc
import grpc.aio
import uvloop

CALLERS = 64
CALL_COUNT = 12_000
WARM_UP_COUNT = 1_000
METHOD = "/bench.Echo/Echo"


async def _echo(request: bytes, context: object) -> bytes:
    return request


async def serve() -> None:
    """Answers every call with its request, until the process ends."""
    handler = grpc.unary_unary_rpc_method_handler(_echo, None, None)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", {"Echo": handler}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()


@contextmanager
def server_process() -> Iterator[str]:
    """Runs the server in a process of its own; yields its address."""
    command = [sys.executable, "-m", "tests.bench.echo", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def rate(call: Callable[[int], Awaitable[object]], count: int, callers: int = CALLERS) -> float:
    """Makes `count` calls, numbered from 0, by concurrent callers; returns calls per second."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            await call(number)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return count / (time.perf_counter() - started)


async def measure(address: str) -> float:
    """Returns echo calls per second."""
    async with grpc.aio.insecure_channel(address) as channel:
        echo = channel.unary_unary(METHOD, None, None)
        await rate(lambda _: echo(b""), WARM_UP_COUNT)
        return await rate(lambda _: echo(b""), CALL_COUNT)


def run() -> dict[str, float]:
    """Measures; returns the figure by name."""
    with server_process() as address:
        return {"grpc_echo_per_s": round(uvloop.run(measure(address)))}


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        uvloop.run(serve())
    else:
        print(run())
