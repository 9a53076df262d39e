"""`v8vm store ...`: tools for a store that no service has open. The command `v8vm` tells errors and sets exit codes.

v8vm store verify              check everything; name the place of the first damage
v8vm store stats               versions, records and files
v8vm store export > FILE       entries of the head as JSON lines
v8vm store import FILE         entries from JSON lines, as new versions
v8vm store checkpoint NAME     a consistent copy
v8vm store restore FOLDER      a checkpoint or a backup becomes the data folder

A store that a service has open is copied by `v8vm backup FOLDER`.
"""

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from chassis.errors import ServiceError
from state_service import checkpoints, headers, keys
from state_service.config import StateConfig
from state_service.errors import NoStoreError, StoreLockedError
from state_service.figures import FIGURES
from state_service.model import View, WriteBatch
from state_service.rocks import RocksEngine
from state_service.store import Store, open_store
from state_service.transfer import decode_lines, encode_line
from state_service.verification import verify_store

app = typer.Typer(
    name="store", help="Tools for a store that no service has open.", no_args_is_help=True, add_completion=False
)

_DEFAULTS = StateConfig()
_PAGE = 1000
DataDir = Annotated[Path, typer.Option(help="Data folder of the store.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")]


@app.command()
def verify(data_dir: DataDir = _DEFAULTS.data_dir, as_json: Json = False) -> None:
    """Checks journal, store and commitments; changes nothing but what opening a database does."""

    async def run() -> dict[str, int]:
        engine = _engine(data_dir)
        try:
            return asdict(await verify_store(engine))
        finally:
            await engine.close()

    _show(_run(run()), as_json)


@app.command()
def stats(data_dir: DataDir = _DEFAULTS.data_dir, as_json: Json = False) -> None:
    """Shows versions, records and files."""

    async def run() -> dict[str, int]:
        async with _store(data_dir) as store:
            return {figure.name: figure.read(store) for figure in FIGURES} | store.engine.stats()

    _show(_run(run()), as_json)


@app.command(name="export")
def export_entries(
    data_dir: DataDir = _DEFAULTS.data_dir,
    prefix: Annotated[str, typer.Option(help="Keys must start with this text.")] = "",
    output: Annotated[Path | None, typer.Option(help="File to write; standard output when left out.")] = None,
) -> None:
    """Writes the entries of the head as JSON lines, in key order."""

    async def run(target: TextIO) -> None:
        async with _store(data_dir) as store:
            start: bytes | None = prefix.encode()
            while start is not None:
                page = await store.reader.scan(View(), start, keys.prefix_end(prefix.encode()), _PAGE)
                target.writelines(f"{encode_line(key, entry)}\n" for key, entry in page.entries)
                start = page.next_key

    if output is None:
        _run(run(sys.stdout))
    else:
        with output.open("w", encoding="utf-8") as target:
            _run(run(target))


@app.command(name="import")
def import_entries(
    file: Annotated[typer.FileText, typer.Argument(help="JSON lines as `export` writes them; `-`: standard input.")],
    data_dir: DataDir = _DEFAULTS.data_dir,
    batch_size: Annotated[int, typer.Option(min=1, max=100_000, help="Entries in one commit.")] = 2000,
    as_json: Json = False,
) -> None:
    """Writes entries as new versions. An interrupted import can be run again: what is there already is left alone."""

    async def run() -> dict[str, int]:
        commit_count = write_count = 0
        async with _store(data_dir, create=True) as store:
            for batch in _batches(file, batch_size):
                tip = store.tree.tip
                header = headers.following(tip.number, tip.time_ns, tip.version, time.time_ns())
                result = await store.committer.commit(replace(batch, header=header))
                if not result.duplicate:
                    commit_count += 1
                    write_count += len(batch.writes)
            return {"commits": commit_count, "writes": write_count, "head_version": store.tree.head.version}

    _show(_run(run()), as_json)


def _batches(lines: TextIO, size: int) -> Iterator[WriteBatch]:
    """Cuts an import into commits; a commit's id is the hash of its place and content, so a repeated one is known."""
    entries = decode_lines(lines)
    number = 0
    while writes := dict(islice(entries, size)):
        digest = hashlib.sha256(b"v8vm.state.import.1" + number.to_bytes(8))
        for key, value in writes.items():
            digest.update(len(key).to_bytes(4) + key + len(value).to_bytes(4) + value)
        yield WriteBatch(digest.digest(), dict(writes))
        number += 1


@app.command()
def checkpoint(
    name: Annotated[str, typer.Argument(help="Name of the new folder.")],
    data_dir: DataDir = _DEFAULTS.data_dir,
    checkpoint_dir: Annotated[Path, typer.Option(help="Folder below which it is made.")] = _DEFAULTS.checkpoint_dir,
    as_json: Json = False,
) -> None:
    """Makes a consistent copy of the store."""

    async def run() -> dict[str, object]:
        async with _store(data_dir) as store:
            return asdict(await checkpoints.create(store.engine, store.reader.head(), checkpoint_dir, name))

    _show(_run(run()), as_json)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Checkpoint folder.")],
    data_dir: DataDir = _DEFAULTS.data_dir,
    as_json: Json = False,
) -> None:
    """Makes a checkpoint or backup the data folder, which must be empty or missing, and checks it."""

    async def run() -> dict[str, object]:
        checkpoints.copy_into(folder, data_dir)
        label = checkpoints.read_label(folder)
        engine = _engine(data_dir)
        try:
            await checkpoints.check_restored(engine, label)
            report = await verify_store(engine)
        finally:
            await engine.close()
        return {"version": report.head_version, "labelled_version": label.version}

    _show(_run(run()), as_json)


def _engine(data_dir: Path, *, create: bool = False) -> RocksEngine:
    if not create and not (data_dir / "STORE").exists():
        raise NoStoreError(f"{data_dir} holds no store")
    return RocksEngine(data_dir, block_cache_bytes=_DEFAULTS.block_cache_bytes)


@asynccontextmanager
async def _store(data_dir: Path, *, create: bool = False) -> AsyncIterator[Store]:
    """Opens a store as its writer; an empty data folder becomes a new store only when asked to."""
    store = await open_store(StateConfig(data_dir=data_dir), _engine(data_dir, create=create))
    try:
        yield store
    finally:
        await store.close()


def _run(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - passes on whatever the command made
    """Runs a command; the text of the engine stands beside a failure of it."""
    try:
        return asyncio.run(work)
    except ServiceError as error:
        if cause := getattr(error, "cause", ""):
            error.add_note(cause)
        if isinstance(error, StoreLockedError):
            error.add_note("a running service has it open: `v8vm backup FOLDER` copies it, `v8vm status` shows it")
        raise


def _show(fields: dict[str, object], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(fields))
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        typer.echo(f"{name:<{width}}  {value}")
