"""Health name `submit`: set by parts of a service, followed by the service in front."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis import channels, health, lifecycle
from chassis.config import ServerConfig
from chassis.metrics import Metrics
from tests.support.waiting import until

SERVING, NOT_SERVING = health.SERVING, health.NOT_SERVING


@asynccontextmanager
async def listening(metrics: Metrics | None = None) -> AsyncIterator[tuple[lifecycle.Server, grpc.aio.Channel]]:
    server = lifecycle.Server(ServerConfig(port=0), metrics)
    await server.listen()
    async with channels.aio_channel(f"127.0.0.1:{server.port}", policies=health.POLICIES) as channel:
        yield server, channel
    await server.grpc.stop(0)


async def status(channel: grpc.aio.Channel, name: str) -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
    return int(answer.status)


@asynccontextmanager
async def followed(channel: grpc.aio.Channel) -> AsyncIterator[list[str | None]]:
    told: list[str | None] = []
    task = asyncio.create_task(health.follow_submit(channel, "UNREACHABLE", told.append))
    try:
        yield told
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_submit_needs_every_part_and_leaves_the_other_names_alone() -> None:
    metrics = Metrics("parts")
    async with listening(metrics) as (server, channel):
        assert await status(channel, health.SUBMIT) == SERVING
        server.set_submit("genesis", "NO_GENESIS")
        server.set_submit("state", "STORAGE_FULL")
        assert await health.submit_reason(channel) == "NO_GENESIS"
        assert 'v8vm_parts_submit_refused{reason="NO_GENESIS"} 1.0' in metrics.text()
        server.set_submit("genesis", None)
        assert await health.submit_reason(channel) == "STORAGE_FULL"
        assert await status(channel, health.SUBMIT) == NOT_SERVING
        assert [await status(channel, name) for name in ("", health.LIVENESS)] == [SERVING, SERVING]
        server.set_submit("state", None)
        assert await health.submit_reason(channel) is None
        assert "submit_refused{" not in metrics.text()


async def test_a_service_that_does_not_serve_accepts_nothing_either() -> None:
    async with listening() as (server, channel):
        await server.set_serving(False)
        assert await health.submit_reason(channel) == "NOT_SERVING"
        assert await status(channel, health.LIVENESS) == SERVING


async def test_an_unknown_name_is_not_found() -> None:
    async with listening() as (_, channel):
        with pytest.raises(grpc.RpcError) as caught:
            await status(channel, "nothing")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_the_service_in_front_hears_reasons_loss_and_return() -> None:
    async with listening() as (server, channel), followed(channel) as told:
        await until(lambda: told[-1:] == [None])
        server.set_submit("store", "STORAGE_FULL")
        await until(lambda: told[-1] == "STORAGE_FULL")
        server.set_submit("store", None)
        await until(lambda: told[-1] is None)
        await server.grpc.stop(0)
        await until(lambda: told[-1] == "UNREACHABLE")


async def test_a_service_that_stands_still_counts_as_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_REASON_TIMEOUT_S", 0.1)
    monkeypatch.setattr(health, "_ASK_S", 0.05)
    stands_still, goes_on = asyncio.Event(), asyncio.Event()

    class Still(health.HealthServicer):
        async def Check(self, request: Any, context: Any) -> Any:
            if stands_still.is_set():
                await goes_on.wait()
            return await super().Check(request, context)

    server = grpc.aio.server()
    servicer = Still()
    servicer.set_submit("")
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = channels.aio_channel(f"127.0.0.1:{port}", policies=health.POLICIES)
    async with channel, followed(channel) as told:
        await until(lambda: told[-1:] == [None])
        stands_still.set()
        await until(lambda: told[-1] == "UNREACHABLE")
        goes_on.set()
        await until(lambda: told[-1] is None)
    await server.stop(0)


async def test_a_watch_does_not_hold_up_draining() -> None:
    async with listening() as (server, channel), followed(channel) as told:
        await until(lambda: told[-1:] == [None])
        server.request_stop("test")
        async with asyncio.timeout(10):
            await server.drain(grace_ms=60_000)
        await until(lambda: told[-1] == "UNREACHABLE")


async def test_a_service_without_the_name_counts_as_accepting() -> None:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = channels.aio_channel(f"127.0.0.1:{port}", policies=health.POLICIES)
    async with channel, followed(channel) as told:
        await until(lambda: told[-1:] == [None])
    await server.stop(0)
