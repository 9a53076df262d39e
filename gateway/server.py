"""The gateway process: connections to the services behind it, and the four services it offers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from chassis.errors import ServiceError
from chassis.lifecycle import Server
from gateway import health
from gateway.admission import Admission
from gateway.config import GatewayConfig
from gateway.contracts import Contracts
from gateway.errors import DrainingError
from gateway.forwarding import ROUTES, Context, Forwarder
from gateway.inspection import Inspection
from gateway.metrics import CALLS, LATENCY
from gateway.peers import Peer
from gateway.routing import VmEndpoint, VmPool
from gateway.state_reader import StateReader
from gateway.status import NodeStatus
from iost.gateway.v1 import (
    block_service_pb2,
    contract_service_pb2,
    inspection_service_pb2,
    transaction_service_pb2,
)

Behavior = Callable[[Any, Context], Any]

DESCRIPTORS = tuple(
    module.DESCRIPTOR.services_by_name[name]
    for module, name in (
        (transaction_service_pb2, "TransactionService"),
        (block_service_pb2, "BlockService"),
        (contract_service_pb2, "ContractService"),
        (inspection_service_pb2, "InspectionService"),
    )
)
"""The services of the gateway, in the order of the documentation."""


@dataclass(frozen=True, slots=True)
class Own:
    """A method that the gateway answers itself: its behavior and the type of its requests."""

    behavior: Behavior
    request_type: type[Message]


class Gateway:
    """What runs in a gateway process."""

    def __init__(self, config: GatewayConfig) -> None:
        """Prepares a gateway that is not connected yet."""
        self._config = config
        self._calls = Admission(config.in_flight_count, config.in_flight_bytes)
        self._streams = Admission(config.stream_count, config.in_flight_bytes)
        self._vms = VmPool(config.vm_address, self._endpoint, config.resolve_ms)
        self._state: Peer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping: Callable[[], bool] = lambda: False

    def _endpoint(self, address: str) -> VmEndpoint:
        return VmEndpoint(
            address,
            self._config.max_message_bytes,
            gather_count=self._config.gather_count,
            gather_in_flight=self._config.gather_in_flight,
        )

    async def start(self, server: Server) -> None:
        """Connects, and registers the services at `server`."""
        await self._vms.start()
        self._state = Peer(self._config.state_address, self._config.max_message_bytes)
        forwarder = Forwarder(self._vms, self._state)
        handlers = {
            (route.service, route.method): self._handler(route.method, forwarder.behavior(route), stream=route.stream)
            for route in ROUTES
        }
        status = NodeStatus(server, self._vms, self._state)
        for (service, method), own in self._own(StateReader(self._state), status).items():
            handlers[service, method] = self._handler(method, own.behavior, request_type=own.request_type)
        for descriptor in DESCRIPTORS:
            methods = {method.name: handlers[descriptor.name, method.name] for method in descriptor.methods}
            server.grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(descriptor.full_name, methods),))
            server.expose(descriptor.full_name)
        watching = health.watch(server, self._vms, self._state, self._config.peer_loss_ms)
        self._tasks = [asyncio.create_task(watching, name="watch peers")]
        self._stopping = lambda: server.stop_requested

    async def stop(self) -> None:
        """Disconnects."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._vms.close()
        if self._state is not None:
            await self._state.close()

    def _own(self, reader: StateReader, status: NodeStatus) -> Mapping[tuple[str, str], Own]:
        inspection = Inspection(reader, self._vms)
        contracts = Contracts(reader)
        pb = inspection_service_pb2
        return {
            ("InspectionService", "BatchGetState"): Own(inspection.batch_get_state, pb.BatchGetStateRequest),
            ("InspectionService", "ListState"): Own(inspection.list_state, pb.ListStateRequest),
            ("InspectionService", "BatchGetBalances"): Own(inspection.batch_get_balances, pb.BatchGetBalancesRequest),
            ("InspectionService", "ListWorkers"): Own(inspection.list_workers, pb.ListWorkersRequest),
            ("InspectionService", "GetStatus"): Own(status.get, pb.GetStatusRequest),
            ("ContractService", "BatchGetContracts"): Own(
                contracts.batch_get, contract_service_pb2.BatchGetContractsRequest
            ),
        }

    def _handler(
        self, method: str, behavior: Behavior, *, request_type: type[Message] | None = None, stream: bool = False
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """Makes the handler of a method: admission, measurement, behavior. Bytes stay bytes unless a type is given."""
        decode = request_type.FromString if request_type else bytes
        encode = _encode if request_type else None
        if stream:
            return grpc.unary_stream_rpc_method_handler(self._stream(method, behavior), decode, encode)
        return grpc.unary_unary_rpc_method_handler(self._unary(method, behavior), decode, encode)

    def _unary(self, method: str, behavior: Behavior) -> Behavior:
        latency, ok, admission = LATENCY.labels(method), CALLS.labels(method, "OK"), self._calls

        async def handle(request: Any, context: Context) -> Any:  # noqa: ANN401 - bytes or a message
            started = time.perf_counter()
            size = _size(request)
            admission.enter(size)
            try:
                response = await behavior(request, context)
                ok.inc()
                return response
            except BaseException as error:
                CALLS.labels(method, self._code_name(error)).inc()
                raise
            finally:
                admission.leave(size)
                latency.observe(time.perf_counter() - started)

        return handle

    def _stream(self, method: str, behavior: Behavior) -> Behavior:
        admission = self._streams

        async def handle(request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: ANN401 - bytes or a message
            size = _size(request)
            admission.enter(size)
            try:
                async for response in behavior(request, context):
                    yield response
                CALLS.labels(method, "OK").inc()
            except BaseException as error:
                CALLS.labels(method, self._code_name(error)).inc()
                raise
            finally:
                admission.leave(size)

        return handle

    def _code_name(self, error: BaseException) -> str:
        """Names the gRPC code that a caller sees for an error; a stopping gateway ends calls with one of its own."""
        if isinstance(error, asyncio.CancelledError) and self._stopping():
            return DrainingError.code.name
        return code_name(error)


def _encode(message: Message) -> bytes:
    return message.SerializeToString()


def _size(request: bytes | Message) -> int:
    return len(request) if isinstance(request, bytes) else request.ByteSize()


def code_name(error: BaseException) -> str:
    """Names the gRPC code that a caller sees for an error."""
    if isinstance(error, ServiceError):
        return error.code.name
    if isinstance(error, grpc.RpcError):
        return error.code().name
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return grpc.StatusCode.CANCELLED.name
    return grpc.StatusCode.INTERNAL.name
