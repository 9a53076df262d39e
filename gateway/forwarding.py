"""Forwarding: calls that pass through as bytes.

One table says which method of the gateway is which method of which service. The messages of both are equal on the wire,
so a call costs one look into the table: nothing is decoded, deadlines are handed on, errors come back as the service
made them.
"""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import grpc.aio
from google.protobuf.message import DecodeError

from chassis.errors import MalformedRequestError
from gateway import company, wire
from gateway.peers import Peer
from gateway.routing import EXECUTE, VmPool
from iost.gateway.v1.transaction_service_pb2 import ExecuteTransactionsRequest

Context = grpc.aio.ServicerContext[Any, Any]


class To(Enum):
    """Who answers a method."""

    VM = "vm"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    Attributes:
        service: name of the gateway's service, without package.
        method: name of its method.
        to: who answers.
        target: full path of the method there.
        key: where the request names a contract, as a path of field numbers; calls of one contract go to one VM service.
        stream: the answer is a stream.
    """

    service: str
    method: str
    to: To
    target: str
    key: tuple[int, ...] = ()
    stream: bool = False


_TRANSACTION_CONTRACT = (1, 8, 1)
"""In a list of transactions: the first transaction, its first action, its contract."""

_CALL_CONTRACT = (1, 1)
"""In a list of calls: the first call, its contract."""

ROUTES = (
    Route("TransactionService", "ExecuteTransactions", To.VM, EXECUTE, _TRANSACTION_CONTRACT),
    Route(
        "TransactionService",
        "ValidateTransactions",
        To.VM,
        "/iost.vm.v1.ExecutionService/ValidateTransactions",
        _TRANSACTION_CONTRACT,
    ),
    Route("TransactionService", "CallContracts", To.VM, "/iost.vm.v1.ExecutionService/CallContracts", _CALL_CONTRACT),
    Route("BlockService", "ExecuteBlock", To.VM, "/iost.vm.v1.ExecutionService/ExecuteBlock"),
    Route("BlockService", "ValidateBlock", To.VM, "/iost.vm.v1.ExecutionService/ValidateBlock"),
    Route("BlockService", "FinalizeBlock", To.STATE, "/iost.state.v1.StateService/FinalizeBlock"),
    Route("BlockService", "DiscardBlock", To.STATE, "/iost.state.v1.StateService/DiscardBlock"),
    Route("BlockService", "GetBlock", To.STATE, "/iost.state.v1.StateService/GetBlock"),
    Route("BlockService", "RecordBlockHash", To.STATE, "/iost.state.v1.StateService/RecordBlockHash"),
    Route("ContractService", "CompileContracts", To.VM, "/iost.vm.v1.CompilationService/CompileContracts"),
    Route("InspectionService", "BatchGetReceipts", To.STATE, "/iost.state.v1.InspectionService/BatchGetReceipts"),
    Route("InspectionService", "GetHead", To.STATE, "/iost.state.v1.InspectionService/GetHead"),
    Route("InspectionService", "StreamEvents", To.STATE, "/iost.state.v1.InspectionService/StreamEvents", stream=True),
)


class Forwarder:
    """Carries out the table."""

    def __init__(self, vms: VmPool, state: Peer) -> None:
        """Sets the services behind the gateway."""
        self._vms = vms
        self._state = state

    def behavior(self, route: Route) -> Callable[[bytes, Context], Any]:
        """Makes the handler of a row: serialized request and context to serialized response, or a stream of them."""
        if route.stream:
            return self._stream(route)
        if route.target == EXECUTE:
            return self._execute
        return self._unary(route)

    def _peer(self, route: Route, raw: bytes) -> Peer:
        return self._state if route.to is To.STATE else self._vms.pick(lambda: _key(raw, route.key))

    def _unary(self, route: Route) -> Callable[[bytes, Context], Any]:
        async def forward(raw: bytes, context: Context) -> bytes:
            return await self._peer(route, raw).call(route.target, raw, context.time_remaining())

        return forward

    def _stream(self, route: Route) -> Callable[[bytes, Context], Any]:
        async def forward(raw: bytes, context: Context) -> AsyncIterator[bytes]:
            async for response in self._peer(route, raw).stream(route.target, raw, context.time_remaining()):
                yield response

        return forward

    async def _execute(self, raw: bytes, context: Context) -> bytes:
        """Batches pass as they are; a single transaction without options may share a batch with its company."""
        endpoint = self._vms.pick(lambda: _key(raw, _TRANSACTION_CONTRACT))
        if not wire.single(raw, 1):
            return await endpoint.call(EXECUTE, raw, context.time_remaining())
        try:
            # Costs microseconds, and keeps bytes that are no transaction out of other callers' batches.
            request = ExecuteTransactionsRequest.FromString(raw)
        except DecodeError as error:
            raise MalformedRequestError("the bytes are not a transaction", field="transactions[0]") from error
        transaction = request.transactions[0]
        is_early = transaction.time_ns > time.time_ns()  # it waits for its time at the VM service
        others = None if is_early else company.of(transaction)
        if others is None:
            return await endpoint.call(EXECUTE, raw, context.time_remaining())
        return await endpoint.gatherer.submit(raw, others, context.time_remaining())


def _key(raw: bytes, path: tuple[int, ...]) -> bytes:
    try:
        return wire.first(raw, *path) if path else b""
    except wire.WireError as error:
        raise MalformedRequestError("the bytes are not a message of this method's request type") from error
