"""`v8vm backup` of a store that serves: under load, interrupted, resumed, restored and verified."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chassis.channels import sync_channel
from gateway.cli.backup import Copy
from gateway.cli.failures import CommandError
from iost.state.v1 import admin_service_pb2 as admin
from iost.state.v1 import state_service_pb2 as pb
from iost.state.v1.admin_service_pb2_grpc import AdminServiceStub
from iost.state.v1.state_service_pb2_grpc import StateServiceStub
from tests.support.state_process import StateProcess, running

VALUE_BYTES = 20_000


def v8vm(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gateway.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Load:
    """Commits values that do not compress, one after the other, and remembers what was acknowledged."""

    def __init__(self, address: str) -> None:
        self.values: dict[int, bytes] = {}
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with sync_channel(self._address) as channel:
            stub = StateServiceStub(channel)
            while not self._stop.wait(0.01):
                self.commit(stub)

    def commit(self, stub: Any) -> None:
        number, value = len(self.values), os.urandom(VALUE_BYTES)
        write = pb.Write(key=b"k%d" % number, value=value)
        version = stub.Commit(pb.CommitRequest(commit_id=b"c%d" % number, writes=[write])).version
        self.values[version] = value

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class Cut:
    """A stub whose streams break after some messages, as a lost connection would, and then for good."""

    def __init__(self, stub: Any, messages: int) -> None:
        self._stub = stub
        self._left = messages

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stub, name)

    def ReadBackupFile(self, request: Any) -> Iterator[Any]:
        for part in self._stub.ReadBackupFile(request):
            if not self._left:
                raise KeyboardInterrupt
            self._left -= 1
            yield part


@contextmanager
def served(tmp_path: Path, **options: object) -> Iterator[StateProcess]:
    flags = {"checkpoint_dir": tmp_path / "checkpoints", "retained_versions": 8, "flush_age_ms": 50, **options}
    with running(tmp_path / "data", **flags) as process:
        yield process


def open_backups(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "checkpoints" / ".backups").iterdir())


def interrupt(address: str, partial: Path, messages: int) -> None:
    """Begins a copy and breaks it off."""
    with sync_channel(address) as channel, pytest.raises(KeyboardInterrupt):
        Copy(Cut(AdminServiceStub(channel), messages), partial).run(partial.with_suffix(""))


def test_a_backup_under_load_goes_on_after_interruptions_and_a_restart_and_is_restored(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    with served(tmp_path) as process:
        with Load(process.address) as load:
            while len(load.values) < 100:
                threading.Event().wait(0.05)
            interrupt(process.address, tmp_path / "backup.partial", 3)
            interrupt(process.address, tmp_path / "backup.partial", 2)
            copied = sum(path.stat().st_size for path in (tmp_path / "backup.partial").rglob("*") if path.is_file())
            assert len(open_backups(tmp_path)) == 1
        process.stop()
    with served(tmp_path) as process, Load(process.address):
        done = v8vm("backup", folder, "--state-address", process.address, "--json")
        assert done.returncode == 0, done.stderr
        locked = v8vm("store", "checkpoint", "now", "--data-dir", tmp_path / "data")
        assert "v8vm backup FOLDER" in locked.stderr
    facts = json.loads(done.stdout)
    assert 0 < facts["fetched_bytes"] <= facts["bytes"] - copied + 1000  # the note about the copy is counted above
    assert open_backups(tmp_path) == []
    assert not (tmp_path / "backup.partial").exists()
    sums = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=False)
    assert sums.returncode == 0
    restored = v8vm("store", "restore", folder, "--data-dir", tmp_path / "restored", "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["labelled_version"] == facts["version"] >= 100
    with running(tmp_path / "restored") as process, sync_channel(process.address) as channel:
        keys = [b"k%d" % number for number in range(facts["version"])]
        for version, key in enumerate(keys, start=1):
            (entry,) = StateServiceStub(channel).BatchGet(pb.BatchGetRequest(keys=[key])).entries
            assert (entry.version, entry.value) == (version, load.values[version])


def test_an_expired_backup_is_replaced_and_what_was_copied_is_kept(tmp_path: Path) -> None:
    with served(tmp_path) as process, sync_channel(process.address) as channel:
        load = Load(process.address)
        for _ in range(100):
            load.commit(StateServiceStub(channel))
        interrupt(process.address, tmp_path / "backup.partial", 4)
        (abandoned,) = open_backups(tmp_path)
        kept = [path.name for path in (tmp_path / "backup.partial").rglob("*.sst")]
        for path in sorted(abandoned.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        abandoned.rmdir()
        facts = Copy(AdminServiceStub(channel), tmp_path / "backup.partial").run(tmp_path / "backup")
        assert facts["fetched_bytes"] < facts["bytes"] or not kept
        again = v8vm("backup", tmp_path / "backup", "--state-address", process.address)
        assert (again.returncode, "exists already" in again.stderr) == (6, True)


def test_a_damaged_copy_is_fetched_anew_and_a_damaged_backup_is_not_restored(tmp_path: Path) -> None:
    with served(tmp_path) as process, sync_channel(process.address) as channel:
        load = Load(process.address)
        load.commit(StateServiceStub(channel))
        interrupt(process.address, tmp_path / "backup.partial", 2)
        for path in (tmp_path / "backup.partial").rglob("*"):
            if path.is_file() and path.name != "BACKUP.json":
                path.write_bytes(b"\0" * path.stat().st_size)
        Copy(AdminServiceStub(channel), tmp_path / "backup.partial").run(tmp_path / "backup")
    largest = max((tmp_path / "backup" / "db").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1] + b"\xa5")
    restored = v8vm("store", "restore", tmp_path / "backup", "--data-dir", tmp_path / "restored")
    assert restored.returncode == 1
    assert f"db/{largest.name}" in restored.stderr
    assert not (tmp_path / "restored").exists()


def test_a_service_that_is_away_is_named(tmp_path: Path) -> None:
    done = v8vm("backup", tmp_path / "backup", "--state-address", "127.0.0.1:1")
    assert done.returncode == 7
    assert "127.0.0.1:1" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_service_cannot_write_outside_the_folder(tmp_path: Path) -> None:
    class Evil:
        def OpenBackup(self, request: Any) -> Any:
            return admin.OpenBackupResponse(backup_id="b", files=[admin.BackupFile(path="../x", size_bytes=0)])

    with pytest.raises(CommandError, match="outside"):
        Copy(Evil(), tmp_path / "backup.partial").run(tmp_path / "backup")
    assert not (tmp_path / "x").exists()
