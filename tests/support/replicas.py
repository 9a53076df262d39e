"""Several VM services on one state behind one gateway, and loads of concurrent callers on them."""

import asyncio
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio

from chassis.errors import RemoteError
from gateway.client import Account, AsyncClient, Client, KeyPair, TransactionError, action
from gateway.demo import genesis
from gateway.demo.plan import ADMIN
from gateway.demo.processes import Program, Services, programs
from iost.chain.v1.block_pb2 import BlockHeader
from iost.state.v1 import admin_service_pb2, admin_service_pb2_grpc, state_service_pb2, state_service_pb2_grpc
from iost.vm.v1 import worker_service_pb2, worker_service_pb2_grpc
from tests.support.node import free_ports

KEY = KeyPair("ed25519", bytes(range(32)))
"""One key for all accounts: nothing that is measured depends on it."""

SOURCE = """
class Counter {
    init() { storage.put('count', '0'); storage.put('seen', '[-1,-1]'); storage.put('back', '0'); }
    add() {
        const seen = JSON.parse(storage.get('seen'));
        if (block.number < seen[0] || block.time < seen[1]) {
            storage.put('back', new Int64(storage.get('back')).plus(1).toString());
        }
        storage.put('seen', JSON.stringify([block.number, block.time]));
        const count = new Int64(storage.get('count')).plus(1).toString();
        storage.put('count', count);
        return count;
    }
    count() { return storage.get('count'); }
    back() { return storage.get('back'); }
}
module.exports = Counter;
"""
"""Counts its calls, and those whose block number or time lay before that of an earlier call."""

GAS_STOCK = 10**15
RAM_BYTES = 10**9


@dataclass(frozen=True)
class Load:
    """Callers that call without a pause."""

    callers: int
    accounts: int
    contracts: int


SHARED = Load(callers=16, accounts=4, contracts=6)
"""Every batch meets others: each transaction writes the gas of its publisher and the cells of its contract."""

SEPARATE = Load(callers=64, accounts=64, contracts=64)
"""Every caller has an account and a contract of its own."""


@dataclass
class Report:
    """What a load gave."""

    seconds: float
    calls: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    """Calls that were not executed, by reason."""
    failures: list[str] = field(default_factory=list)
    """Messages of transactions that failed."""
    counted: int = 0
    """Calls that the contracts counted."""
    back: int = 0
    """Calls whose block number or time lay before an earlier one."""
    shares: list[float] = field(default_factory=list)
    """Executed transactions of each VM service over the fair share."""
    times_s: list[float] = field(default_factory=list)
    """Seconds that each call took."""

    @property
    def slowest_s(self) -> float:
        """Seconds that the slowest call took."""
        return max(self.times_s, default=0.0)

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    def problems(self, least_share: float = 0.0) -> list[str]:
        """Lists what is wrong with it; `least_share`: of the fair share, executed by each VM service (0: any)."""
        found = [f"{count} calls ended with {reason}" for reason, count in self.refusals.items()]
        found += [f"a transaction failed: {message}" for message in self.failures[:3]]
        if self.counted != self.calls:
            found.append(f"{self.calls} calls were answered, the contracts counted {self.counted}")
        if self.back:
            found.append(f"number or time of {self.back} blocks lay before an earlier one")
        if least_share and min(self.shares) < least_share:
            found.append(f"shares {self.shares} of the fair share, at least {least_share} is wanted")
        return found


class Replicas:
    """The running services.

    Attributes:
        state: the state service.
        vms: the VM services.
        gateways: one in front of all, and one in front of each.
    """

    def __init__(self, folder: Path, count: int, *, vm_flags: Sequence[str], state_flags: Sequence[str]) -> None:
        ports = free_ports(2 * count + 2)
        self.folder = folder
        self.state, vm, gateway = programs(
            folder, gateway_port=ports[0], vm_port=ports[1], state_port=ports[2 * count + 1]
        )
        self.state = dataclasses.replace(self.state, flags=(*self.state.flags, *state_flags))
        self.vms = [
            dataclasses.replace(
                vm,
                name=f"vm{number}",
                port=ports[1 + number],
                flags=(f"--state-address={self.state.address}", f"--cache-dir={folder / f'vm{number}'}", *vm_flags),
            )
            for number in range(count)
        ]
        alone = [
            _in_front(gateway, self.state, [vm], f"gateway{number}", ports[1 + count + number])
            for number, vm in enumerate(self.vms)
        ]
        self.gateways = [_in_front(gateway, self.state, self.vms, "gateway", ports[0]), *alone]
        self.accounts = [Account(f"user_{number:02}", KEY) for number in range(64)]
        self._contracts: dict[Load, Sequence[str]] = {}

    @property
    def programs(self) -> list[Program]:
        """All services in the order of their start."""
        return [self.state, *self.vms, *self.gateways]

    def begin_chain(self) -> None:
        """Commits the first version, with gas and RAM for long loads."""
        text = genesis.document({account.name: account for account in (Account(ADMIN, KEY), *self.accounts)})
        document = json.loads(text)
        for entry in document["accounts"]:
            entry.update(gas=GAS_STOCK, ram=RAM_BYTES)
        file = self.folder / genesis.GENESIS_FILE
        file.write_text(json.dumps(document))
        genesis.apply(file, self.state.address)

    def run(self, load: Load, seconds: float, *, gateways: Sequence[int] = (0,)) -> Report:
        """Runs a load through gateways, by number; its contracts are published and called once before its first run."""
        return asyncio.run(self._run(load, seconds, gateways))

    async def _run(self, load: Load, seconds: float, gateways: Sequence[int]) -> Report:
        clients = [AsyncClient(self.gateways[number].address) for number in gateways]
        try:
            contracts = await self._ready(clients, load)
            before = [await executed(vm.address) for vm in self.vms]
            counted_before = await self._total(clients[0], contracts, "count")
            report, began = Report(seconds), time.monotonic()
            await asyncio.gather(
                *(
                    self._caller(clients, load, contracts, number, began + seconds, report)
                    for number in range(load.callers)
                )
            )
            report.seconds = time.monotonic() - began
            done = [await executed(vm.address) - earlier for vm, earlier in zip(self.vms, before, strict=True)]
            report.shares = [round(one * len(done) / max(1, sum(done)), 2) for one in done]
            report.counted = await self._total(clients[0], contracts, "count") - counted_before
            report.back = await self._total(clients[0], contracts, "back")
            return report
        finally:
            for client in clients:
                await client.close()

    async def _ready(self, clients: list[AsyncClient], load: Load) -> Sequence[str]:
        if load not in self._contracts:
            contracts = self._contracts[load] = await self._publish(clients[0], load)
            await asyncio.gather(*(self._call(clients, load, contracts, number) for number in range(load.callers)))
        return self._contracts[load]

    async def _total(self, client: AsyncClient, contracts: Sequence[str], method: str) -> int:
        return sum([int(json.loads((await client.call(contract, method)).returns)[0]) for contract in contracts])

    async def _publish(self, client: AsyncClient, load: Load) -> Sequence[str]:
        abi = json.loads((await client.compile(SOURCE)).abi_json)
        made = []
        for number in range(load.contracts):
            owner = self.accounts[number % load.accounts]
            made.append((await client.publish(owner, SOURCE + f"// {number}\n", abi)).contract_id)
        return made

    async def _call(self, clients: list[AsyncClient], load: Load, contracts: Sequence[str], number: int) -> None:
        account, contract = self.accounts[number % load.accounts], contracts[number % load.contracts]
        await clients[number % len(clients)].send(account, action(contract, "add"), timeout_s=30)

    async def _caller(
        self,
        clients: list[AsyncClient],
        load: Load,
        contracts: Sequence[str],
        number: int,
        until: float,
        report: Report,
    ) -> None:
        at = number
        while (began := time.monotonic()) < until:
            try:
                await self._call(clients, load, contracts, at)
                report.calls += 1
            except RemoteError as error:
                report.refusals[error.reason] += 1
            except TransactionError as error:
                report.failures.append(str(error))
            report.times_s.append(time.monotonic() - began)
            at += load.callers  # the same account and contract where each caller has its own

    def block_times(self) -> list[tuple[int, int]]:
        """Reads number and time of every block, in version order."""
        with grpc.insecure_channel(self.state.address) as channel:
            stub = state_service_pb2_grpc.StateServiceStub(channel)
            records = stub.StreamChanges(state_service_pb2.StreamChangesRequest(until_head=True))
            headers = [BlockHeader.FromString(record.header) for record in records]
        return [(header.number, header.time_ns) for header in headers]

    def figures(self) -> dict[str, int]:
        """Asks the state service for its figures."""
        with grpc.insecure_channel(self.state.address) as channel:
            stub = admin_service_pb2_grpc.AdminServiceStub(channel)
            return {stat.name: stat.value for stat in stub.GetStats(admin_service_pb2.GetStatsRequest()).stats}


def _in_front(gateway: Program, state: Program, vms: Sequence[Program], name: str, port: int) -> Program:
    addresses = ",".join(vm.address for vm in vms)
    flags = (f"--vm-address={addresses}", f"--state-address={state.address}")
    return dataclasses.replace(gateway, name=name, port=port, flags=flags)


async def executed(address: str) -> int:
    """Asks a VM service how many transactions and calls its present workers have executed."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
        listed = await stub.ListWorkers(worker_service_pb2.ListWorkersRequest())
        return sum(worker.transaction_count for worker in listed.workers)


@contextmanager
def running(
    folder: Path, count: int, *, workers: int = 1, vm_flags: Sequence[str] = (), state_flags: Sequence[str] = ()
) -> Iterator[Replicas]:
    """Runs so many VM services, each with so many workers, on a new chain."""
    counts = (f"--worker-count-min={workers}", f"--worker-count-max={workers}")
    replicas = Replicas(folder, count, vm_flags=(*counts, *vm_flags), state_flags=state_flags)
    with Services(replicas.programs, folder / "logs") as services:
        services.start()
        replicas.begin_chain()
        with Client(replicas.gateways[0].address) as client:
            assert client.head().version == 1
        yield replicas
