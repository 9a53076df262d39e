"""The methods of InspectionService that the gateway answers itself; the rest is forwarded (see `forwarding`)."""

import asyncio
from collections import Counter

from chassis.errors import MalformedRequestError
from gateway import balances
from gateway.forwarding import Context
from gateway.routing import VmPool
from gateway.state_names import stored_key, stored_prefix
from gateway.state_reader import StateReader, view_of
from gateway.state_values import to_entry
from iost.gateway.v1 import inspection_service_pb2 as pb

MAX_NAMES = 10_000
"""As the interface says: some 20 ms of the state service."""

LIST_WORKERS = "/iost.vm.v1.WorkerService/ListWorkers"


class Inspection:
    """State, balances and workers."""

    def __init__(self, reader: StateReader, vms: VmPool) -> None:
        """Sets where state is read and which VM services have workers."""
        self._reader = reader
        self._vms = vms

    async def batch_get_state(self, request: pb.BatchGetStateRequest, context: Context) -> pb.BatchGetStateResponse:
        """Reads state by logical names.

        Raises:
            MalformedRequestError: too many names, or one that is none.
        """
        if len(request.names) > MAX_NAMES:
            raise MalformedRequestError(f"more than {MAX_NAMES} names", field="names")
        keys = [stored_key(name) for name in request.names]
        entries, version = await self._reader.get(keys, view_of(request), timeout_s=context.time_remaining())
        return pb.BatchGetStateResponse(entries=map(to_entry, entries), version=version)

    async def list_state(self, request: pb.ListStateRequest, context: Context) -> pb.ListStateResponse:
        """Lists state below a prefix of logical names.

        Raises:
            MalformedRequestError: it is no prefix of logical names, or the page size is negative.
        """
        if request.page_size < 0:
            raise MalformedRequestError("page_size is negative", field="page_size")
        page = await self._reader.scan(
            stored_prefix(request.prefix),
            view_of(request),
            page_size=request.page_size,
            page_token=request.page_token,
            timeout_s=context.time_remaining(),
        )
        return pb.ListStateResponse(
            entries=map(to_entry, page.entries), next_page_token=page.next_page_token, version=page.version
        )

    async def batch_get_balances(
        self, request: pb.BatchGetBalancesRequest, context: Context
    ) -> pb.BatchGetBalancesResponse:
        """Reads balances."""
        return await balances.read(self._reader, request, context.time_remaining())

    async def list_workers(self, request: pb.ListWorkersRequest, context: Context) -> pb.ListWorkersResponse:
        """Lists the workers of all VM services that serve, with the counts of all of them together."""
        raw, timeout_s = request.SerializeToString(), context.time_remaining()
        answers = await asyncio.gather(*(vm.call(LIST_WORKERS, raw, timeout_s) for vm in self._vms.all()))
        total = pb.ListWorkersResponse()
        uses: Counter[str] = Counter()
        for answer in map(pb.ListWorkersResponse.FromString, answers):
            total.workers.extend(answer.workers)
            total.restart_count += answer.restart_count
            total.queue_count += answer.queue_count
            total.wanted_count += answer.wanted_count
            total.quarantine_count += answer.quarantine_count
            total.uses.pinned_count += answer.uses.pinned_count
            total.uses.recent_count += answer.uses.recent_count
            total.uses.cold_count += answer.uses.cold_count
            uses.update({item.contract: item.use_count for item in answer.hottest})
            total.build_id = answer.build_id
            total.gas_schedule_version = answer.gas_schedule_version
        total.hottest.extend(pb.HotContract(contract=name, use_count=count) for name, count in uses.most_common())
        return total
