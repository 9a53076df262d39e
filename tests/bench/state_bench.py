"""Speed of the state service without gRPC: commits, reads, group commit. `python -m tests.bench.state_bench`.

Every figure is the median of many rounds; what is compared is measured in turns, so that a busy disk hits both alike.
"""

import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from rocksdict import Options, Rdict, WriteOptions
from rocksdict import WriteBatch as NativeBatch

from state_service.config import StateConfig
from state_service.model import View, WriteBatch
from state_service.rocks import RocksEngine
from state_service.store import Store, open_store

WRITES = 2000
KEYS = 100_000
VALUE = b"v" * 100
ROUNDS = 60
CALLERS = 64


def writes(chance: random.Random) -> dict[bytes, bytes | None]:
    """Makes a batch of distinct keys in no order, as a block of transfers leaves them."""
    return {b"token/balance/%08d" % number: VALUE for number in chance.sample(range(KEYS), WRITES)}


async def open_at(folder: Path, **settings: int) -> Store:
    """Opens a store with the settings of production."""
    config = replace(StateConfig(data_dir=folder), **settings)
    return await open_store(config, RocksEngine(folder, block_cache_bytes=config.block_cache_bytes))


async def commit_2000() -> dict[str, float]:
    """Commits of 2,000 writes, synced, through the store and straight through rocksdict, in turns."""
    chance, ours, theirs = random.Random(1), list[float](), list[float]()
    with tempfile.TemporaryDirectory() as scratch:
        store = await open_at(Path(scratch) / "state")
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.create_missing_column_families(True)
        database = Rdict(str(Path(scratch) / "plain"), options, column_families={"state": options})
        family, synced = database.get_column_family_handle("state"), WriteOptions()
        synced.sync = True
        for number in range(ROUNDS):
            batch = writes(chance)
            start = time.perf_counter()
            await store.committer.commit(WriteBatch(b"commit-%d" % number, batch))
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            native = NativeBatch(raw_mode=True)
            for key, value in batch.items():
                native.put(key, value, family)
            database.write(native, synced)
            theirs.append(time.perf_counter() - start)
        await store.close()
        del family
        database.close()
    state_ms, rocksdb_ms = statistics.median(ours) * 1e3, statistics.median(theirs) * 1e3
    return {
        "state_commit_2000_ms": state_ms,
        "rocksdb_commit_2000_ms": rocksdb_ms,
        "state_commit_over_rocksdb": state_ms / rocksdb_ms,
    }


async def get_many() -> dict[str, float]:
    """Reads of 100 keys at the head: from L2, from L1, and from table files after a restart without L1."""
    chance = random.Random(2)
    wanted = [[b"token/balance/%08d" % chance.randrange(KEYS) for _ in range(100)] for _ in range(200)]

    async def per_key(store: Store) -> float:
        times = []
        for names in wanted:
            start = time.perf_counter()
            await store.reader.get_many(View(), names)
            times.append(time.perf_counter() - start)
        return statistics.median(times) / 100 * 1e6

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "state"
        store = await open_at(folder, retained_versions=0, flush_age_ms=1)
        for start in range(0, KEYS, 5000):
            batch = {b"token/balance/%08d" % number: VALUE for number in range(start, start + 5000)}
            await store.committer.commit(WriteBatch(b"fill-%d" % start, dict(batch)))
        while store.tree.root is not store.tree.head:
            await store.flusher.progress()
        hot = await per_key(store)
        await store.close()
        store = await open_at(folder, cache_bytes=0)
        cold = await per_key(store)
        await store.close()
    return {"state_get_many_us_per_key_hot": hot, "state_get_many_us_per_key_cold": cold}


async def group_commit() -> dict[str, float]:
    """Small synced commits per second: one caller after the other, and 64 at once."""

    async def per_second(commit: Callable[[int], Awaitable[object]], callers: int, each: int) -> float:
        async def call(caller: int) -> None:
            for number in range(each):
                await commit(caller * each + number)

        start = time.perf_counter()
        await asyncio.gather(*(call(caller) for caller in range(callers)))
        return callers * each / (time.perf_counter() - start)

    with tempfile.TemporaryDirectory() as scratch:
        store = await open_at(Path(scratch) / "state")

        def commit(prefix: str) -> Callable[[int], Awaitable[object]]:
            return lambda n: store.committer.commit(
                WriteBatch(f"{prefix}{n}".encode(), {b"%s/%d" % (prefix.encode(), n): b"1"})
            )

        serial, grouped = [], []
        for turn in range(5):
            serial.append(await per_second(commit(f"s{turn}-"), 1, 100))
            grouped.append(await per_second(commit(f"g{turn}-"), CALLERS, 20))
        await store.close()
    one, many = statistics.median(serial), statistics.median(grouped)
    return {"state_commits_per_s_serial": one, "state_commits_per_s_64": many, "group_commit_over_serial": many / one}


async def measure() -> dict[str, float]:
    """Measures everything; names as in the benchmark's JSON line."""
    return {**await commit_2000(), **await get_many(), **await group_commit()}


def run() -> dict[str, float]:
    """Measures everything; called by `python -m tests.bench`."""
    return {name: round(value, 3) for name, value in asyncio.run(measure()).items()}


if __name__ == "__main__":
    print(json.dumps(run()))
