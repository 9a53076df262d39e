"""Connections to the services behind the gateway: calls as bytes, load, and whether the service says that it serves."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from chassis import health
from chassis.channels import CallPolicy, aio_channel

POLICIES: Sequence[CallPolicy] = (
    # A caller's own deadline, when it has one, is handed on with the call and wins over these.
    CallPolicy(),
    CallPolicy(service="iost.vm.v1.ExecutionService", method="ExecuteBlock", timeout_ms=120_000),
    CallPolicy(service="iost.vm.v1.ExecutionService", method="ValidateBlock", timeout_ms=120_000),
    CallPolicy(service="iost.state.v1.InspectionService", method="StreamEvents", timeout_ms=0, attempts=1),
    *health.POLICIES,
)

PROBE_INTERVAL_S = 0.5
"""Seconds between health checks of a peer: four within the default of peer_loss_ms, and next to no load."""

PROBE_TIMEOUT_S = 1.0
"""Seconds until a health check counts as failed: a hundred times what a healthy service on a busy machine takes."""

_HEALTH_METHOD = "/grpc.health.v1.Health/Check"


class Peer:
    """One service process behind the gateway. REQUIRES: a running event loop.

    Attributes:
        address: as given to gRPC.
        channel: for typed stubs.
        in_flight: calls in progress.
        up: the last health check said SERVING; optimistic before the first one.
        refusal: why it refuses transactions and commits; None: it accepts them.
    """

    UNREACHABLE = "STATE_SERVICE_UNREACHABLE"
    """Its `refusal` while it cannot be reached."""

    def __init__(self, address: str, max_message_bytes: int) -> None:
        self.address = address
        self.channel = aio_channel(address, max_message_bytes=max_message_bytes, policies=POLICIES)
        self.in_flight = 0
        self.up = True
        self.refusal: str | None = None
        self._methods: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._watchers = (
            asyncio.create_task(self._probe(), name=f"probe {address}"),
            asyncio.create_task(
                health.follow_submit(self.channel, self.UNREACHABLE, self._on_submit), name=f"follow {address}"
            ),
        )

    async def call(self, method: str, raw: bytes, timeout_s: float | None) -> bytes:
        """Calls a method (`/package.Service/Method`) with a serialized request.

        Args:
            method: full path.
            raw: the request.
            timeout_s: deadline in seconds; None: the policy of the method.

        Raises:
            grpc.aio.AioRpcError: whatever the service answered.
        """
        bound = self._methods.get(method)
        if bound is None:
            bound = self._methods[method] = self.channel.unary_unary(method, None, None)
        self.in_flight += 1
        try:
            return await bound(raw, timeout=timeout_s)
        finally:
            self.in_flight -= 1

    def stream(self, method: str, raw: bytes, timeout_s: float | None) -> AsyncIterator[bytes]:
        """Calls a method that answers a stream; ends it when the caller stops to listen."""
        bound: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(method, None, None)
        return aiter(bound(raw, timeout=timeout_s))

    async def close(self, grace_s: float = 0) -> None:
        """Stops probing and closes the channel once calls in progress have ended, at most after the grace."""
        for task in self._watchers:
            task.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        await self.channel.close(grace_s)

    def _on_submit(self, reason: str | None) -> None:
        self.refusal = reason

    async def _probe(self) -> None:
        check = self.channel.unary_unary(
            _HEALTH_METHOD,
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        while True:
            try:
                answer = await check(health_pb2.HealthCheckRequest(), timeout=PROBE_TIMEOUT_S)
                self.up = answer.status == health_pb2.HealthCheckResponse.SERVING
            except grpc.RpcError:
                self.up = False
            await asyncio.sleep(PROBE_INTERVAL_S)
