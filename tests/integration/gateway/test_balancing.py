"""Several VM services behind one name: affinity by contract, services that come, go and die."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway import routing
from gateway.client import action, build
from gateway.config import GatewayConfig
from tests.support.fake_services import FakeServer, FakeVm
from tests.support.gateway_world import World
from tests.support.waiting import until

CONTRACTS = [f"Contract{number}" for number in range(40)]


@dataclass
class Fleet:
    world: World
    servers: list[FakeServer]
    addresses: set[str]

    async def call_all(self, rounds: int = 1) -> dict[str, set[int]]:
        """Calls every contract; tells which services each one met."""
        met: dict[str, set[int]] = {contract: set() for contract in CONTRACTS}
        for _ in range(rounds):
            for contract in CONTRACTS:
                before = [len(server.fake.batches) for server in self.servers]
                await self.world.client.execute([build("alice", [action(contract, "m")])])
                after = [len(server.fake.batches) for server in self.servers]
                met[contract].add(next(i for i, (b, a) in enumerate(zip(before, after, strict=True)) if a > b))
        return met


@pytest.fixture
async def fleet(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    servers = [FakeServer(FakeVm()) for _ in range(3)]
    for server in servers:
        await server.start()
    addresses = {server.address for server in servers}

    async def resolve(host: str, port: str) -> set[str]:
        if not addresses:
            raise OSError("the name server is away")
        return set(addresses)

    monkeypatch.setattr(routing, "resolve", resolve)
    world = World(GatewayConfig(resolve_ms=100))
    await world.start()
    yield Fleet(world, servers, addresses)
    async with asyncio.timeout(10):
        await world.stop()
        for server in servers:
            await server.stop()


def known(fleet: Fleet) -> set[str]:
    return {endpoint.address for endpoint in fleet.world.gateway._vms.all()}


async def test_a_contract_meets_the_same_service_every_time(fleet: Fleet) -> None:
    met = await fleet.call_all(rounds=3)
    assert all(len(services) == 1 for services in met.values())
    assert {next(iter(services)) for services in met.values()} == {0, 1, 2}


async def test_a_dead_service_is_passed_over_and_taken_back(fleet: Fleet) -> None:
    before = await fleet.call_all()
    await fleet.servers[0].stop()
    await until(lambda: fleet.servers[0].address not in known(fleet))
    without = await fleet.call_all()
    assert all(services <= {1, 2} for services in without.values())
    assert all(without[contract] == services for contract, services in before.items() if 0 not in services)
    await fleet.servers[0].start()
    await until(lambda: fleet.servers[0].address in known(fleet))
    assert await fleet.call_all() == before


async def test_services_come_and_go_with_the_name(fleet: Fleet) -> None:
    gone = fleet.servers[2].address
    fleet.addresses.discard(gone)
    await until(lambda: gone not in known(fleet))
    assert all(services <= {0, 1} for services in (await fleet.call_all()).values())
    fleet.addresses.add(gone)
    await until(lambda: gone in known(fleet))
    assert {2} in (await fleet.call_all()).values()


async def test_a_name_server_that_is_away_changes_nothing(fleet: Fleet) -> None:
    before = known(fleet)
    fleet.addresses.clear()
    await asyncio.sleep(0.4)
    assert known(fleet) == before
    await fleet.call_all()


async def test_a_popular_contract_spreads_under_load(fleet: Fleet) -> None:
    for server in fleet.servers:
        server.fake.delay_s = 0.05
    batch = [build("alice", [action("Popular", "m")]), build("alice", [action("Popular", "m")])]
    await asyncio.gather(*(fleet.world.client.execute(batch) for _ in range(60)))
    counts = [len(server.fake.batches) for server in fleet.servers]
    assert sum(counts) == 60
    assert max(counts) <= 30


async def test_workers_of_all_services_are_listed(fleet: Fleet) -> None:
    answer = await fleet.world.client.workers()
    assert len(answer.workers) == 3
    assert answer.restart_count == 6


async def test_several_names_are_balanced_over_together() -> None:
    servers = [FakeServer(FakeVm()) for _ in range(2)]
    made: list[str] = []

    def make(address: str) -> routing.VmEndpoint:
        made.append(address)
        return routing.VmEndpoint(address, 1 << 20, gather_count=1, gather_in_flight=1)

    for server in servers:
        await server.start()
    pool = routing.VmPool(", ".join(server.address for server in servers), make, 60_000)
    await pool.start()
    try:
        assert sorted(made) == sorted(server.address for server in servers)
        chosen = {pool.pick(lambda contract=contract: contract.encode()).address for contract in CONTRACTS}
        assert chosen == set(made)
    finally:
        await pool.close()
        for server in servers:
            await server.stop()
