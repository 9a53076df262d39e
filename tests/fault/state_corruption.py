"""A flipped byte, a cut file, a missing file: found and named, or without any effect, but never served.

Each round damages a fresh copy of one store in one place, opens it, reads every version and every receipt, and runs the
offline check. Allowed: an error of the kind DATA_LOSS that names a place, before anything wrong was read; or everything
reads as it should (files that hold no state: RocksDB's own log, its options, the locks). Not allowed: a wrong value,
or a commit that is missing without a word.
"""

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from state_service.errors import CorruptionError, StateError
from state_service.model import View
from state_service.store import Store, open_store
from state_service.verification import verify_store
from tests.fault.report import Report
from tests.fault.state_ledger import CONFIG
from tests.support.state_store import commit, contents, rocks, transaction

VERSIONS = 60
FOLDED = 40
QUIET = replace(CONFIG, retained_versions=VERSIONS, flush_age_ms=3_600_000, flush_bytes=1 << 30)


async def build(folder: Path, image: Path) -> dict[int, dict[str, str]]:
    """Makes a store with table files and a log, and its image as a killed process would leave it.

    Returns:
        What every live version holds.
    """
    store = await open_store(QUIET, rocks(folder))
    for version in range(1, VERSIONS + 1):
        writes = {f"k{version % 7}": str(version), f"long{version}": "x" * 300, f"long{version - 3}": None}
        await commit(store, f"c{version}", writes, transactions=[transaction(f"t{version}", "event")])
        if version == FOLDED:
            await store.committer.finalize(f"c{FOLDED - 5}".encode())
            await store.flusher.fold(FOLDED - 5)
            for family in store.engine._spaces.values():
                await asyncio.to_thread(family.flush)
    await store.committer.finalize(f"c{FOLDED}".encode())
    await store.flusher.fold(FOLDED)  # this part of STATE is in the log only
    expected = {version: await contents(store, version) for version in range(FOLDED, VERSIONS + 1)}
    await asyncio.to_thread(shutil.copytree, folder, image)
    await store.close()
    return expected


def damage(folder: Path, chance: random.Random) -> str:
    """Damages one file; returns what was done."""
    victims = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    victim = chance.choice(victims)
    data = bytearray(victim.read_bytes())
    kind = chance.choice(("flip", "flip", "flip", "cut", "remove"))
    if kind == "remove":
        victim.unlink()
    elif kind == "cut":
        victim.write_bytes(data[: chance.randrange(len(data))])
    else:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        victim.write_bytes(data)
    return f"{kind} {victim.relative_to(folder)}"


async def examine(folder: Path, expected: dict[int, dict[str, str]]) -> str:
    """Returns "found", "harmless", or what was wrong."""
    try:
        store = await open_store(QUIET, rocks(folder))
        try:
            wrong = await compare(store, expected)
        finally:
            await store.close()
        engine = rocks(folder)
        try:
            await verify_store(engine)
        finally:
            await engine.close()
    except CorruptionError as error:
        return "found" if error.place else "found without a place"
    except StateError as error:
        return f"another error: {error.reason} {getattr(error, 'cause', '')}"
    return wrong or "harmless"


async def compare(store: Store, expected: dict[int, dict[str, str]]) -> str:
    """Returns what differs from the expected contents; empty when nothing does."""
    if store.tree.head.version != VERSIONS:
        return f"head is version {store.tree.head.version}"
    for version, wanted in expected.items():
        if await contents(store, version) != wanted:
            return f"version {version} differs"
        entries, _ = await store.reader.get_many(View(version), [key.encode() for key in wanted])
        if [entry.value for entry in entries] != [value.encode() for value in wanted.values()]:
            return f"version {version} differs by key"
    receipts = await store.reader.receipts([f"t{version}".encode() for version in range(1, VERSIONS + 1)])
    if [receipt and receipt.version for receipt in receipts] != list(range(1, VERSIONS + 1)):
        return "receipts differ"
    return ""


def run(rounds: int, seed: int) -> Report:
    """Runs the rounds."""
    chance, results, examples = random.Random(seed), Counter[str](), []
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image"
        expected = asyncio.run(build(Path(scratch) / "store", image))
        for number in range(rounds):
            copy = Path(scratch) / f"copy{number}"
            shutil.copytree(image, copy)
            done = damage(copy, chance)
            result = asyncio.run(examine(copy, expected))
            if result not in ("found", "harmless"):
                examples.append(f"{done}: {result}")
                result = "wrong"
            results[result] += 1
            shutil.rmtree(copy)
    text = f"{rounds} rounds, {results['found']} found, {results['harmless']} harmless, {results['wrong']} wrong"
    return Report("corruption", text + "".join(f"; {example}" for example in examples[:3]), not results["wrong"])
