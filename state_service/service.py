"""One running state service: the open store, its life, and what happens when writing fails.

start            open the engine and the store; health SERVING
writes stop      health name `submit` NOT_SERVING, reads go on. What follows depends on the reason:
disk full    waited out; once there is space again, the store is opened anew (health NOT_SERVING meanwhile):
             what the disk says is true
damage       stays as it is, so that an operator can look; a restart would not mend it
other        the process ends with exit code 1: a restart reads from disk what became of the write
stop             finish what was accepted, close
"""

import asyncio
import logging
import shutil
import time

from chassis.lifecycle import Server, StartError
from iost.state.v1 import admin_service_pb2_grpc, inspection_service_pb2_grpc, state_service_pb2_grpc
from state_service.acceptance import Acceptance
from state_service.admin import AdminServicer
from state_service.backups import Backups
from state_service.config import StateConfig
from state_service.errors import (
    CorruptionError,
    StateError,
    StorageFailedError,
    StorageFullError,
    WritesStoppedError,
)
from state_service.inspection import InspectionServicer
from state_service.metrics import show
from state_service.rocks import RocksEngine
from state_service.server import StateServicer
from state_service.storage import StorageEngine
from state_service.store import Store, open_store

_SPACE_CHECK_S = 0.5
"""How often a full disk is looked at: well below the five seconds in which service should resume."""

_REOPEN_BYTES = 4 << 20
"""Free space before a store is opened anew: recovery writes the tail of the log into table files."""

_SWEEP_S = 30.0
"""How often abandoned backups are looked for: small beside the time that one is kept."""

SERVICES = ("iost.state.v1.StateService", "iost.state.v1.InspectionService", "iost.state.v1.AdminService")

log = logging.getLogger(__name__)


class Service:
    """The state service of this process."""

    def __init__(self, config: StateConfig) -> None:
        self._config = config
        self._store: Store | None = None
        self._server: Server | None = None
        self._failure: StateError | None = None
        self._recovering: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._acceptance = Acceptance(config)

    def store(self) -> Store:
        """Returns the open store.

        Raises:
            WritesStoppedError: it is being opened anew.
        """
        if self._store is None:
            raise WritesStoppedError(self._failure.reason if self._failure else "STARTING")
        return self._store

    async def start(self, server: Server) -> None:
        """Opens the store and registers the servicers.

        Raises:
            StartError: the store cannot be opened; the message says why.
        """
        self._server = server
        try:
            await self._open()
        except StateError as error:
            log.error("store_not_opened", extra={"reason": error.reason, "cause": getattr(error, "cause", "")})
            raise StartError(f"{error.reason}: {error.message}") from error
        state_service_pb2_grpc.add_StateServiceServicer_to_server(StateServicer(self.store), server.grpc)
        inspection_service_pb2_grpc.add_InspectionServiceServicer_to_server(InspectionServicer(self.store), server.grpc)
        backups = Backups(
            self._config.checkpoint_dir, hold_ms=self._config.backup_hold_ms, limit=self._config.backup_count
        )
        admin = AdminServicer(self.store, self._config.checkpoint_dir, backups)
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(admin, server.grpc)
        server.expose(*SERVICES)
        self._tasks = [
            asyncio.create_task(self._watch_acceptance(server), name="state-watch-acceptance"),
            asyncio.create_task(_sweep(backups), name="state-sweep-backups"),
        ]

    async def _watch_acceptance(self, server: Server) -> None:
        """Keeps health name `submit` up to date, also while no commit comes."""
        while True:
            self._show_acceptance(server)
            await asyncio.sleep(_SPACE_CHECK_S)

    def _show_acceptance(self, server: Server) -> None:
        server.set_submit("store", self._acceptance.refusal(self._store, self._free_bytes(), time.monotonic()))

    async def _open(self) -> None:
        self._store = await open_store(self._config, self._open_engine(), self._on_failure)
        show(self._store)

    async def stop(self) -> None:
        """Closes the store."""
        tasks = self._tasks if self._recovering is None else [*self._tasks, self._recovering]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._store is not None:
            await self._store.close()

    def _open_engine(self) -> StorageEngine:
        config = self._config
        return RocksEngine(
            config.data_dir,
            block_cache_bytes=config.block_cache_bytes,
            min_free_bytes=config.min_free_bytes,
            sync_writes=config.sync_writes,
        )

    def _on_failure(self, failure: StateError) -> None:
        """Writes have stopped: called once for each open store."""
        self._failure = failure
        self._recovering = asyncio.create_task(self._recover(failure), name="state-recover")

    async def _recover(self, failure: StateError) -> None:
        try:
            await self._follow_up(failure)
        except Exception as error:
            log.exception("store_not_recovered", extra={"after": failure.reason})
            assert self._server is not None, "the store is opened by start"
            self._server.request_stop(getattr(error, "reason", "INTERNAL_BUG"), failed=True)

    async def _follow_up(self, failure: StateError) -> None:
        assert self._server is not None, "the store is opened by start"
        self._show_acceptance(self._server)
        if not isinstance(failure, StorageFullError):
            if not isinstance(failure, CorruptionError):
                self._server.request_stop(failure.reason, failed=True)
            return
        while self._free_bytes() < max(self._config.min_free_bytes, _REOPEN_BYTES):  # noqa: ASYNC110 - a disk has no event
            await asyncio.sleep(_SPACE_CHECK_S)
        await self._server.set_serving(False)
        store, self._store = self._store, None
        show(None)
        assert store is not None, "writes stop only in an open store"
        await store.close()
        while not await self._reopened():  # noqa: ASYNC110 - the same
            await asyncio.sleep(_SPACE_CHECK_S)
        await self._server.set_serving(True)
        self._show_acceptance(self._server)
        log.info("store_reopened", extra={"after": failure.reason})

    async def _reopened(self) -> bool:
        """Tries to open the store; False when it cannot be opened yet."""
        try:
            await self._open()
        except (StorageFullError, StorageFailedError) as error:
            log.warning("store_not_reopened", extra={"reason": error.reason, "cause": error.cause})
            return False
        return True

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._config.data_dir).free


async def _sweep(backups: Backups) -> None:
    """Removes abandoned backups, also those that an earlier process left."""
    while True:
        try:
            await backups.sweep()
        except OSError as error:
            log.warning("backups_not_swept", extra={"reason": str(error)})
        await asyncio.sleep(_SWEEP_S)
