"""The gRPC face of the VM service: raw bytes in, raw bytes out.

Requests and responses are not decoded here: the entrance checks the form, the worker does the rest, and the bytes of
its answer go back as they are. So this module registers handlers without serialisers instead of generated servicers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from iost.keda.v1 import external_scaler_pb2_grpc
from iost.vm.v1 import compilation_service_pb2, execution_service_pb2, worker_service_pb2
from vm_service import gas_schedule, scaler
from vm_service.manager.manager import VMManager
from vm_service.manager.supervisor import WorkerProcess, WorkerState
from vm_service.worker.channel import Kind

Handler: TypeAlias = Callable[[bytes, Any], Awaitable[bytes]]
"""Takes the bytes of a request and grpc's context."""

EXECUTION: Final[str] = execution_service_pb2.DESCRIPTOR.services_by_name["ExecutionService"].full_name
COMPILATION: Final[str] = compilation_service_pb2.DESCRIPTOR.services_by_name["CompilationService"].full_name
WORKERS: Final[str] = worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"].full_name

METHODS: Mapping[str, Mapping[str, Kind]] = {
    EXECUTION: {
        "ExecuteTransactions": "execute",
        "ValidateTransactions": "validate",
        "CallContracts": "call",
        "ExecuteBlock": "execute_block",
        "ValidateBlock": "validate_block",
    },
    COMPILATION: {"CompileContracts": "compile"},
}
"""Which kind of work each method is."""

_STATES: Mapping[WorkerState, worker_service_pb2.WorkerState.ValueType] = {
    WorkerState.STARTING: worker_service_pb2.WORKER_STATE_STARTING,
    WorkerState.IDLE: worker_service_pb2.WORKER_STATE_IDLE,
    WorkerState.BUSY: worker_service_pb2.WORKER_STATE_BUSY,
    WorkerState.DRAINING: worker_service_pb2.WORKER_STATE_DRAINING,
    WorkerState.GONE: worker_service_pb2.WORKER_STATE_DRAINING,
}


def register(server: grpc.aio.Server, manager: VMManager) -> tuple[str, ...]:
    """Registers all methods at a server; returns the names of the services."""
    for service, methods in METHODS.items():
        handlers = {name: _unary(_work_handler(manager, kind)) for name, kind in methods.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    external_scaler_pb2_grpc.add_ExternalScalerServicer_to_server(scaler.ScalerServicer(manager.load), server)
    listing = {"ListWorkers": _unary(_list_handler(manager))}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(WORKERS, listing),))
    return (*METHODS, WORKERS, scaler.SERVICE)


def _unary(handler: Handler) -> grpc.RpcMethodHandler[bytes, bytes]:
    return grpc.unary_unary_rpc_method_handler(handler, _as_is, None)


def _as_is(raw: bytes) -> bytes:
    return raw


def _work_handler(manager: VMManager, kind: Kind) -> Handler:
    async def handle(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return await manager.submit(kind, request, context.time_remaining())

    return handle


def _list_handler(manager: VMManager) -> Handler:
    async def handle(request: bytes, _context: object) -> bytes:
        worker_service_pb2.ListWorkersRequest.FromString(request)
        uses = manager.uses
        response = worker_service_pb2.ListWorkersResponse(
            workers=[_worker(worker) for worker in manager.workers()],
            restart_count=manager.restart_count,
            queue_count=manager.queued,
            build_id=manager.build_id,
            gas_schedule_version=gas_schedule.VERSION,
            uses=worker_service_pb2.ContractUses(
                pinned_count=uses.pinned, recent_count=uses.recent, cold_count=uses.cold
            ),
            hottest=[
                worker_service_pb2.HotContract(contract=name, use_count=count)
                for name, count in manager.snapshots.uses()
            ],
            wanted_count=manager.wanted_count,
            quarantine_count=manager.quarantine_count,
        )
        return response.SerializeToString()

    return handle


def _worker(worker: WorkerProcess) -> worker_service_pb2.Worker:
    return worker_service_pb2.Worker(
        worker_id=worker.worker_id,
        pid=worker.pid,
        state=_STATES[worker.state],
        transaction_count=worker.figures.transaction_count,
        batch_count=worker.batch_count,
        hot_contracts=worker.figures.hot_contracts,
        rss_bytes=worker.figures.rss_bytes,
        heap_bytes=worker.figures.heap_bytes,
        uptime_ms=worker.uptime_ms,
        origin=worker.ready.origin if worker.ready else "",
    )
