"""`python -m vm_service`: settings, workers, server; then serves until it is stopped."""

import asyncio
import sys

from chassis import config as configuration
from chassis import lifecycle
from vm_service import server as face
from vm_service.config import VmConfig
from vm_service.manager.manager import VMManager
from vm_service.manager.supervisor import WorkerGoneError
from vm_service.metrics import METRICS


class VmService:
    """The process: a manager behind a gRPC server."""

    def __init__(self, config: VmConfig) -> None:
        """Prepares; `start` does the work."""
        self._config = config
        self._manager: VMManager | None = None
        self._draining: asyncio.Task[None] | None = None

    async def start(self, server: lifecycle.Server) -> None:
        """Starts the workers, then registers the services: health says SERVING only when workers take work."""
        self._manager = VMManager(self._config, failpoints=configuration.failpoints(), on_serving=server.set_serving)
        try:
            if not await server.until_stopping(self._manager.open()):
                return
        except WorkerGoneError as error:
            raise lifecycle.StartError(f"workers do not start: {error}") from error
        self._draining = asyncio.get_running_loop().create_task(self._drain(server, self._manager))
        server.expose(*face.register(server.grpc, self._manager, lambda: server.stop_requested))

    @staticmethod
    async def _drain(server: lifecycle.Server, manager: VMManager) -> None:
        """Refuses what still arrives once the service stops; what was accepted is finished."""
        await server.stopping()
        await manager.drain()

    async def stop(self) -> None:
        """Ends the workers."""
        if self._draining is not None:
            self._draining.cancel()
        if self._manager is not None:
            await self._manager.close()


def main() -> int:
    """Runs the VM service; returns its exit code."""
    config = configuration.load(VmConfig, "vm")
    service = VmService(config)
    return lifecycle.run("vm", config, start=service.start, stop=service.stop, metrics=METRICS)


if __name__ == "__main__":
    sys.exit(main())
