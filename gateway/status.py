"""How the node is doing: the gateway asks every service behind it, at the same time and not for long.

A service that does not answer is a row with an error, beside what the others tell.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Final

import grpc.aio

from chassis import health
from chassis.lifecycle import Server
from gateway.errors import NoEndpointError
from gateway.forwarding import Context
from gateway.inspection import LIST_WORKERS
from gateway.peers import Peer
from gateway.routing import VmPool
from iost.gateway.v1 import inspection_service_pb2 as pb

ASK_S: Final = 1.0
"""Seconds for one service to answer: a hundred times what a healthy service on a busy machine takes."""

READY: Final = (pb.WORKER_STATE_IDLE, pb.WORKER_STATE_BUSY)
_GET_HEAD: Final = "/iost.state.v1.InspectionService/GetHead"


class NodeStatus:
    """Answers InspectionService.GetStatus."""

    def __init__(self, server: Server, vms: VmPool, state: Peer) -> None:
        """Takes this process and the services behind it."""
        self._server = server
        self._vms = vms
        self._state = state

    async def get(self, _request: pb.GetStatusRequest, _context: Context) -> pb.GetStatusResponse:
        """Asks all services."""
        rows = await asyncio.gather(*(_vm(vm) for vm in self._vms.known()), _state(self._state))
        if len(rows) == 1:
            rows.insert(0, pb.ServiceStatus(kind=pb.SERVICE_KIND_VM, error=NoEndpointError.reason))
        return pb.GetStatusResponse(time_ns=time.time_ns(), services=[self._own(), *rows])

    def _own(self) -> pb.ServiceStatus:
        return pb.ServiceStatus(
            kind=pb.SERVICE_KIND_GATEWAY,
            address=self._server.address,
            serving=self._server.serving,
            refusal=self._server.submit_reason or "",
            software_version=health.SOFTWARE_VERSION,
        )


async def _vm(peer: Peer) -> pb.ServiceStatus:
    row = pb.ServiceStatus(kind=pb.SERVICE_KIND_VM, address=peer.address)

    async def pool() -> None:
        raw = await peer.call(LIST_WORKERS, pb.ListWorkersRequest().SerializeToString(), ASK_S)
        answer = pb.ListWorkersResponse.FromString(raw)
        row.build_id = answer.build_id
        row.gas_schedule_version = answer.gas_schedule_version
        row.pool.ready_count = sum(worker.state in READY for worker in answer.workers)
        row.pool.wanted_count = answer.wanted_count
        row.pool.queue_count = answer.queue_count
        row.pool.restart_count = answer.restart_count
        row.pool.quarantine_count = answer.quarantine_count

    await _fill(row, _health(peer, row), pool())
    return row


async def _state(peer: Peer) -> pb.ServiceStatus:
    row = pb.ServiceStatus(kind=pb.SERVICE_KIND_STATE, address=peer.address)

    async def head() -> None:
        raw = await peer.call(_GET_HEAD, pb.GetHeadRequest().SerializeToString(), ASK_S)
        answer = pb.GetHeadResponse.FromString(raw)
        row.head.version = answer.version
        row.head.final_version = answer.final_version
        row.head.oldest_version = answer.oldest_version
        row.head.commitment = answer.commitment
        row.head.time_ns = answer.time_ns

    await _fill(row, _health(peer, row), head())
    return row


async def _health(peer: Peer, row: pb.ServiceStatus) -> None:
    answer = await health.ask(peer.channel, ASK_S)
    row.serving = answer.serving
    row.refusal = answer.refusal or ""
    row.software_version = answer.software_version


async def _fill(row: pb.ServiceStatus, *parts: Awaitable[None]) -> None:
    """Does all parts; a part that fails leaves the rest of the row as it is."""
    for failure in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(failure, grpc.aio.AioRpcError):
            row.error = row.error or failure.code().name
        elif isinstance(failure, BaseException):
            raise failure
