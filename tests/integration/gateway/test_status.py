"""InspectionService.GetStatus: services that are away, refuse or differ are rows, never errors."""

from iost.gateway.v1 import inspection_service_pb2 as pb
from tests.support.gateway_world import World
from tests.support.waiting import until


def kinds(answer: pb.GetStatusResponse) -> list[str]:
    return [pb.ServiceKind.Name(service.kind).removeprefix("SERVICE_KIND_") for service in answer.services]


async def test_every_service_is_asked(world: World) -> None:
    world.state.time_ns = 1234
    answer = await world.client.status()
    assert kinds(answer) == ["GATEWAY", "VM", "STATE"]
    gateway, vm, state = answer.services
    assert gateway.address == world.address
    assert (vm.address, state.address) == (world.vm_server.address, world.state_server.address)
    assert all(service.serving and not service.error and not service.refusal for service in answer.services)
    assert len({service.software_version for service in answer.services}) == 1
    assert (state.head.version, state.head.time_ns) == (3, 1234)
    assert (vm.pool.restart_count, vm.gas_schedule_version) == (2, 7)
    assert answer.time_ns > 0


async def test_a_service_that_is_away_is_named_and_what_others_know_is_told(world: World) -> None:
    await world.vm_server.stop()
    _, vm, state = (await world.client.status(timeout_s=5)).services
    assert (vm.address, vm.error, vm.serving) == (world.vm_server.address, "UNAVAILABLE", False)
    assert state.head.version == 3
    await world.vm_server.start()

    async def vm_answers() -> bool:
        return (await world.client.status(timeout_s=5)).services[1].serving

    await until(vm_answers)
    await world.state_server.stop()
    _, vm, state = (await world.client.status(timeout_s=5)).services
    assert (state.error, state.HasField("head")) == ("UNAVAILABLE", False)
    assert vm.serving


async def test_reasons_for_refusing_are_passed_on(world: World) -> None:
    world.state_server.health.set_submit("STORAGE_FULL")
    state = (await world.client.status()).services[-1]
    assert (state.serving, state.refusal) == (True, "STORAGE_FULL")
