"""Checkpoints: a consistent copy of the store made while it serves, and putting one back.

A checkpoint folder looks like a data folder (`db/`, `HEAD`, `STORE`) plus `CHECKPOINT.json`, which says what it
holds. It is made below a temporary name and renamed when complete, so a folder with its proper name is never half one.
Files are hard links where the file system allows it: making one is quick and takes space only as the store moves on.
"""

import asyncio
import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from state_service.errors import AlreadyExistsError, CorruptionError, InvalidRequestError
from state_service.model import Head
from state_service.recovery import load
from state_service.storage import StorageEngine

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_LABEL = "CHECKPOINT.json"
_SUMS = "SHA256SUMS"
"""Checksums of a copy that `v8vm backup` made."""


@dataclass(frozen=True, slots=True)
class CheckpointLabel:
    """What a checkpoint holds."""

    version: int
    """Version of its head."""
    commitment: str
    """Commitment of that version, in hex."""


async def create(engine: StorageEngine, head: Head, folder: Path, name: str) -> CheckpointLabel:
    """Makes a checkpoint of everything committed so far.

    Args:
        engine: Open engine.
        head: Head as of now; commits that become durable meanwhile may be in the checkpoint too.
        folder: Folder below which it is made.
        name: Its name: letters, digits, `-`, `_`, `.`; 1 to 64 characters, not starting with a dot.

    Raises:
        InvalidRequestError: the name is malformed.
        AlreadyExistsError: the name is taken.
        StateError: the engine could not write it.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequestError("a name has 1 to 64 letters, digits, '-', '_' or '.', no dot first", field="name")
    target, partial = folder / name, folder / f".{name}.partial"
    if target.exists():
        raise AlreadyExistsError(f"a checkpoint named {name} exists", metadata={"name": name})
    label = CheckpointLabel(head.version, head.commitment.hex())
    await asyncio.to_thread(_clear, partial)
    await engine.checkpoint(partial)
    await asyncio.to_thread(_finish, partial, target, label)
    return label


def _clear(partial: Path) -> None:
    """Removes what an interrupted attempt left."""
    if partial.exists():
        shutil.rmtree(partial)
    partial.parent.mkdir(parents=True, exist_ok=True)


def _finish(partial: Path, target: Path, label: CheckpointLabel) -> None:
    (partial / _LABEL).write_text(json.dumps(asdict(label)) + "\n")
    for path in (*partial.rglob("*"), partial):
        _sync(path)
    partial.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_label(checkpoint: Path) -> CheckpointLabel:
    """Reads what a checkpoint says it holds.

    Raises:
        CorruptionError: the folder is not a checkpoint, or its label is damaged.
    """
    try:
        fields = json.loads((checkpoint / _LABEL).read_text())
        return CheckpointLabel(int(fields["version"]), str(fields["commitment"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptionError(_LABEL, f"not a checkpoint: {error}") from error


def check_sums(checkpoint: Path) -> None:
    """Compares the files of a backup with its checksums; a checkpoint has none.

    Raises:
        CorruptionError: a file is missing or differs.
    """
    sums = checkpoint / _SUMS
    if not sums.exists():
        return
    for line in sums.read_text().splitlines():
        told, _, path = line.partition("  ")
        try:
            with (checkpoint / path).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise CorruptionError(path, f"cannot be read: {error.strerror}") from error
        if found != told:
            raise CorruptionError(path, "differs from its checksum")


def copy_into(checkpoint: Path, data_dir: Path) -> None:
    """Copies a checkpoint into a data folder.

    Raises:
        AlreadyExistsError: the data folder holds something.
        CorruptionError: the folder is not a checkpoint.
    """
    read_label(checkpoint)
    check_sums(checkpoint)
    if data_dir.exists() and any(data_dir.iterdir()):
        raise AlreadyExistsError("the data folder is not empty: move it away first")
    partial = data_dir.with_name(f".{data_dir.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(checkpoint, partial, ignore=shutil.ignore_patterns(_LABEL, _SUMS))
    for path in (*partial.rglob("*"), partial):
        _sync(path)
    if data_dir.exists():
        data_dir.rmdir()
    partial.rename(data_dir)
    _sync(data_dir.parent)


async def check_restored(engine: StorageEngine, label: CheckpointLabel) -> None:
    """Checks that an opened copy holds the version that the label promises.

    Raises:
        CorruptionError: it does not.
    """
    tree = (await load(engine)).tree
    if tree.head.version < label.version:
        raise CorruptionError("checkpoint", f"ends at version {tree.head.version}, labelled {label.version}")
    block = tree.main_at(label.version)
    if block is not None and block.commitment.hex() != label.commitment:
        raise CorruptionError("checkpoint", f"version {label.version} has another commitment than its label says")
