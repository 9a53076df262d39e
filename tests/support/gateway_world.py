"""A gateway between fakes of the services behind it, all in one process."""

from dataclasses import dataclass, field

from chassis.lifecycle import Server
from gateway.client import AsyncClient
from gateway.config import GatewayConfig
from gateway.errors import DrainingError
from gateway.server import Gateway
from tests.support.fake_services import FakeServer, FakeState, FakeVm


@dataclass
class World:
    """The gateway's address, a client of it, and what is behind it."""

    config: GatewayConfig = field(default_factory=GatewayConfig)
    vm: FakeVm = field(default_factory=FakeVm)
    state: FakeState = field(default_factory=FakeState)

    async def start(self) -> None:
        self.vm_server, self.state_server = FakeServer(self.vm), FakeServer(self.state)
        await self.vm_server.start()
        await self.state_server.start()
        await self.start_gateway(port=0)
        self.client = AsyncClient(self.address)

    async def start_gateway(self, port: int) -> None:
        settings = GatewayConfig(
            port=port,
            vm_address=self.vm_server.address,
            state_address=self.state_server.address,
            peer_loss_ms=self.config.peer_loss_ms,
            resolve_ms=self.config.resolve_ms,
            in_flight_count=self.config.in_flight_count,
            stream_count=self.config.stream_count,
            gather_in_flight=self.config.gather_in_flight,
        )
        self.server = Server(settings, draining=DrainingError)
        self.gateway = Gateway(settings)
        await self.gateway.start(self.server)
        await self.server.listen()
        self.address = f"127.0.0.1:{self.server.port}"

    async def stop_gateway(self) -> None:
        await self.server.grpc.stop(0)
        await self.gateway.stop()

    async def stop(self) -> None:
        await self.client.close()
        await self.stop_gateway()
        await self.vm_server.stop()
        await self.state_server.stop()
