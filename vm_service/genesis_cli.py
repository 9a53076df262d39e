"""The command `v8vm genesis FILE`: builds the first version of a chain and commits it to an empty store."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from chassis.errors import RemoteError
from vm_service import genesis, genesis_file
from vm_service.convert import to_header
from vm_service.errors import GenesisError, StoreNotEmptyError
from vm_service.worker.state_client import StateClient
from vm_service.worker.state_reader import CommitRequest, ConflictError

MAX_MESSAGE_BYTES = 64 << 20
"""The first version travels as one commit; the services' own limit."""

TIMEOUT_MS = 30_000
"""Time for the commit: a large first version is synced in seconds."""

app = typer.Typer(name="genesis", help="Builds the first version of a chain from a YAML file.", add_completion=False)


@app.callback(invoke_without_command=True)
def run(
    file: Annotated[Path, typer.Argument(help="Genesis file (docs/genesis.md).", exists=True, dir_okay=False)],
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", help="Public key of an account of the file; repeatable.", metavar="ACCOUNT=PUBLIC_KEY"),
    ] = None,
    state_address: Annotated[
        str, typer.Option(help="State service to commit to, host:port.", metavar="HOST:PORT")
    ] = "127.0.0.1:7003",
    output: Annotated[
        Path | None, typer.Option(help="Write the state there as JSON instead of committing it.", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Executes block 0 as the file describes it, and commits it. The same file again changes nothing."""
    try:
        described = genesis_file.load(file, dict(map(_key, keys or ())))
        _require_past(described.time_ns)
        first = genesis.build(described)
        version = 0 if output is not None else _commit(first, state_address)
    except RemoteError as error:
        error.add_note(f"state service at {state_address}")
        raise
    if output is not None:
        output.write_text(json.dumps(first.writes, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
    facts = {"version": version, "block_id": first.commit_id.hex(), "cells": len(first.writes)}
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        typer.echo(
            f"version {version}, block {facts['block_id']}, {facts['cells']} cells, {len(first.actions)} transactions"
        )


def _key(text: str) -> tuple[str, str]:
    """Takes `ACCOUNT=PUBLIC_KEY` apart.

    Raises:
        BadParameter: it has another form.
    """
    account, separator, key = text.partition("=")
    if not (account and separator and key):
        raise typer.BadParameter(f"{text}: ACCOUNT=PUBLIC_KEY is needed", param_hint="--key")
    return account, key


def _require_past(time_ns: int) -> None:
    """Refuses a first block that lies ahead of the clock.

    Raises:
        GenesisError: it does.
    """
    now_ns = time.time_ns()
    if time_ns > now_ns:
        raise GenesisError(
            f"chain.time {_shown(time_ns)} is in the future (the clock shows {_shown(now_ns)}): "
            "a block must be later than its parent, so no block could follow genesis until then"
        )


def _shown(time_ns: int) -> str:
    """Writes a time in UTC; years that Python cannot write, in nanoseconds."""
    try:
        return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError):
        return f"{time_ns} ns"


def _commit(first: genesis.FirstVersion, address: str) -> int:
    """Commits the first version; returns its number.

    Raises:
        StoreNotEmptyError: something else was committed before.
        RemoteError: the state service cannot be reached.
    """
    store = StateClient(address, max_message_bytes=MAX_MESSAGE_BYTES, timeout_ms=TIMEOUT_MS)
    try:
        request = CommitRequest(
            commit_id=first.commit_id,
            parent_id=b"",
            reads={},
            writes=first.writes,
            header=to_header(first.block).SerializeToString(deterministic=True),
        )
        # Tells whether anything was committed before; without the header, which would be held against the newest block.
        found = store.commit(replace(request, header=b""), validate_only=True)
        if not found.duplicate and found.parent_version != 0:
            raise StoreNotEmptyError(address, found.parent_version)
        version = _commit_to_empty(store, request, address)
        store.finalize(first.commit_id)  # discarding it would leave an empty store under a running chain
        return version
    finally:
        store.close()


def _commit_to_empty(store: StateClient, request: CommitRequest, address: str) -> int:
    """Commits on the condition that no other genesis came in between: its keys must never have been written.

    Raises:
        StoreNotEmptyError: another genesis was quicker.
    """
    try:
        return store.commit(replace(request, reads=dict.fromkeys(request.writes, 0), reruns=True)).version
    except ConflictError as error:
        raise StoreNotEmptyError(address, 1) from error
