"""Health of a service: the names that probes, load balancers and the services in front ask for.

    ""           the process answers: reads at least; probes of readiness use it
    a service    the same, by the full name of the gRPC service
    liveness     the event loop runs, whatever other services do; probes of liveness use it
    submit       the service accepts transactions and commits; never a probe: reads go on without it

The health protocol has no room for a reason. `Check` of `submit` therefore carries it as trailing metadata
(`REASON_KEY`), and `follow_submit` reads it there for the service in front. Every `Check` carries the version of the
software as well (`VERSION_KEY`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.channels import CallPolicy

LIVENESS: Final = "liveness"
"""Name under which health answers SERVING while the event loop runs: a restart would not bring other services back."""

SUBMIT: Final = "submit"
"""Name under which health answers NOT_SERVING while transactions and commits are refused."""

REASON_KEY: Final = "v8vm-reason"
"""Trailing metadata of `Check`: why `submit` is NOT_SERVING."""

VERSION_KEY: Final = "v8vm-version"
"""Trailing metadata of `Check`: the version of the software."""

SOFTWARE_VERSION: Final = metadata.version("v8vm")
"""Version of this software."""

POLICIES: Final[Sequence[CallPolicy]] = (
    CallPolicy(service="grpc.health.v1.Health", attempts=1),
    CallPolicy(service="grpc.health.v1.Health", method="Watch", timeout_ms=0, attempts=1),
)
"""Health is asked again and again, so a failed call is news and is not retried; a watch has no deadline."""

_RETRY_S = 0.2
"""Pause before a lost watch is opened again: an absent peer costs five calls a second, and news come within one."""

_ASK_S = 1.0
"""Pause between questions beside a watch, which tells nothing while the service stands still."""

_REASON_TIMEOUT_S = 2.0
"""Time for an answer: a service whose event loop is busy takes tens of milliseconds."""

_CHECK = "/grpc.health.v1.Health/Check"
_WATCH = "/grpc.health.v1.Health/Watch"

Status: TypeAlias = Any  # grpc_health types its statuses by an enum that no annotation can name
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Serves `grpc.health.v1.Health`; a watch ends with the process, so that it does not hold up draining."""

    def __init__(self) -> None:
        """Knows no name yet."""
        self._statuses: dict[str, Status] = {}
        self._reason = ""
        self._changed = asyncio.Event()
        self._closed = False

    def set(self, name: str, *, serving: bool) -> None:
        """Sets what a name answers; after `close` it stays NOT_SERVING."""
        self._statuses[name] = SERVING if serving and not self._closed else NOT_SERVING
        self._notify()

    def set_submit(self, reason: str) -> None:
        """Sets what `submit` answers: SERVING when the reason is empty."""
        self._reason = reason
        self.set(SUBMIT, serving=not reason)

    def close(self, reason: str) -> None:
        """Turns every name to NOT_SERVING for good and ends the watches."""
        self._closed = True
        self._reason = reason
        self._statuses = dict.fromkeys(self._statuses, NOT_SERVING)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        """Answers the status of a name, and the reason of `submit` beside it."""
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service}")
        trailing = [(VERSION_KEY, SOFTWARE_VERSION)]
        if request.service == SUBMIT and status == NOT_SERVING:
            trailing.append((REASON_KEY, self._reason))
        context.set_trailing_metadata(trailing)
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Answers the status of a name and each change of it."""
        told: Status | None = None
        while True:
            changed = self._changed
            status = self._statuses.get(request.service, SERVICE_UNKNOWN)
            if status != told:
                yield health_pb2.HealthCheckResponse(status=status)
                told = status
            elif self._closed:
                return
            else:
                await changed.wait()


async def follow_submit(channel: grpc.aio.Channel, unreachable: str, tell: Callable[[str | None], None]) -> None:
    """Follows whether the service behind a channel accepts commits; runs until it is cancelled.

    A service that does not know the name counts as accepting: nothing is known against it.

    Args:
        channel: opened with `POLICIES`.
        unreachable: the reason that is told while the service cannot be reached.
        tell: called with the reason, None when commits are accepted; also when nothing changed.
    """
    await asyncio.gather(_watch(channel, unreachable, tell), _ask_again(channel, unreachable, tell))


async def _watch(channel: grpc.aio.Channel, unreachable: str, tell: Callable[[str | None], None]) -> None:
    """Tells each change as soon as the service does."""
    watch: grpc.aio.UnaryStreamMultiCallable[Any, Any] = channel.unary_stream(
        _WATCH, health_pb2.HealthCheckRequest.SerializeToString, health_pb2.HealthCheckResponse.FromString
    )
    while True:
        try:
            async for answer in watch(health_pb2.HealthCheckRequest(service=SUBMIT)):
                tell(await submit_reason(channel) if answer.status == NOT_SERVING else None)
        except grpc.RpcError:
            tell(unreachable)
        await asyncio.sleep(_RETRY_S)


async def _ask_again(channel: grpc.aio.Channel, unreachable: str, tell: Callable[[str | None], None]) -> None:
    """Notices a service that stands still, of which a watch does not hear."""
    while True:
        await asyncio.sleep(_ASK_S)
        try:
            tell(await submit_reason(channel))
        except grpc.RpcError:
            tell(unreachable)


async def submit_reason(channel: grpc.aio.Channel) -> str | None:
    """Asks a service why it refuses commits; None when it accepts them, or does not know the name.

    Raises:
        grpc.RpcError: it cannot be reached.
    """
    try:
        status, trailing = await _check(channel, SUBMIT, _REASON_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return None
    return (trailing.get(REASON_KEY) or "NOT_SERVING") if status == NOT_SERVING else None


@dataclass(frozen=True, slots=True)
class Health:
    """What a service says of itself.

    Attributes:
        serving: it answers reads.
        refusal: why it refuses transactions and commits; None: it accepts them, or does not know the name `submit`.
        software_version: version of its software; empty: it does not tell.
    """

    serving: bool
    refusal: str | None
    software_version: str


async def ask(channel: grpc.aio.Channel, timeout_s: float) -> Health:
    """Asks a service for all that its health tells.

    Raises:
        grpc.RpcError: it cannot be reached.
    """
    status, trailing = await _check(channel, "", timeout_s)
    return Health(status == SERVING, await submit_reason(channel), trailing.get(VERSION_KEY, ""))


async def _check(channel: grpc.aio.Channel, name: str, timeout_s: float) -> tuple[Status, dict[str, str]]:
    """Returns the status of a name and the texts beside it."""
    check: grpc.aio.UnaryUnaryMultiCallable[Any, Any] = channel.unary_unary(
        _CHECK, health_pb2.HealthCheckRequest.SerializeToString, health_pb2.HealthCheckResponse.FromString
    )
    call = check(health_pb2.HealthCheckRequest(service=name), timeout=timeout_s)
    status = (await call).status
    return status, {key: str(value) for key, value in await call.trailing_metadata() or ()}
