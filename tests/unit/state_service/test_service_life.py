"""What the service does when writes stop, and what an operator's call leaves behind when he vanishes."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iost.state.v1 import admin_service_pb2 as pb
from state_service import service as service_module
from state_service.admin import AdminServicer
from state_service.backups import Backups
from state_service.errors import AlreadyExistsError, CorruptionError, StorageFullError
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.service import Service
from state_service.storage import StorageEngine
from tests.support.state_store import QUIET, opened
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(20, method="signal")


class FakeServer:
    """What the service says to the process."""

    def __init__(self) -> None:
        self.serving: list[bool] = []
        self.refusals: list[str | None] = []
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def set_serving(self, serving: bool) -> None:
        self.serving.append(serving)

    def set_submit(self, source: str, reason: str | None) -> None:
        if reason not in self.refusals[-1:]:
            self.refusals.append(reason)

    def request_stop(self, reason: str, *, failed: bool = False) -> None:
        assert failed
        self.stopped.set_result(reason)


async def test_a_store_that_cannot_be_opened_anew_ends_the_process(tmp_path: Path) -> None:
    service = Service(replace(QUIET, data_dir=tmp_path))
    engines: list[StorageEngine] = [MemoryEngine(MemoryDisk())]

    def open_engine() -> StorageEngine:
        if not engines:
            raise CorruptionError("CURRENT", "damaged")
        return engines.pop()

    service._open_engine = open_engine  # type: ignore[method-assign]
    service._server = server = FakeServer()  # type: ignore[assignment]
    await service._open()
    service.store().journal.condemn(StorageFullError("no space left"))
    assert await asyncio.wait_for(server.stopped, 5) == "STATE_CORRUPTED"
    await service.stop()
    assert server.serving == [False]
    assert server.refusals == ["STORAGE_FULL"]


async def test_reads_are_served_while_the_disk_is_full_and_commits_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, disk, free = Service(replace(QUIET, data_dir=tmp_path, min_free_bytes=1)), MemoryDisk(), [1 << 40]
    service._open_engine = lambda: MemoryEngine(disk)  # type: ignore[method-assign]
    service._free_bytes = lambda: free[0]  # type: ignore[method-assign]
    monkeypatch.setattr(service_module, "_SPACE_CHECK_S", 0.01)
    service._server = server = FakeServer()  # type: ignore[assignment]
    await service._open()
    watching = asyncio.create_task(service._watch_acceptance(server))  # type: ignore[arg-type]
    await until(lambda: server.refusals == [None])
    free[0] = 0
    await until(lambda: server.refusals == [None, "STORAGE_FULL"])
    service.store().journal.condemn(StorageFullError("no space left"))
    await asyncio.sleep(0.05)
    assert server.serving == []
    assert service.store().reader.head().version == 0
    free[0] = 1 << 40
    await until(lambda: server.refusals == [None, "STORAGE_FULL", None])
    assert server.serving == [False, True]  # only while the store is opened anew
    watching.cancel()
    await service.stop()


async def test_damage_stops_commits_and_not_reads(tmp_path: Path) -> None:
    service = Service(replace(QUIET, data_dir=tmp_path))
    service._open_engine = lambda: MemoryEngine(MemoryDisk())  # type: ignore[method-assign]
    service._server = server = FakeServer()  # type: ignore[assignment]
    await service._open()
    service.store().journal.condemn(CorruptionError("journal", "damaged"))
    await until(lambda: server.refusals == ["STATE_CORRUPTED"])
    assert server.serving == []
    await service.stop()


async def test_a_checkpoint_is_made_to_its_end_before_another_of_its_name_begins(tmp_path: Path) -> None:
    async with opened() as store:
        admin = AdminServicer(lambda: store, tmp_path, Backups(tmp_path, hold_ms=1000, limit=1))
        real, running, entered, hold = store.engine.checkpoint, [0], asyncio.Event(), asyncio.Event()

        async def slow(folder: Path) -> None:
            running[0] += 1
            assert running[0] == 1
            entered.set()
            await asyncio.shield(asyncio.ensure_future(hold.wait()))
            await real(folder)
            running[0] -= 1

        store.engine.checkpoint = slow  # type: ignore[method-assign]
        request, context = pb.CreateCheckpointRequest(name="a"), Any
        first = asyncio.create_task(admin.CreateCheckpoint(request, context))
        await entered.wait()
        first.cancel()
        again = asyncio.create_task(admin.CreateCheckpoint(request, context))
        await asyncio.sleep(0.05)
        hold.set()
        with pytest.raises(AlreadyExistsError, match="exists"):
            await again
        assert (tmp_path / "a" / "CHECKPOINT.json").exists()
