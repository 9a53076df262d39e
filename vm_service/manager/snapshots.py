"""Keeps workers starting hot: counts which contracts are used, keeps the list, has snapshots made of it.

    uses of contracts (told by workers) -> hot list -> snapshot builder (a process) -> workers that start from now on

A snapshot that a worker refuses, or that workers do not survive starting from, is removed and not used again; workers
then start from sources and compile the hot list before they take work. Nothing here is needed to execute anything.
"""

import asyncio
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from vm_service import metrics
from vm_service.config import VmConfig
from vm_service.worker import channel
from vm_service.worker.snapshot_store import SnapshotStore

BUILD_SECONDS = 60.0
"""Time for a build; it takes one second."""

LOOK_SECONDS = 15.0
"""How often the hot list is looked at: a snapshot is made at most so often."""

MAX_COUNTED = 4096
"""Contracts whose uses are counted; beyond it all counts are halved and the smallest forgotten."""

STRIKES = 2
"""Failed starts from a snapshot after which it is not used again."""

log = logging.getLogger(__name__)


class SnapshotKeeper:
    """What new workers start from.

    Attributes:
        key: the snapshot in use; empty: none.
    """

    def __init__(self, config: VmConfig) -> None:
        """Reads what the last run left."""
        self._config = config
        self._store = SnapshotStore(config.cache_dir)
        self._uses: Counter[str] = Counter()
        for place, name in enumerate(reversed(self._store.read_hot())):
            self._uses[name] = place + 1
        self._written: Sequence[str] = self.hot()
        self._built_for: frozenset[str] | None = None
        self._strikes: Counter[str] = Counter()
        self._builder: subprocess.Popen[bytes] | None = None
        self._closed = False
        self.key = self._store.newest() if config.snapshots else ""

    # -- uses ----------------------------------------------------------------------------------------------------

    def count(self, contracts: Iterable[str]) -> None:
        """A batch used contracts."""
        self._uses.update(contracts)
        if len(self._uses) > MAX_COUNTED:
            self._uses = Counter({name: count // 2 for name, count in self._uses.items() if count > 1})

    def hot(self) -> list[str]:
        """Returns the contracts to be kept hot: pinned ones, then the most used."""
        pinned = self._config.pinned_contracts
        used = (name for name, _ in self._uses.most_common(self._config.hot_count) if name not in pinned)
        return [*pinned, *used][: max(self._config.hot_count, len(pinned))]

    def uses(self) -> list[tuple[str, int]]:
        """Returns the most used contracts with their counts."""
        return self._uses.most_common(self._config.hot_count)

    # -- starts --------------------------------------------------------------------------------------------------

    def started(self, key: str, ready: channel.Ready) -> None:
        """A worker that was to start from a snapshot, if any, has started; takes note when it refused it."""
        metrics.SNAPSHOT_STARTS.labels(ready.origin).inc()
        if ready.refused and key == self.key:
            self._refuse(ready.refused)

    def failed(self, key: str, cause: str) -> None:
        """A worker did not survive its start from a snapshot."""
        if not key or key != self.key:
            return
        self._strikes[key] += 1
        if self._strikes[key] >= STRIKES:
            log.warning("snapshot_fails", extra={"key": key, "cause": cause})
            self._refuse("start")

    def _refuse(self, reason: str) -> None:
        if not self.key:
            return
        log.warning("snapshot_refused", extra={"key": self.key, "reason": reason})
        metrics.SNAPSHOT_FAILURES.labels(reason).inc()
        try:
            self._store.remove(self.key)
        except OSError as error:
            log.warning("snapshot_not_removed", extra={"key": self.key, "cause": str(error)})
        self.key = ""
        self._built_for = None

    # -- in the background ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follows the hot list for as long as the service runs."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Keeps the hot list; has a snapshot made when there is none of these contracts."""
        hot = self.hot()
        self.keep()
        wanted = frozenset(hot)
        if self._config.snapshots and wanted != self._built_for and self._strikes["build"] < STRIKES:
            self._built_for = wanted
            await self._build(hot)

    def keep(self) -> None:
        """Writes the hot list for the next start, if it has changed."""
        hot = self.hot()
        if hot == self._written:
            return
        try:
            self._store.write_hot(hot)
            self._written = hot
        except OSError as error:
            log.warning("hot_list_not_kept", extra={"cause": str(error)})

    async def _build(self, hot: Sequence[str]) -> None:
        request = {
            "state_target": self._config.state_address,
            "folder": str(self._config.cache_dir.absolute()),
            "contracts": hot,
            "flags": self._config.v8_flags,
            "max_message_bytes": self._config.max_message_bytes,
        }
        loop = asyncio.get_running_loop()
        code, output, errors = await loop.run_in_executor(None, self._run_builder, msgspec.json.encode(request))
        if code == channel.EXIT_DETACHED:  # of the state service: nothing is known of the snapshot, so look again
            self._built_for = None
            log.warning("snapshot_postponed", extra={"cause": _cause(errors)})
            return
        if code != 0:
            self._strikes["build"] += 1
            log.warning("snapshot_not_built", extra={"cause": _cause(errors), "exit_code": code})
            metrics.SNAPSHOT_FAILURES.labels("build").inc()
            return
        self._strikes["build"] = 0
        self.key = output.decode("ascii")
        log.info("snapshot_built", extra={"key": self.key, "contracts": len(hot)})

    def _run_builder(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Runs the builder; in a thread, since it is waited for."""
        with subprocess.Popen(
            [sys.executable, "-I", "-m", "vm_service.worker.snapshot_builder", "build"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LANG": "C.UTF-8", "TZ": "UTC"},
        ) as builder:
            self._builder = builder
            if self._closed:  # since this thread was asked for
                builder.kill()
            try:
                output, errors = builder.communicate(request, BUILD_SECONDS)
            except subprocess.TimeoutExpired:
                builder.kill()
                output, errors = builder.communicate()
            self._builder = None
            return builder.returncode, output, errors

    def close(self) -> None:
        """Keeps the hot list and ends a builder that runs."""
        self.keep()
        self._closed = True
        if (builder := self._builder) is not None:  # read once: its thread clears it
            builder.kill()

    def path(self) -> Path:
        """Returns the folder of the snapshots."""
        return self._config.cache_dir.absolute()


def _cause(errors: bytes) -> str:
    """Returns the end of what a builder wrote to stderr."""
    return errors.decode("utf-8", "replace").strip()[-300:]
