"""The life of a service process: prepare, listen, serve, drain, stop. The same for all services.

    code = lifecycle.run("vm", config, start=service.start, stop=service.stop)

1. Logging and failpoints are set up, limits of the process are looked at, the port is bound; a busy one ends the
   process before anything is opened.
2. `start(server)` registers servicers and makes the service ready; a file that it cannot open ends the process as well.
   Nothing is answered before it returns, and nothing at all when it was asked to stop meanwhile.
3. The server listens; health answers SERVING, reflection lists all services.
4. SIGTERM, SIGINT or `Server.request_stop`: health answers NOT_SERVING, new calls are refused, streams end, other calls
   may finish within `drain_ms`. Calls that are ended get UNAVAILABLE with a reason that says to go elsewhere.
5. `stop()` runs; then the process leaves. A second signal ends it at once.

Exit codes: 0 stopped as asked, 1 the service failed, 2 it was started wrongly, 128+n ended by a second signal n.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine

import grpc.aio
import uvloop
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_reflection.v1alpha import reflection

from chassis import config as configuration
from chassis import failpoint, limits
from chassis import logging as chassis_logging
from chassis.calls import Calls, ErrorInterceptor
from chassis.channels import Options, size_options
from chassis.config import EXIT_USAGE, ServerConfig
from chassis.errors import DrainingError, ServiceError
from chassis.health import LIVENESS, HealthServicer
from chassis.metrics import Metrics
from chassis.stall import StallWatch

EXIT_FAILED = 1
DRAINING = DrainingError.reason
"""Why a service that is being stopped refuses transactions and commits."""

_LAST_WORDS_S = 1.0
"""Time after the grace in which calls that were ended send their status; gRPC cancels what is left without one."""

_PARTING_S = 0.05
"""Time for callers that do not pause to hear that their connection is being closed, while they wait for an answer."""

_PAUSE_S = 0.15
"""The port closes after such a time without a call that arrives or ends: refused callers come back after 100 ms."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)
log = logging.getLogger(__name__)

Start = Callable[["Server"], Awaitable[None]]
Stop = Callable[[], Awaitable[None]]


class StartError(Exception):
    """The service cannot start for a reason that its operator can mend; the message is one line."""


class Server:
    """The handle of a running process, given to `start`.

    Attributes:
        grpc: where servicers are registered.
        port: the bound port.
        address: where it listens, `host:port`.
    """

    def __init__(
        self,
        config: ServerConfig,
        metrics: Metrics | None = None,
        draining: Callable[[], ServiceError] = DrainingError,
    ) -> None:
        """Binds the port.

        Args:
            config: settings of the service.
            metrics: shows why commits are refused.
            draining: what callers get whose calls are ended by a stop.

        Raises:
            StartError: the address cannot be listened on.
        """
        self._calls = Calls(draining)
        self.grpc = grpc.aio.server(
            interceptors=(ErrorInterceptor(self._calls),),
            options=server_options(config.max_message_bytes, config.ping_interval_ms),
        )
        address = f"{config.host}:{config.port}"
        try:
            self.port = self.grpc.add_insecure_port(address)
        except RuntimeError as error:
            raise StartError(
                f"cannot listen on {address}: the port is in use or the address is not of this machine"
            ) from error
        self.address = f"{config.host}:{self.port}"
        self._metrics = metrics
        self._health = HealthServicer()
        self._refusals: dict[str, str] = {}
        self._names: list[str] = []
        self._stopping = asyncio.Event()
        self._serving = True
        self.exit_code = 0

    def expose(self, *service_names: str) -> None:
        """Names gRPC services (full names) that health and reflection shall know. REQUIRES: called within `start`."""
        self._names.extend(service_names)

    def request_stop(self, reason: str, *, failed: bool = False) -> None:
        """Begins to drain, as a signal would, and returns at once; only the first call counts.

        Args:
            reason: for the log.
            failed: the process must not go on; makes the exit code 1.
        """
        if not self._stopping.is_set():
            log.info("service_stopping", extra={"reason": reason})
            self.exit_code = EXIT_FAILED if failed else 0
            self._stopping.set()

    async def stopping(self) -> None:
        """Waits until stopping is requested."""
        await self._stopping.wait()

    @property
    def stop_requested(self) -> bool:
        """Whether stopping was requested."""
        return self._stopping.is_set()

    async def until_stopping(self, work: Coroutine[object, object, None]) -> bool:
        """Does work that may take long; cancels it when stopping is requested.

        Returns:
            Whether the work was done.
        """
        doing = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self.stopping())
        try:
            await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                await doing
                return True
        finally:
            stopping.cancel()
            doing.cancel()
        await asyncio.wait((doing,))
        return False

    async def set_serving(self, serving: bool) -> None:
        """Sets what health answers, for the process and each service: NOT_SERVING keeps new traffic away."""
        self._serving = serving
        for name in ("", *self._names):
            self._health.set(name, serving=serving)
        self._show_submit()

    def set_submit(self, source: str, reason: str | None) -> None:
        """Sets whether a part of the service accepts transactions and commits; health `submit` needs all parts.

        Reads are another matter: see `set_serving`.

        Args:
            source: the part that speaks, for example "genesis".
            reason: why it refuses them, an error reason such as "NO_GENESIS"; None: it accepts them.
        """
        if reason is None:
            self._refusals.pop(source, None)
        else:
            self._refusals[source] = reason
        self._show_submit()

    @property
    def serving(self) -> bool:
        """What health answers under the empty name."""
        return self._serving and not self.stop_requested

    @property
    def submit_reason(self) -> str | None:
        """Why transactions and commits are refused; None while they are accepted."""
        if self.stop_requested:
            return DRAINING
        return next(iter(self._refusals.values()), None if self._serving else "NOT_SERVING")

    def _show_submit(self) -> None:
        reason = self.submit_reason or ""
        self._health.set_submit(reason)
        if self._metrics is not None:
            self._metrics.show_refusal(reason)

    async def listen(self) -> None:
        """Adds health and reflection, then starts to answer."""
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        reflection.enable_server_reflection((*self._names, HEALTH_SERVICE, reflection.SERVICE_NAME), self.grpc)
        self._health.set(LIVENESS, serving=True)
        await self.set_serving(self._serving)  # `start` may have learnt already that it does not
        await self.grpc.start()

    async def drain(self, grace_ms: int) -> None:
        """Waits until stopping is requested, then refuses new calls and lets running ones finish within the grace.

        Streams are ended at once, other calls at the end of the grace, all with a status that says to go elsewhere.
        The port is closed last: a call that arrives while gRPC closes its connection is cancelled without a reason.
        """
        await self._stopping.wait()
        self._health.close(DRAINING)
        self._calls.close()
        await self._calls.finish(grace_ms / 1000)
        if await self._calls.quiet(_PAUSE_S, _LAST_WORDS_S):
            await self.grpc.stop(_LAST_WORDS_S)
            return
        async with self._calls.holding(_PAUSE_S):
            stopped = asyncio.ensure_future(self.grpc.stop(_LAST_WORDS_S))
            await asyncio.sleep(_PARTING_S)
        await stopped


def server_options(max_message_bytes: int, ping_interval_ms: int = 10_000) -> Options:
    """Returns the options of a server: largest message, and least time between pings of a client."""
    return (
        *size_options(max_message_bytes),
        # Two processes on one port would share its calls at random; better that the second one fails to start.
        ("grpc.so_reuseport", 0),
        # Find dead clients, and allow the pings of ours (channels.py: every KEEPALIVE_MS, also when idle).
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", ping_interval_ms),
    )


def run(
    service: str,
    config: ServerConfig,
    *,
    start: Start,
    stop: Stop,
    metrics: Metrics | None = None,
    draining: Callable[[], ServiceError] = DrainingError,
) -> int:
    """Runs a service until it is stopped.

    Args:
        service: short name: "vm", "state", "gateway".
        config: its settings.
        start: registers servicers at the given server and makes the service ready.
        stop: releases everything; called once, also after a failed start.
        metrics: what `metrics_port` shows.
        draining: what callers get whose calls are ended by a stop.

    Returns:
        The exit code of the process.
    """
    chassis_logging.setup(service, config.log_level)
    try:
        if missing := limits.shortage():
            raise StartError(missing)
        failpoint.arm(configuration.failpoints())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(lambda: Server(config, metrics, draining), config, start, stop, metrics))
    except (StartError, ValueError) as error:
        log.error("service_not_started", extra={"reason": str(error)})
        return EXIT_USAGE


async def _start(server: Server, start: Start) -> None:
    """Starts the service; a file or a limit that its operator can mend is told in one line."""
    try:
        await start(server)
    except OSError as error:
        if error.strerror is None:
            raise
        raise StartError(f"{error.filename}: {error.strerror}" if error.filename else error.strerror) from error


async def _serve(
    bind: Callable[[], Server], config: ServerConfig, start: Start, stop: Stop, metrics: Metrics | None
) -> int:
    server = bind()
    stop_metrics = _serve_metrics(config, metrics)
    _watch_signals(server)
    try:
        await _start(server, start)
        if not server.stop_requested:
            await server.listen()
            log.info("service_ready", extra={"host": config.host, "port": server.port, "pid": os.getpid()})
            with StallWatch(metrics.loop_lag.observe if metrics else None):
                await server.drain(config.drain_ms)
    except StartError:
        raise
    except Exception:
        log.exception("service_failed")
        server.exit_code = EXIT_FAILED
    finally:
        await server.grpc.stop(0)
        await stop()
        stop_metrics()
    log.info("service_stopped", extra={"exit_code": server.exit_code})
    return server.exit_code


def _serve_metrics(config: ServerConfig, metrics: Metrics | None) -> Callable[[], None]:
    if metrics is None or not config.metrics_port:
        return lambda: None
    try:
        return metrics.serve(config.host, config.metrics_port)
    except OSError as error:
        raise StartError(f"cannot serve metrics on {config.host}:{config.metrics_port}: {error.strerror}") from error


def _watch_signals(server: Server) -> None:
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def on_signal(number: int) -> None:
        received.append(number)
        if len(received) > 1:
            # The operator insists. No cleanup: whatever hangs would hang again.
            os._exit(128 + number)
        server.request_stop(signal.Signals(number).name)

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
