"""A process that commits to a store as fast as it can until it dies, and tells each answer through a pipe.

    python -m tests.fault.state_writer FOLDER PREFIX WRITERS SYNC

It also plays the witness of the power-loss rounds: after every call that makes bytes durable, which are `flush_wal`
and the head record's `write` and no other for the log, it notes in FOLDER.durable how long each log file was and what
the head record held. What is not noted there was not synced, as far as any caller could know.
"""

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from chassis import config as chassis_config
from chassis import failpoint
from state_service.errors import StateError
from state_service.model import Durability
from state_service.rocks import RocksEngine
from state_service.store import Store, open_store
from tests.fault.state_ledger import CONFIG, Acknowledged, batch
from tests.support.state_store import rocks


class Witness:
    """Stands in for the database and the head record and notes what became durable."""

    def __init__(self, engine: RocksEngine) -> None:
        self._db, self._head_write = engine._db, engine._head.write
        self._folder = engine.folder
        self._notes = os.open(engine.folder.with_suffix(".durable"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        engine._db = self
        engine._head.write = self.write_head
        self._head = (engine.folder / "HEAD").read_bytes()
        self._logs: dict[str, int] = {}
        self._note_logs()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def flush_wal(self, sync: bool) -> None:
        self._db.flush_wal(sync)
        self._note_logs()

    def write_head(self, sequence: int) -> None:
        self._head_write(sequence)
        self._head = (self._folder / "HEAD").read_bytes()
        self._note()

    def _note_logs(self) -> None:
        self._logs = {}
        for path in (self._folder / "db").glob("*.log"):
            try:
                self._logs[path.name] = path.stat().st_size
            except FileNotFoundError:
                pass  # RocksDB was done with it
        self._note()

    def _note(self) -> None:
        os.write(self._notes, json.dumps({"logs": self._logs, "head": self._head.hex()}).encode() + b"\n")


def start_witness(engine: RocksEngine) -> None:
    """Makes a witness of an engine's syncs. REQUIRES: what was written so far is durable."""
    Witness(engine)


async def write(store: Store, writer: str) -> None:
    """Commits for ever, and tells each answer."""
    number = 0
    while True:
        made = batch(writer, number)
        os.write(1, f'{{"attempt": "{made.commit_id.decode()}"}}\n'.encode())
        if number % 10 == 9:
            object.__setattr__(made, "durability", Durability.BUFFERED)
        result = await store.committer.commit(made)
        durable = result.durability is Durability.SYNCED
        answer = Acknowledged(made.commit_id.decode(), result.version, result.commitment.hex(), durable)
        os.write(1, answer.line())
        number += 1


async def flush_now_and_then(engine: RocksEngine) -> None:
    """Makes RocksDB write table files, which it would do only after 64 MiB."""
    while True:
        await asyncio.sleep(random.uniform(0.02, 0.2))
        for family in engine._spaces.values():
            await asyncio.to_thread(family.flush)


async def main(folder: Path, prefix: str, writers: int, sync: bool) -> None:
    """Opens the store and lets the writers loose."""
    engine = rocks(folder, sync_writes=sync)
    store = await open_store(CONFIG, engine)
    start_witness(engine)
    failpoint.arm(chassis_config.failpoints())
    os.write(1, b'{"ready": true}\n')
    try:
        async with asyncio.TaskGroup() as group:
            for writer in range(writers):
                group.create_task(write(store, f"{prefix}w{writer}"))
            group.create_task(flush_now_and_then(engine))
    except* StateError:
        sys.exit(3)  # an armed error failpoint: writes have stopped


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "sync"))
