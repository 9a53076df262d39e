"""The life of a real process: start, health, reflection, drain, exit codes."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis import channels, lifecycle
from chassis.config import ServerConfig
from chassis.errors import from_rpc_error
from tests.integration.chassis.echo import SERVICE

ROOT = Path(__file__).parents[3]
WAIT_S = 20


class Process:
    """One echo service; its log lines are read as they come."""

    def __init__(self, *flags: str) -> None:
        command = [sys.executable, "-m", "tests.integration.chassis.echo", *flags]
        self.popen = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.log: list[dict[str, object]] = []

    def wait_for(self, event: str) -> dict[str, object]:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.log.append(json.loads(line))
            if self.log[-1]["event"] == event:
                return self.log[-1]
        raise AssertionError(f"ended without {event}: {self.log}")

    def end(self) -> int:
        """Waits for the end and reads the rest of the log: every line must be JSON."""
        out, rest = self.popen.communicate(timeout=WAIT_S)
        self.log += [json.loads(line) for line in rest.splitlines()]
        self.out = out
        return self.popen.returncode

    @property
    def events(self) -> list[object]:
        return [line["event"] for line in self.log]


@contextmanager
def running(*flags: str) -> Iterator[tuple[Process, grpc.Channel]]:
    process = Process(*flags)
    try:
        port = process.wait_for("service_ready")["port"]
        with channels.sync_channel(f"127.0.0.1:{port}", policies=(channels.CallPolicy(attempts=1),)) as channel:
            yield process, channel
    finally:
        process.popen.kill()
        process.popen.wait()
        for stream in (process.popen.stdout, process.popen.stderr):
            if stream is not None:
                stream.close()


def call(channel: grpc.Channel, text: str) -> StringValue:
    method = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
    answer: StringValue = method(StringValue(value=text), timeout=WAIT_S)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_running_service_answers_health_for_itself_and_each_service() -> None:
    with running() as (process, channel):
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=WAIT_S)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        process.popen.send_signal(signal.SIGTERM)
        assert process.end() == 0
        assert process.events == ["service_ready", "service_stopping", "service_stopped"]
        assert process.out == "released\n"


def test_reflection_lists_the_services() -> None:
    with running() as (_, channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = list(stub.ServerReflectionInfo(iter([request]), timeout=WAIT_S))
        names = {service.name for service in answers[0].list_services_response.service}
        assert names == {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


def test_a_call_in_flight_finishes_while_new_ones_are_refused() -> None:
    with running() as (process, channel):
        method = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
        call(channel, "connect")
        slow = method.future(StringValue(value="sleep 1"), timeout=WAIT_S)
        time.sleep(0.3)
        process.popen.send_signal(signal.SIGTERM)
        process.wait_for("service_stopping")
        time.sleep(0.2)
        with pytest.raises(grpc.RpcError) as caught:
            call(channel, "late")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert slow.result().value == "sleep 1"
        assert process.end() == 0


def test_calls_longer_than_the_grace_are_told_to_go_elsewhere() -> None:
    with running("--drain-ms=3000") as (process, channel):
        method = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
        streaming = channel.unary_stream(f"/{SERVICE}/Stream", StringValue.SerializeToString, StringValue.FromString)
        call(channel, "connect")
        slow = method.future(StringValue(value="sleep 60"), timeout=WAIT_S)
        stream = streaming(StringValue(value="forever"), timeout=WAIT_S)
        next(stream)
        process.popen.send_signal(signal.SIGINT)
        with pytest.raises(grpc.RpcError) as caught:
            list(stream)
        assert not slow.done(), "streams end at once, other calls have the grace"
        assert process.end() == 0
        for error in (caught.value, slow.exception()):
            remote = from_rpc_error(error)
            assert (remote.code, remote.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICE_DRAINING")
            assert remote.retryable
        assert process.events == ["service_ready", "service_stopping", "service_stopped"]


def test_a_call_that_arrives_while_the_service_stops_is_told_to_go_elsewhere() -> None:
    with running() as (process, channel):
        method = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
        call(channel, "connect")
        slow = method.future(StringValue(value="sleep 0.5"), timeout=WAIT_S)
        time.sleep(0.2)
        process.popen.send_signal(signal.SIGTERM)
        process.wait_for("service_stopping")
        with pytest.raises(grpc.RpcError) as caught:
            call(channel, "late")
        assert from_rpc_error(caught.value).reason == "SERVICE_DRAINING"
        assert slow.result().value == "sleep 0.5"
        assert process.end() == 0


def test_callers_that_never_pause_are_not_cancelled() -> None:
    codes: list[grpc.StatusCode] = []
    with running("--drain-ms=100") as (process, _):
        port = process.log[-1]["port"]

        def hammer() -> None:
            policies = (channels.CallPolicy(attempts=1),)
            with channels.sync_channel(f"127.0.0.1:{port}", policies=policies) as channel:
                for _ in range(100_000):
                    try:
                        call(channel, "sleep 0.001")
                    except grpc.RpcError as error:
                        codes.append(error.code())
                        if from_rpc_error(error).reason == "PEER_UNAVAILABLE":
                            return

        callers = [threading.Thread(target=hammer) for _ in range(8)]
        for caller in callers:
            caller.start()
        time.sleep(0.5)
        process.popen.send_signal(signal.SIGTERM)
        for caller in callers:
            caller.join(WAIT_S)
        assert process.end() == 0
    assert set(codes) == {grpc.StatusCode.UNAVAILABLE}


def test_a_second_signal_ends_the_process_at_once() -> None:
    with running("--drain-ms=60000") as (process, channel):
        method = channel.unary_unary(f"/{SERVICE}/Call", StringValue.SerializeToString, StringValue.FromString)
        call(channel, "connect")
        slow = method.future(StringValue(value="sleep 60"), timeout=WAIT_S)
        time.sleep(0.2)
        process.popen.send_signal(signal.SIGTERM)
        process.wait_for("service_stopping")
        process.popen.send_signal(signal.SIGTERM)
        assert process.end() == 128 + signal.SIGTERM
        assert slow.code() is grpc.StatusCode.UNAVAILABLE


def test_a_busy_port_is_one_clear_line_and_exit_code_2() -> None:
    with running() as (first, _):
        port = first.log[-1]["port"]
        second = Process(f"--port={port}")
        assert second.end() == 2
        (line,) = second.log
        assert line["event"] == "service_not_started"
        assert f"127.0.0.1:{port}" in str(line["reason"])


def test_a_service_that_cannot_start_says_why_and_releases_what_it_holds() -> None:
    process = Process("--start=refused")
    assert process.end() == 2
    assert process.log[-1]["reason"] == "the folder is in use"
    assert process.out == "released\n"


def test_a_bug_in_start_is_exit_code_1_with_its_trace() -> None:
    process = Process("--start=broken")
    assert process.end() == 1
    assert "a bug in start" in str(process.log[0]["exception"])


def test_a_service_may_end_itself_as_failed() -> None:
    process = Process("--start=fails-later")
    assert process.end() == 1
    assert process.events == ["service_ready", "service_stopping", "service_stopped"]


def test_metrics_are_shown_on_their_own_port() -> None:
    port = free_port()
    with running(f"--metrics-port={port}") as (_, channel):
        call(channel, "hello")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_S) as page:
            assert "v8vm_echo_calls_total 1.0" in page.read().decode()


def test_a_busy_metrics_port_is_told_like_any_other() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = Process(f"--metrics-port={taken.getsockname()[1]}")
        assert process.end() == 2
        assert "metrics" in str(process.log[-1]["reason"])


async def test_a_service_that_learns_while_it_starts_that_it_does_not_serve_says_so() -> None:
    server = lifecycle.Server(ServerConfig(port=0))
    server.expose(SERVICE)
    await server.set_serving(False)
    await server.listen()
    async with channels.aio_channel(f"127.0.0.1:{server.port}") as channel:
        for name in ("", SERVICE):
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    await server.grpc.stop(0)


def thrown_out_after_pings(port: int, count: int) -> bool:
    """Sends HTTP/2 pings ten times a second, as no library would; tells whether that was too often."""

    def frame(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
        return len(payload).to_bytes(3) + bytes((kind, flags)) + bytes(4) + payload

    settings, ping, goaway = 4, 6, 7
    with (
        socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as connection,
        connection.makefile("rb") as stream,
    ):
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings))
        for _ in range(count):
            connection.sendall(frame(ping, bytes(8)))
            while True:
                head = stream.read(9)
                stream.read(int.from_bytes(head[:3]))
                if head[3] == goaway:
                    return True
                if head[3] == ping:
                    break
            time.sleep(0.1)
    return False


def test_a_client_that_pings_too_often_is_thrown_out_and_a_setting_says_what_is_too_often() -> None:
    with running() as (default, _), running("--ping-interval-ms=10") as (generous, _):
        ports = [int(str(process.log[-1]["port"])) for process in (default, generous)]
        assert [thrown_out_after_pings(port, 10) for port in ports] == [True, False]
