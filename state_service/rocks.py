"""RocksDB behind the `StorageEngine` interface: the only import of rocksdict.

A data folder holds `LOCK` (writer lock), `HEAD` (head record), `STORE` (16 random bytes that name the store) and `db/`
(RocksDB: one column family for each `Space`).

Why it is built so (measured with rocksdict 0.3.29):
  - `Rdict.write` and `Rdict.get` hold the interpreter's lock, `flush_wal` does not. So a batch is written without sync
    (4 µs for a small one) and then synced by `flush_wal(sync=True)`, both in the one writer thread: while the disk
    works, the event loop serves.
  - Reads stay on the event loop: a thread would add a hop and win nothing.
  - WAL recovery tolerates a torn tail only: the default of RocksDB drops everything after a damaged record in silence.
  - Every batch names its column family: rocksdict forgets a batch's default one.
"""

import asyncio
import gc
import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from rocksdict import (
    BlockBasedOptions,
    Cache,
    Checkpoint,
    ColumnFamily,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from chassis import failpoint
from state_service import keys
from state_service.errors import (
    CorruptionError,
    StaleEpochError,
    StateError,
    StorageFailedError,
    StorageFullError,
)
from state_service.head_record import HeadRecord
from state_service.rocks_errors import translate, translate_open
from state_service.storage import EngineBatch, Space
from state_service.writer_lock import WriterLock

T = TypeVar("T")

_READ_CHUNK = 1000
"""Keys read in one go; about 1 ms, after which the event loop gets a turn."""

_SCAN_PAGE = 64
"""Journal records read in one go by `changes`: records are large, pages of them need not be."""

_WRITE_BUFFER_BYTES = {Space.STATE: 64 << 20, Space.JOURNAL: 64 << 20}
"""Memtable by space: 64 MiB where the bytes are, RocksDB's own default; see _SMALL_BUFFER_BYTES for the others."""

_SMALL_BUFFER_BYTES = 8 << 20
"""Memtable of the other spaces: they see a fraction of the bytes."""

_MAX_WAL_BYTES = 256 << 20
"""Log files kept before memtables are flushed: bounds recovery to about a second."""


class RocksEngine:
    """A RocksDB store in one data folder; see `storage` for the contract."""

    def __init__(
        self, folder: Path, *, block_cache_bytes: int, min_free_bytes: int = 0, sync_writes: bool = True
    ) -> None:
        """Opens the store, creating an empty one in an empty folder.

        Args:
            folder: Data folder; made if it is not there.
            block_cache_bytes: Bytes of uncompressed blocks that RocksDB keeps.
            min_free_bytes: Free disk space below which batches are refused before they begin.
            sync_writes: False leaves out every sync; only for tests that must see a loss.

        Raises:
            StoreLockedError: another process has it open.
            CorruptionError: damaged, or behind its head record.
            StorageFailedError: cannot be opened for another reason.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._min_free_bytes = min_free_bytes
        self._sync_writes = sync_writes
        self._closed = False
        self._epoch = 0
        self._spaces: dict[Space, Rdict] = {}
        self._handles: dict[Space, ColumnFamily] = {}
        self._lock = WriterLock(folder)
        try:
            self._store_id = _store_id(folder)
            self._db = _open(folder / "db", block_cache_bytes)
            for space in Space:
                self._spaces[space] = self._db.get_column_family(space.value)
                self._handles[space] = self._db.get_column_family_handle(space.value)
            self._head = self._open_head()
        except BaseException:
            self._release_database()
            self._lock.release()
            raise
        self._no_sync = WriteOptions()
        # One thread: batches reach the log in the order of commit.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="state-writer")

    def _open_head(self) -> HeadRecord:
        reached, path = self._db.latest_sequence_number(), self.folder / "HEAD"
        if reached and not path.exists():
            raise CorruptionError("HEAD", "missing beside a database that holds data")
        head = HeadRecord(path, self._store_id)
        expected = head.read()
        if reached < expected:
            raise CorruptionError(
                "database log",
                f"the database ends at sequence {reached}, the head record says {expected}: "
                "a log file is missing, or the folder was put back to an earlier time",
            )
        return head

    async def acquire(self) -> int:
        """Raises the epoch; see `storage`."""
        (stored,) = await self.get_many(Space.META, [keys.META_EPOCH])
        epoch = int.from_bytes(stored or b"") + 1
        self._epoch = epoch
        batch = EngineBatch()
        batch.put(Space.META, keys.META_EPOCH, epoch.to_bytes(8))
        await self._run(self._write, batch, True)
        return epoch

    async def get_many(self, space: Space, keys: Sequence[bytes]) -> list[bytes | None]:
        """Reads keys; see `storage`."""
        family = self._family(space)
        if len(keys) == 1:  # 0.7 µs against 2 µs for a list of one
            return [self._guard(lambda: family.get(keys[0]))]
        values: list[bytes | None] = []
        for start in range(0, len(keys), _READ_CHUNK):
            if start:
                await asyncio.sleep(0)
            chunk = keys[start : start + _READ_CHUNK]
            values += self._guard(lambda chunk=chunk: [family.get(key) for key in chunk])  # type: ignore[misc]
        return values

    async def scan(self, space: Space, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Reads a page of a range; see `storage`."""
        return self._guard(lambda: self._scan(space, start, end, limit))

    def _scan(self, space: Space, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        options = ReadOptions()
        if end is not None:
            options.set_iterate_upper_bound(end)
        iterator = self._family(space).iter(options)
        iterator.seek(start)
        found: list[tuple[bytes, bytes]] = []
        while len(found) < limit and iterator.valid():
            found.append((iterator.key(), iterator.value()))
            iterator.next()
        iterator.status()  # raises when the range ended because of a damaged block
        return found

    async def commit(self, batch: EngineBatch, *, sync: bool) -> None:
        """Applies a batch; see `storage`."""
        await self._run(self._write, batch, sync)

    def _write(self, batch: EngineBatch, sync: bool) -> None:
        """Runs in the writer thread."""
        stored = self._spaces[Space.META].get(keys.META_EPOCH)
        if (current := int.from_bytes(stored or b"")) > self._epoch:
            raise StaleEpochError(self._epoch, current)
        self._check_space()
        native = WriteBatch(raw_mode=True)
        put, delete, handles = native.put, native.delete, self._handles
        for space, key, value in batch.operations:
            if value is None:
                delete(key, handles[space])
            else:
                put(key, value, handles[space])
        failpoint.hit("state.engine.before_write")
        self._db.write(native, self._no_sync)
        failpoint.hit("state.engine.after_write_before_sync")
        if sync and self._sync_writes:
            sequence = self._db.latest_sequence_number()
            self._db.flush_wal(True)
            failpoint.hit("state.engine.after_sync_before_head")
            self._head.write(sequence)
            failpoint.hit("state.engine.after_head")

    def _check_space(self) -> None:
        """Refuses a batch while it still can be refused with certainty: a write that fails half-way cannot."""
        usage = os.statvfs(self.folder)
        if usage.f_bavail * usage.f_frsize < self._min_free_bytes:
            raise StorageFullError(f"less than {self._min_free_bytes} bytes free", applied=False)

    async def changes(self, from_version: int) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yields the journal; see `storage`."""
        start = keys.version_bound(from_version)
        while page := await self.scan(Space.JOURNAL, start, None, _SCAN_PAGE):
            for pair in page:
                yield pair
            start = page[-1][0] + b"\0"

    async def checkpoint(self, folder: Path) -> None:
        """Writes a copy; see `storage`."""
        await self._run(self._checkpoint, folder)

    def _checkpoint(self, folder: Path) -> None:
        """Runs in the writer thread, so that no batch falls between database and head record."""
        folder.mkdir(parents=True)
        Checkpoint(self._db).create_checkpoint(str(folder / "db"))
        (folder / "STORE").write_bytes(self._store_id)
        head = HeadRecord(folder / "HEAD", self._store_id)
        head.read()
        head.write(self._db.latest_sequence_number())
        head.close()

    async def verify(self) -> int:
        """Reads everything; see `storage`."""
        return await asyncio.to_thread(self._guard, self._verify)

    def _verify(self) -> int:
        count = 0
        for space in Space:
            options = ReadOptions()
            options.set_verify_checksums(True)
            iterator = self._spaces[space].iter(options)
            iterator.seek_to_first()
            while iterator.valid():
                count += 1
                iterator.next()
            iterator.status()
        return count

    def stats(self) -> dict[str, int]:
        """Returns figures; see `storage`."""
        if self._closed:
            raise StorageFailedError("the engine is closed")
        files = self._db.live_files()
        return {
            "engine_file_count": len(files),
            "engine_file_bytes": sum(int(file["size"]) for file in files),
            "engine_sequence": self._db.latest_sequence_number(),
        }

    async def close(self) -> None:
        """Closes the database and gives the lock back."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        """Lets go of everything, the lock last."""
        self._writer.shutdown(wait=True)
        failures = self._release_database()
        self._head.close()
        self._lock.release()
        for failure in failures:
            if not isinstance(failure, StorageFullError | StorageFailedError):
                raise failure

    def _release_database(self) -> list[StateError]:
        """Closes the database, which flushes its memtables; returns what went wrong."""
        failures: list[StateError] = []
        self._handles.clear()
        databases = list(self._spaces.values())  # each holds the database open
        self._spaces.clear()
        if (database := self.__dict__.pop("_db", None)) is not None:
            databases.insert(0, database)
        del database
        while databases:
            try:
                databases.pop().close()
            except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exception
                failures.append(translate(error))
        if failures:
            # After a failed write closing fails too, and only the last reference that goes releases the files.
            gc.collect()
        return failures

    def _family(self, space: Space) -> Rdict:
        if self._closed:
            raise StorageFailedError("the engine is closed")
        return self._spaces[space]

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        if self._closed:
            raise StorageFailedError("the engine is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: self._guard(lambda: function(*arguments)))

    def _guard(self, function: Callable[[], T]) -> T:
        """Runs a call into RocksDB and gives its failures their types."""
        try:
            return function()
        except (StateError, failpoint.FailpointError):
            raise
        except Exception as error:
            raise translate(error) from error


def _store_id(folder: Path) -> bytes:
    """Reads the store's name, or gives a new store one."""
    path = folder / "STORE"
    if path.exists():
        store_id = path.read_bytes()
        if len(store_id) != 16:
            raise CorruptionError("STORE", f"{len(store_id)} bytes instead of 16")
        return store_id
    if (folder / "db").exists():
        raise CorruptionError("STORE", "missing beside an existing database")
    store_id = secrets.token_bytes(16)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, store_id)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return store_id


def _options(write_buffer_bytes: int, block_cache: Cache) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_paranoid_checks(True)
    options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
    options.set_max_total_wal_size(_MAX_WAL_BYTES)
    options.set_write_buffer_size(write_buffer_bytes)
    options.set_keep_log_file_num(4)
    options.set_compression_type(DBCompressionType.lz4())
    table = BlockBasedOptions()
    table.set_block_cache(block_cache)
    table.set_bloom_filter(10, False)  # 1 % false positives: most reads of absent keys touch no block
    options.set_block_based_table_factory(table)
    return options


def _open(path: Path, block_cache_bytes: int) -> Rdict:
    cache = Cache(block_cache_bytes)
    families = {space.value: _options(_WRITE_BUFFER_BYTES.get(space, _SMALL_BUFFER_BYTES), cache) for space in Space}
    try:
        return Rdict(str(path), _options(_SMALL_BUFFER_BYTES, cache), column_families=families)
    except Exception as error:
        raise translate_open(error, path) from error
