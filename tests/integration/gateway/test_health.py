"""What the gateway's health says of the services behind it."""

from chassis.channels import aio_channel
from chassis.health import submit_reason
from tests.support.gateway_world import World
from tests.support.waiting import until


async def test_submit_follows_the_vm_service_and_reads_go_on(world: World) -> None:
    async with aio_channel(world.address) as channel:

        async def reason() -> str | None:
            return await submit_reason(channel)

        await until(lambda: world.server.submit_reason is None)
        world.vm_server.health.set_submit("NO_GENESIS")
        await until(lambda: world.server.submit_reason == "NO_GENESIS")
        assert await reason() == "NO_GENESIS"
        assert (await world.client.head()).version == 3
        world.vm_server.health.set_submit("")
        await until(lambda: world.server.submit_reason is None)
        assert await reason() is None


async def test_a_vm_service_that_is_gone_accepts_nothing(world: World) -> None:
    await world.vm_server.stop()
    await until(lambda: world.server.submit_reason == "VM_SERVICE_UNREACHABLE")
    await world.vm_server.start()
    await until(lambda: world.server.submit_reason is None)
