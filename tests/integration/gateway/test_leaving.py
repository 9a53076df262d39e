"""Whoever handed a transaction in is answered when the VM service that has it is gone, so that he can go elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from gateway import routing
from gateway.routing import EXECUTE, VmEndpoint, VmPool
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(40, method="signal")


class Slow:
    """A VM service that takes its time, and refuses some batches whole."""

    def __init__(self) -> None:
        self.met: list[bytes] = []

    async def execute(self, raw: bytes, context: Any) -> bytes:
        self.met.append(raw)
        if raw == b"xxxx":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT)
        await asyncio.sleep(0.3 if raw == b"short" else 20)
        return raw


@pytest.fixture
async def slow() -> AsyncIterator[tuple[Slow, VmEndpoint]]:
    service, server = Slow(), grpc.aio.server()
    method = {"ExecuteTransactions": grpc.unary_unary_rpc_method_handler(service.execute, None, None)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("iost.vm.v1.ExecutionService", method),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield service, VmEndpoint(f"127.0.0.1:{port}", 1 << 20, gather_count=10, gather_in_flight=1)
    await server.stop(0)


async def answers(calls: list[asyncio.Task[bytes]]) -> list[str]:
    done, _ = await asyncio.wait(calls, timeout=5)
    return [type(call.exception()).__name__ if call in done else "none" for call in calls]


async def test_calls_that_outlive_their_address_or_wait_there_may_be_made_again(slow: tuple[Slow, VmEndpoint]) -> None:
    service, endpoint = slow
    first = asyncio.create_task(endpoint.gatherer.submit(b"short", frozenset(), 10))
    await until(lambda: service.met == [b"short"])
    waiting = asyncio.create_task(endpoint.gatherer.submit(b"x", frozenset(), 10))
    direct = asyncio.create_task(endpoint.call(EXECUTE, b"long", 15))
    await until(lambda: len(service.met) == 2)
    await endpoint.close(2)
    assert await first == b"short"
    assert await answers([waiting, direct]) == ["NoEndpointError"] * 2


async def test_both_halves_of_a_refused_batch_are_answered(slow: tuple[Slow, VmEndpoint]) -> None:
    service, endpoint = slow
    calls = [asyncio.create_task(endpoint.gatherer.submit(b"x", frozenset(), 10)) for _ in range(4)]
    await until(lambda: service.met == [b"xxxx", b"xx"])
    await endpoint.close()
    assert await answers(calls) == ["NoEndpointError"] * 4


async def test_closing_does_not_wait_for_calls_at_addresses_that_are_gone(
    slow: tuple[Slow, VmEndpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, endpoint = slow
    addresses = {endpoint.address}

    async def resolve(_host: str, _port: str) -> set[str]:
        return set(addresses)

    monkeypatch.setattr(routing, "resolve", resolve)
    pool = VmPool("vm:1", lambda _address: endpoint, 20)
    await pool.start()
    call = asyncio.create_task(endpoint.gatherer.submit(b"long", frozenset(), 15))
    await until(lambda: service.met == [b"long"])
    addresses.clear()
    await until(lambda: not pool.all())
    await asyncio.wait_for(pool.close(), 5)
    call.cancel()
