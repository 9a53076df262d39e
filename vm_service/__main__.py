"""`python -m vm_service`: settings, workers, server; then serves until it is stopped."""

import asyncio
import sys

import grpc.aio

from chassis import config as configuration
from chassis import health, lifecycle
from chassis.channels import aio_channel
from vm_service import preflight
from vm_service import server as face
from vm_service.config import VmConfig
from vm_service.errors import NoWorkersError
from vm_service.manager import genesis_watch
from vm_service.manager.manager import VMManager
from vm_service.manager.supervisor import WorkerGoneError
from vm_service.metrics import METRICS


class VmService:
    """The process: a manager behind a gRPC server."""

    def __init__(self, config: VmConfig) -> None:
        """Prepares; `start` does the work."""
        self._config = config
        self._manager: VMManager | None = None
        self._background: list[asyncio.Task[None]] = []
        self._state: grpc.aio.Channel | None = None

    async def start(self, server: lifecycle.Server) -> None:
        """Starts the workers, then registers the services: health says SERVING only when workers take work."""

        async def on_serving(serving: bool) -> None:
            server.set_submit("workers", None if serving else NoWorkersError.reason)
            await server.set_serving(serving)

        preflight.check(self._config)
        self._follow_state(server)
        self._manager = VMManager(self._config, failpoints=configuration.failpoints(), on_serving=on_serving)
        try:
            if not await server.until_stopping(self._manager.open()):
                return
        except WorkerGoneError as error:
            raise lifecycle.StartError(f"workers do not start: {error}") from error
        self._background.append(asyncio.create_task(self._drain(server, self._manager), name="drain"))
        server.expose(*face.register(server.grpc, self._manager))

    def _follow_state(self, server: lifecycle.Server) -> None:
        """Lets health name `submit` say what the state service says of commits, and whether there is a genesis."""
        self._state = aio_channel(self._config.state_address, policies=health.POLICIES)
        following = health.follow_submit(
            self._state, "STATE_SERVICE_UNREACHABLE", lambda reason: server.set_submit("state", reason)
        )
        watching = genesis_watch.watch(self._state, lambda reason: server.set_submit("genesis", reason))
        self._background.append(asyncio.create_task(following, name="follow state service"))
        self._background.append(asyncio.create_task(watching, name="watch for genesis"))

    @staticmethod
    async def _drain(server: lifecycle.Server, manager: VMManager) -> None:
        """Refuses what still arrives once the service stops; what was accepted is finished."""
        await server.stopping()
        await manager.drain()

    async def stop(self) -> None:
        """Ends the workers."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._manager is not None:
            await self._manager.close()
        if self._state is not None:
            await self._state.close()


def main() -> int:
    """Runs the VM service; returns its exit code."""
    config = configuration.load(VmConfig, "vm")
    service = VmService(config)
    return lifecycle.run("vm", config, start=service.start, stop=service.stop, metrics=METRICS)


if __name__ == "__main__":
    sys.exit(main())
