"""`v8vm backup FOLDER`: copies the store of a running node to this machine, file by file.

The copy grows in FOLDER.partial and is renamed when every file has the checksum that the state service told. The same
command again goes on with an interrupted copy: with the same backup while the service holds it, else with a new one,
of which only files that differ are fetched.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, TypeVar

import grpc
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from chassis.channels import CallPolicy, sync_channel
from chassis.errors import from_rpc_error
from gateway.cli.exit_codes import ExitCode
from gateway.cli.failures import CommandError, InputError
from gateway.cli.options import Json
from gateway.cli.output import print_fields, print_json
from iost.state.v1 import admin_service_pb2 as pb
from iost.state.v1.admin_service_pb2_grpc import AdminServiceStub

T = TypeVar("T")

SUMS: Final = "SHA256SUMS"
"""File of the finished copy with the checksums of all others; `sha256sum -c` and `v8vm store restore` read it."""

_NOTE: Final = "BACKUP.json"
"""File of an unfinished copy that names the backup it belongs to."""

_ATTEMPTS: Final = 30
"""Times that a call is repeated while the service is away, a second apart: longer than it takes to restart."""

_POLICIES: Final = (
    # Making a checkpoint may wait for a large memtable to be written.
    CallPolicy(timeout_ms=120_000),
    CallPolicy(service="iost.state.v1.AdminService", method="ReadBackupFile", timeout_ms=0, attempts=1),
)


class ChecksumError(CommandError):
    """A copied file differs from the one that the service read."""

    reason = "CHECKSUM_MISMATCH"
    exit_code = ExitCode.CHECK_FAILED


class FolderExistsError(CommandError):
    """The folder of the backup exists already."""

    reason = "FOLDER_EXISTS"
    exit_code = ExitCode.CONFLICT


def backup(
    folder: Annotated[Path, typer.Argument(help="New folder for the copy; `v8vm store restore FOLDER` takes it.")],
    state_address: Annotated[
        str, typer.Option(help="State service to copy from, host:port.", metavar="HOST:PORT")
    ] = "127.0.0.1:7003",
    as_json: Json = False,
) -> None:
    """Copies the store of a running node to this machine; again after an interruption goes on."""
    if folder.exists():
        raise FolderExistsError(f"{folder} exists already; name a new folder")
    with sync_channel(state_address, policies=_POLICIES) as channel:
        copy = Copy(AdminServiceStub(channel), folder.with_name(f"{folder.name}.partial"))
        try:
            facts = copy.run(folder)
        except grpc.RpcError as error:
            known = from_rpc_error(error)
            known.add_note(f"state service at {state_address}; the same command goes on with the copy")
            raise known from error
    if as_json:
        print_json({**facts, "folder": str(folder)})
    else:
        print_fields(facts.items())


class Copy:
    """One copy, until it is whole. Memory holds one message at a time."""

    def __init__(self, stub: Any, partial: Path) -> None:  # noqa: ANN401 - a generated stub
        """Takes the service, and the folder in which the copy grows."""
        self._stub = stub
        self._partial = partial
        self._fetched = 0

    def run(self, folder: Path) -> dict[str, object]:
        """Copies everything and renames the folder; returns what the copy holds.

        Raises:
            grpc.RpcError: the service cannot be reached, or refuses.
            ChecksumError: a file stays different.
            InputError: the folder cannot be written.
        """
        try:
            self._partial.mkdir(parents=True, exist_ok=True)
            opened = self._open()
            self._remove_others(opened)
            sums = self._fetch_all(opened)
            (self._partial / _NOTE).unlink()
            (self._partial / SUMS).write_text("".join(f"{digest}  {path}\n" for path, digest in sums.items()))
            _sync(self._partial)
            self._partial.rename(folder)
            _sync_one(folder.absolute().parent)
        except OSError as error:
            raise InputError(f"{error.filename or self._partial}: {error.strerror}") from error
        _patiently(lambda: self._stub.CloseBackup(pb.CloseBackupRequest(backup_id=opened.backup_id)))
        size = sum(file.size_bytes for file in opened.files)
        return {
            "version": opened.version,
            "commitment": opened.commitment.hex(),
            "files": len(opened.files),
            "bytes": size,
            "fetched_bytes": self._fetched,
        }

    def _open(self) -> pb.OpenBackupResponse:
        """Goes on with the backup that the folder names, or opens a new one and notes it."""
        note = self._partial / _NOTE
        if note.exists():
            try:
                return self._ask_open(str(json.loads(note.read_text())["backup_id"]))
            except (ValueError, KeyError, TypeError):
                pass  # the note was cut short: as if there were none
            except grpc.RpcError as error:
                if from_rpc_error(error).reason != "BACKUP_NOT_FOUND":
                    raise
        opened = self._ask_open("")
        note.write_text(json.dumps({"backup_id": opened.backup_id, "version": opened.version}) + "\n")
        return opened

    def _ask_open(self, backup_id: str) -> pb.OpenBackupResponse:
        request = pb.OpenBackupRequest(backup_id=backup_id)
        # A new backup is asked for once: a repeated request would open a second one.
        answer: pb.OpenBackupResponse = (
            _patiently(lambda: self._stub.OpenBackup(request)) if backup_id else self._stub.OpenBackup(request)
        )
        return answer

    def _remove_others(self, opened: pb.OpenBackupResponse) -> None:
        """Removes files of an earlier backup that this one does not have."""
        wanted = {file.path for file in opened.files} | {_NOTE}
        for path in [path for path in self._partial.rglob("*") if path.is_file()]:
            if str(path.relative_to(self._partial)) not in wanted:
                path.unlink()

    def _fetch_all(self, opened: pb.OpenBackupResponse) -> dict[str, str]:
        sums = {}
        with _progress(sum(file.size_bytes for file in opened.files)) as advance:
            for file in opened.files:
                sums[file.path] = self._fetch(opened.backup_id, file, advance)
        return sums

    def _fetch(self, backup_id: str, file: pb.BackupFile, advance: Callable[[int], None]) -> str:
        """Fetches what is missing of one file; returns its checksum. A file that differs is fetched whole, once."""
        target = self._partial / _checked(file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.stat().st_size > file.size_bytes:
            target.unlink()
        had = target.stat().st_size if target.exists() else 0
        advance(had)
        told = self._append(backup_id, file.path, target, advance)
        if _sha256(target) != told:
            if not had:
                raise ChecksumError(f"{file.path} differs from the file that the state service read")
            target.unlink()
            advance(-file.size_bytes)
            return self._fetch(backup_id, file, advance)
        return told.hex()

    def _append(self, backup_id: str, path: str, target: Path, advance: Callable[[int], None]) -> bytes:
        """Appends to a local file what the service has beyond it, across lost connections; returns the checksum."""

        def attempt() -> bytes:
            sha256 = b""
            with target.open("ab") as local:
                request = pb.ReadBackupFileRequest(backup_id=backup_id, path=path, offset=local.tell())
                for part in self._stub.ReadBackupFile(request):
                    local.write(part.data)
                    self._fetched += len(part.data)
                    advance(len(part.data))
                    sha256 = part.sha256
            return sha256

        return _patiently(attempt)


def _checked(path: str) -> str:
    """Returns a path that the service named, if it stays below the folder.

    Raises:
        ChecksumError: it does not.
    """
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ChecksumError(f"the service names a file outside the folder: {path}")
    return path


def _patiently(call: Callable[[], T]) -> T:
    """Calls; again while the service cannot be reached, for a while."""
    for _ in range(_ATTEMPTS):
        try:
            return call()
        except grpc.RpcError as error:
            if from_rpc_error(error).code is not grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(1)
    return call()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Shows on standard error, when it is a terminal, how much is copied; gives what tells it."""
    columns = (TextColumn("backup"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("backup", total=total)
        yield lambda count: shown.advance(task, count)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _sync(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        _sync_one(path)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
