"""The keeper of snapshots: nothing that goes wrong with them reaches the pool."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from vm_service.config import VmConfig
from vm_service.manager.snapshots import SnapshotKeeper
from vm_service.worker import channel
from vm_service.worker.snapshot_store import SnapshotStore


@pytest.fixture
def keeper(tmp_path: Path) -> SnapshotKeeper:
    return SnapshotKeeper(VmConfig(cache_dir=tmp_path))


def test_a_snapshot_that_cannot_be_removed_is_not_used_again(
    keeper: SnapshotKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_store: SnapshotStore, _key: str) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(SnapshotStore, "remove", refuse)
    keeper.key = "k"
    keeper.started("k", channel.Ready("build", 1.0, channel.Figures(), "sources", "stale"))
    assert keeper.key == ""


async def test_a_builder_that_cannot_reach_the_state_service_is_started_again(
    keeper: SnapshotKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [channel.EXIT_DETACHED, channel.EXIT_DETACHED, channel.EXIT_DETACHED, 0]
    monkeypatch.setattr(keeper, "_run_builder", lambda _request: (codes.pop(0), b"key", b"no answer"))
    for _ in range(4):
        await keeper.look()
    assert (keeper.key, codes) == ("key", [])


async def test_a_builder_that_fails_is_not_started_for_ever(
    keeper: SnapshotKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds: list[bytes] = []
    monkeypatch.setattr(keeper, "_run_builder", lambda request: builds.append(request) or (1, b"", b"wrong"))
    for name in "abc":
        keeper.count([name])
        await keeper.look()
    assert (keeper.key, len(builds)) == ("", 2)


async def test_a_builder_that_starts_after_the_end_is_ended(
    keeper: SnapshotKeeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 20\n")
    slow.chmod(0o755)
    monkeypatch.setattr("sys.executable", os.fspath(slow))
    keeper.close()
    began = time.monotonic()
    code, _, _ = await asyncio.to_thread(keeper._run_builder, b"")
    assert code < 0
    assert time.monotonic() - began < 10
