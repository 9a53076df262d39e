"""Errors over a real connection: what a handler raises is what its caller can read."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import BytesValue, StringValue
from google.rpc import error_details_pb2

from chassis import channels
from chassis.calls import ErrorInterceptor
from chassis.errors import MAX_STATUS_BYTES, RemoteError, from_rpc_error
from chassis.lifecycle import server_options
from tests.integration.chassis.echo import SERVICE, Echo, register

MESSAGE_BYTES = 1 << 20


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(interceptors=(ErrorInterceptor(),), options=server_options(MESSAGE_BYTES))
    register(server, Echo())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with channels.aio_channel(f"127.0.0.1:{port}", max_message_bytes=MESSAGE_BYTES) as opened:
        yield opened
    await server.stop(None)


async def failure(channel: grpc.aio.Channel, text: str) -> RemoteError:
    call = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(StringValue(value=text))
    return from_rpc_error(caught.value)


async def test_a_success_passes(channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
    assert (await call(StringValue(value="hello"))).value == "hello"


async def test_an_expected_error_arrives_with_reason_metadata_delay_and_detail(channel: grpc.aio.Channel) -> None:
    error = await failure(channel, "busy some-detail")
    assert (error.reason, error.code) == ("POOL_SATURATED", grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert error.message == "no worker is free"
    assert error.metadata == {"queue_count": "7"}
    assert (error.retryable, error.retry_delay_ms) == (True, 250)
    detail = error.detail(StringValue)
    assert detail is not None
    assert detail.value == "some-detail"
    assert error.detail(BytesValue) is None


async def test_every_error_is_of_our_domain(channel: grpc.aio.Channel) -> None:
    info = (await failure(channel, "busy")).detail(error_details_pb2.ErrorInfo)
    assert info is not None
    assert info.domain == "vm.iost"


async def test_a_malformed_request_names_the_field(channel: grpc.aio.Channel) -> None:
    error = await failure(channel, "malformed")
    assert (error.reason, error.code) == ("MALFORMED_REQUEST", grpc.StatusCode.INVALID_ARGUMENT)
    assert not error.retryable
    violations = error.detail(error_details_pb2.BadRequest)
    assert violations is not None
    assert violations.field_violations[0].field == "value"


async def test_a_bug_is_internal_redacted_and_logged_once(
    channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="chassis.errors"):
        error = await failure(channel, "bug")
    assert (error.reason, error.code) == ("INTERNAL_BUG", grpc.StatusCode.INTERNAL)
    assert "secret" not in str(error.to_status())
    (record,) = [record for record in caplog.records if record.message == "unexpected_error"]
    assert record.incident == error.metadata["incident"]  # type: ignore[attr-defined]
    assert record.exc_info is not None


async def test_bytes_that_are_no_message_are_a_malformed_request(channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary(f"/{SERVICE}/Call")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\xff\xff\xff")
    assert from_rpc_error(caught.value).reason == "MALFORMED_REQUEST"


async def test_an_error_ends_a_stream_after_what_was_sent(channel: grpc.aio.Channel) -> None:
    stream = channel.unary_stream(f"/{SERVICE}/Stream", StringValue.SerializeToString, StringValue.FromString)
    call = stream(StringValue(value="one two busy three"))
    assert [(await call.read()).value, (await call.read()).value] == ["one", "two"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert from_rpc_error(caught.value).reason == "POOL_SATURATED"


async def test_a_detail_of_100_kb_arrives(channel: grpc.aio.Channel) -> None:
    detail = (await failure(channel, "large 100000")).detail(StringValue)
    assert detail is not None
    assert len(detail.value) == 100_000


async def test_a_detail_too_large_for_trailers_is_left_out_not_fatal(channel: grpc.aio.Channel) -> None:
    error = await failure(channel, f"large {MAX_STATUS_BYTES}")
    assert error.reason == "POOL_SATURATED"
    assert error.detail(StringValue) is None


async def test_a_remote_error_is_forwarded_unchanged(channel: grpc.aio.Channel) -> None:
    first = await failure(channel, "busy some-detail")
    server = grpc.aio.server(interceptors=(ErrorInterceptor(),))

    async def forward(request: StringValue, context: object) -> StringValue:
        inner = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
        answer: StringValue = await inner(request)
        return answer

    codec = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
    handlers = {"Call": grpc.unary_unary_rpc_method_handler(forward, **codec)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with channels.aio_channel(f"127.0.0.1:{port}") as front:
        second = await failure(front, "busy some-detail")
    await server.stop(None)
    assert second.to_status() == first.to_status()


async def test_a_peer_that_ends_while_it_has_the_call_counts_as_unavailable() -> None:
    server = grpc.aio.server(interceptors=(ErrorInterceptor(),))
    register(server, Echo())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with channels.aio_channel(f"127.0.0.1:{port}", policies=(channels.CallPolicy(attempts=1),)) as channel:
        assert (await failure(channel, "busy")).reason == "POOL_SATURATED"
        call = asyncio.create_task(failure(channel, "sleep 60"))
        await asyncio.sleep(0.1)
        await server.stop(0)
        error = await call
    assert (error.code, error.reason, error.retryable) == (grpc.StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE", True)


async def test_an_unreachable_peer_is_told_without_its_address() -> None:
    policy = channels.CallPolicy(attempts=1)
    async with channels.aio_channel("127.0.0.1:1", policies=(policy,)) as channel:
        error = await failure(channel, "hello")
    assert (error.reason, error.retryable) == ("PEER_UNAVAILABLE", True)
    assert "127.0.0.1" not in str(error.to_status())
    info = error.detail(error_details_pb2.ErrorInfo)
    assert info is None, "gRPC made this status, not a service"


def test_a_blocking_client_decodes_the_same_way() -> None:
    with channels.sync_channel("127.0.0.1:1", policies=(channels.CallPolicy(attempts=1),)) as channel:
        call = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
        with pytest.raises(grpc.RpcError) as caught:
            call(StringValue(value="hello"))
    assert from_rpc_error(caught.value).reason == "PEER_UNAVAILABLE"


async def test_a_message_above_the_limit_is_refused_with_a_reason(channel: grpc.aio.Channel) -> None:
    assert (await failure(channel, "x" * (MESSAGE_BYTES + 1))).reason == "MESSAGE_TOO_LARGE"


def test_policies_become_a_service_config() -> None:
    policies = (
        channels.CallPolicy(),
        channels.CallPolicy("a.v1.S", "M", timeout_ms=0, attempts=1, wait_for_ready=True),
    )
    options = dict(channels.channel_options(policies=policies))
    general, special = json.loads(options["grpc.service_config"])["methodConfig"]
    assert general["name"] == [{}]
    assert general["timeout"] == "30.000s"
    assert general["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert special == {"name": [{"service": "a.v1.S", "method": "M"}], "waitForReady": True}


@pytest.mark.parametrize(("needed", "succeeds"), [(3, True), (6, False)])
async def test_unavailable_is_retried_and_only_so_often(needed: int, succeeds: bool) -> None:
    server, echo = grpc.aio.server(interceptors=(ErrorInterceptor(),)), Echo()
    register(server, echo)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with channels.aio_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
        if succeeds:
            await call(StringValue(value=f"flaky {needed}"))
        else:
            assert (await failure(channel, f"flaky {needed}")).code is grpc.StatusCode.UNAVAILABLE
    await server.stop(None)
    assert echo.attempts == (needed if succeeds else 4)


async def test_the_deadline_of_the_policy_holds() -> None:
    server = grpc.aio.server()
    register(server, Echo())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    policy = channels.CallPolicy(timeout_ms=100)
    async with channels.aio_channel(f"127.0.0.1:{port}", policies=(policy,)) as channel:
        error = await failure(channel, "sleep 5")
    await server.stop(None)
    assert error.reason == "DEADLINE_EXCEEDED"
