"""Random commits, branches, finalisations, folds, restarts and crashes against a plain model, with caches from 0 to
large.

`Model` keeps every block's whole state in a dictionary and knows nothing of journals, caches or folding. The machine
does the same things to it and to a store and compares whatever can be read.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from state_service import commitment, records
from state_service.errors import FinalityError, StateError, WriteConflictError
from state_service.feed import Position
from state_service.memory import MemoryDisk, MemoryEngine
from state_service.model import View, WriteBatch
from state_service.storage import StorageEngine
from state_service.store import Store, open_store
from tests.fault.report import Report
from tests.support.state_store import QUIET, check, rocks, transaction

KEYS = [b"a", b"a\x00", b"ab", b"b", b"\xff", b"\xff\xff"]
CACHES = [0, 600, 2000, 1 << 20]


@dataclass
class ModelBlock:
    """A commit with the whole state after it."""

    name: bytes
    parent: bytes
    version: int
    writes: dict[bytes, bytes | None]
    linear: bool
    commitment: bytes
    state: dict[bytes, tuple[bytes | None, int]]


@dataclass
class Model:
    """The store as its interface describes it."""

    retained: int
    blocks: dict[bytes, ModelBlock] = field(default_factory=dict)
    head: bytes = b""
    final: bytes = b""
    hashes: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Starts with the empty store."""
        self.blocks[b""] = ModelBlock(b"", b"", 0, {}, True, bytes(32), {})

    def commit(self, name: bytes, parent: bytes | None, writes: dict[bytes, bytes | None]) -> ModelBlock:
        """Adds a block; the head follows when it is built on."""
        base = self.blocks[self.head if parent is None else parent]
        section = records.encode_writes(dict(sorted(writes.items())))
        version = base.version + 1
        state = base.state | {key: (value, version) for key, value in writes.items()}
        value = commitment.chain(base.commitment, version, section)
        block = self.blocks[name] = ModelBlock(name, base.name, version, dict(writes), parent is None, value, state)
        if base.name == self.head:
            self.head = name
        self.settle()
        return block

    def settle(self) -> set[bytes]:
        """Linear commits become final behind the retained versions; returns what was dropped."""
        dropped: set[bytes] = set()
        for block in self.chain(self.head):
            if block.version == self.blocks[self.final].version + 1:
                if not block.linear or block.version > self.blocks[self.head].version - self.retained:
                    break
                dropped |= self.finalize(block.name)
        return dropped

    def chain(self, name: bytes) -> list[ModelBlock]:
        """Returns the blocks from version 1 to a block."""
        found = []
        while name:
            found.append(self.blocks[name])
            name = self.blocks[name].parent
        return found[::-1]

    def ancestors(self, name: bytes) -> set[bytes]:
        """Returns a block's name and those of all before it."""
        return {b""} | {block.name for block in self.chain(name)}

    def finalize(self, name: bytes) -> set[bytes]:
        """Makes a block final; returns what was dropped."""
        kept = self.ancestors(name)
        dropped = {n for n in self.blocks if n not in kept and name not in self.ancestors(n)}
        if name not in self.ancestors(self.head):
            self.head = name
        self.drop(dropped, name)
        self.final = name
        return dropped

    def discard(self, name: bytes) -> set[bytes]:
        """Drops a block and what is built on it; returns the names."""
        dropped = {n for n in self.blocks if name in self.ancestors(n)}
        self.drop(dropped, self.blocks[name].parent)
        return dropped

    def drop(self, dropped: set[bytes], head: bytes) -> None:
        """Forgets blocks; the head goes where it must when it is among them."""
        for name in dropped:
            del self.blocks[name]
            self.hashes.pop(name, None)
        if self.head in dropped:
            self.head = head


values = st.none() | st.binary(max_size=3)
write_sets = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
choices = st.integers(0, 10**6)


def copy_living(folder: Path, image: Path) -> None:
    """Copies the files of an open store; begins again when RocksDB removed one meanwhile."""
    while True:
        try:
            shutil.copytree(folder, image)
        except shutil.Error:
            shutil.rmtree(image)
        else:
            return


class StoreMachine(RuleBasedStateMachine):
    """Does the same to a store and to the model."""

    on_disk = False

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.disk = MemoryDisk()
        self.scratch = Path(tempfile.mkdtemp(prefix="state-model")) if self.on_disk else None
        self.store: Store
        self.count = 0
        self.sent: dict[bytes, tuple[WriteBatch, int, bytes]] = {}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run(self.store.close())
        self.runner.close()
        if self.scratch is not None:
            shutil.rmtree(self.scratch)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(asyncio.wait_for(work, 20))

    def engine(self) -> StorageEngine:
        return MemoryEngine(self.disk) if self.scratch is None else rocks(self.scratch / "store")

    @initialize(retained=st.sampled_from([0, 1, 3, 100]), cache=st.sampled_from(CACHES))
    def start(self, retained: int, cache: int) -> None:
        """Opens an empty store."""
        self.model = Model(retained)
        self.config = replace(QUIET, retained_versions=retained, cache_bytes=cache, feed_versions=1000)
        self.open()

    def open(self) -> None:
        async def work() -> None:
            self.store = await open_store(self.config, self.engine())
            await self.quiet()

        self.run(work())

    async def quiet(self) -> None:
        """Waits until nothing is under way."""
        await self.store.journal.drained()
        if (settling := self.store._settling) is not None:
            await settling

    def pick(self, choice: int, names: list[bytes]) -> bytes:
        return names[choice % len(names)]

    def readable(self) -> list[bytes]:
        """Names of blocks that can be read, oldest first."""
        oldest = self.store.reader.oldest_version
        return [n for n, block in self.model.blocks.items() if block.version >= max(oldest, 1)]

    def commit(self, parent: bytes | None, writes: dict[bytes, bytes | None], read: list[bytes]) -> None:
        self.count += 1
        name = b"c%d" % self.count
        base = self.model.blocks[self.model.head if parent is None else parent]

        async def work() -> None:
            entries, _ = await self.store.reader.get_many(View(block_id=base.name or None), read)
            reads = {key: entry.version for key, entry in zip(read, entries, strict=True)}
            record = transaction(f"t{self.count}", "event")
            batch = WriteBatch(
                name, writes, parent_id=parent, reads=reads, transactions=[record], answer=b"answer " + name
            )
            preview = await self.store.committer.preview(batch)
            result = await self.store.committer.commit(batch)
            assert result == preview
            await self.quiet()
            self.sent[name] = (batch, result.version, result.commitment)

        self.run(work())
        block = self.model.commit(name, parent, writes)
        assert self.sent[name][1:] == (block.version, block.commitment)

    @rule(writes=write_sets, read=st.lists(st.sampled_from(KEYS), unique=True))
    def commit_on_the_head(self, writes: dict[bytes, bytes | None], read: list[bytes]) -> None:
        """Extends the main chain."""
        self.commit(None, writes, read)

    @rule(choice=choices, writes=write_sets, read=st.lists(st.sampled_from(KEYS), unique=True))
    def commit_on_a_block(self, choice: int, writes: dict[bytes, bytes | None], read: list[bytes]) -> None:
        """Builds on any live block that is not behind the final one."""
        if not (names := self.readable()):
            return
        parent = self.pick(choice, names)
        if self.model.blocks[parent].version >= self.model.blocks[self.model.final].version:
            self.commit(parent, writes, read)
            return
        batch = WriteBatch(b"refused", writes, parent_id=parent)
        assert isinstance(self.refusal(lambda store: store.committer.commit(batch)), FinalityError)

    def refusal(self, use: Callable[[Store], Coroutine[Any, Any, Any]]) -> StateError:
        try:
            self.run(use(self.store))
        except StateError as error:
            return error
        raise AssertionError("not refused")

    @rule(choice=choices, key=st.sampled_from(KEYS), off=st.integers(1, 3))
    def commit_with_a_stale_read(self, choice: int, key: bytes, off: int) -> None:
        """Is refused with just the stale key, and changes nothing."""
        entries, version = self.run(self.store.reader.get_many(View(), KEYS))
        reads = {k: entry.version for k, entry in zip(KEYS, entries, strict=True)}
        reads[key] += off
        error = self.refusal(lambda store: store.committer.commit(WriteBatch(b"stale", {b"a": b"no"}, reads=reads)))
        assert isinstance(error, WriteConflictError)
        assert (error.conflicting_keys, error.version) == ((key,), version)

    @rule(choice=choices)
    @precondition(lambda self: self.sent)
    def commit_again(self, choice: int) -> None:
        """A commit sent again gets its first answer, unless its block was dropped."""
        name = self.pick(choice, list(self.sent))
        if name in self.model.blocks:
            batch, version, value = self.sent[name]
            result = self.run(self.store.committer.commit(batch))
            assert (result.version, result.commitment, result.duplicate) == (version, value, True)

    @rule(choice=choices)
    def finalize(self, choice: int) -> None:
        """Makes any readable block final."""
        if names := self.readable():
            name = self.pick(choice, names)
            behind = self.model.blocks[name].version <= self.model.blocks[self.model.final].version
            version, dropped = self.run(self.store.committer.finalize(name))
            assert version == self.model.blocks[name].version
            expected = set() if behind else self.model.finalize(name)
            assert set(dropped) == expected | self.model.settle()

    @rule(choice=choices)
    def discard(self, choice: int) -> None:
        """Drops any block that is not final."""
        if names := self.readable():
            name = self.pick(choice, names)
            if name in self.model.ancestors(self.model.final):
                assert isinstance(self.refusal(lambda store: store.committer.discard(name)), FinalityError)
            else:
                dropped = self.run(self.store.committer.discard(name))
                assert set(dropped) == self.model.discard(name)

    @rule()
    def fold(self) -> None:
        """Folds what may be folded."""
        self.run(self.store.flusher.fold(self.store.flusher.foldable()))

    @rule(cache=st.sampled_from(CACHES))
    def restart(self, cache: int) -> None:
        """Closes and opens again, with another cache."""
        self.run(self.store.close())
        self.config = replace(self.config, cache_bytes=cache)
        self.open()

    @rule()
    def crash(self) -> None:
        """Leaves what a killed process leaves."""
        if self.scratch is not None:
            image = self.scratch / "image"
            copy_living(self.scratch / "store", image)
            self.run(self.store.close())
            shutil.rmtree(self.scratch / "store")
            image.rename(self.scratch / "store")
        else:
            dying = self.store
            self.run(asyncio.wait_for(dying.close(), 5))  # memory: closing writes nothing
        self.open()

    @rule(choice=choices, page=st.integers(1, 4))
    def read_a_block(self, choice: int, page: int) -> None:
        """Reads and scans any readable block."""
        if not (names := self.readable()):
            return
        block = self.model.blocks[self.pick(choice, names)]
        entries, version = self.run(self.store.reader.get_many(View(block_id=block.name), KEYS))
        assert version == block.version
        for key, entry in zip(KEYS, entries, strict=True):
            value, written = block.state.get(key, (None, 0))
            assert entry.value == value
            # A tombstone that was collected is as if the key had never been written.
            assert entry.version == written or (value is None and entry.version == 0)
        assert self.run(self.scan(block.name, page)) == {
            key: value for key, (value, _) in sorted(block.state.items()) if value is not None
        }

    async def scan(self, name: bytes, page: int) -> dict[bytes, bytes | None]:
        found: dict[bytes, bytes | None] = {}
        start: bytes | None = b""
        while start is not None:
            got = await self.store.reader.scan(View(block_id=name), start, None, page)
            found.update((key, entry.value) for key, entry in got.entries)
            start = got.next_key
        return found

    @rule(choice=choices)
    def follow(self, choice: int) -> None:
        """The feed gives the main chain from any place."""
        chain = self.model.chain(self.model.head)
        place = choice % (len(chain) + 1)

        async def work() -> list[tuple[bytes, dict[bytes, bytes | None]]]:
            position = Position(place, chain[place - 1].name if place else b"")
            return [
                (item.commit_id, dict(item.writes)) async for item in self.store.feed.follow(position, until_head=True)
            ]

        assert self.run(work()) == [(block.name, block.writes) for block in chain[place:]]

    @rule(choice=choices)
    def open_a_view(self, choice: int) -> None:
        """A view lists just what changed, or says that it cannot."""
        chain = self.model.chain(self.model.head)
        if not chain:
            return
        known = chain[choice % len(chain)]
        view = self.run(self.store.reader.open_view(known.version, known.name, 100, []))
        assert view.complete == (known.version >= self.store.tree.root.version)
        if view.complete:
            changed = {key for block in chain[known.version :] for key in block.writes}
            assert set(view.changed_keys) == changed

    @rule()
    def look_up_receipts(self) -> None:
        """Receipts of the main chain are found, and no others."""
        self.receipts_at(View(), self.model.head)

    def receipts_at(self, view: View, name: bytes) -> None:
        names = [b"t%d" % number for number in range(1, self.count + 1)]
        found = self.run(self.store.reader.receipts(names, view))
        chain = {block.name: block.version for block in self.model.chain(name)}
        expected = [chain.get(b"c%d" % number) for number in range(1, self.count + 1)]
        assert [receipt and receipt.version for receipt in found] == expected

    @rule(choice=choices)
    def look_up_a_block(self, choice: int) -> None:
        """A block on any branch is found whole, with its hash, and so are the receipts of its chain and no others."""
        if not (names := self.readable()):
            return
        name = names[choice % len(names)]
        block, parent = self.model.blocks[name], self.model.blocks[self.model.blocks[name].parent]
        self.receipts_at(View(block_id=name), name)
        stored = self.run(self.store.committer.stored_block(name))
        assert (stored.summary.parent_id, stored.summary.version) == (parent.name, block.version)
        assert (stored.summary.commitment, stored.summary.block_hash) == (
            block.commitment,
            self.model.hashes.get(name, b""),
        )
        assert stored.answer == b"answer " + name
        view = self.run(self.store.reader.open_view(parent.version, parent.name, 100, [], View(block_id=name)))
        assert view.complete == (parent.version >= self.store.tree.root.version and block.version > 1)
        if view.complete:
            assert set(view.changed_keys) == set(block.writes)

    @rule(choice=choices, block_hash=st.sampled_from([b"h", b"i"]))
    def record_a_hash(self, choice: int, block_hash: bytes) -> None:
        """The first hash of a block stays."""
        if not (names := self.readable()):
            return
        name = names[choice % len(names)]
        known = self.model.hashes.setdefault(name, block_hash)
        if known == block_hash:
            self.run(self.store.committer.record_hash(name, block_hash))
        else:
            error = self.refusal(lambda store: store.committer.record_hash(name, block_hash))
            assert error.reason == "BLOCK_HASH_DIFFERS"

    @invariant()
    def heads_agree(self) -> None:
        """Head, final block and live blocks are the model's."""
        if not hasattr(self, "store"):
            return
        head = self.store.reader.head()
        block = self.model.blocks[self.model.head]
        assert (head.version, head.block_id, head.commitment) == (block.version, block.name, block.commitment)
        assert head.final_version == self.model.blocks[self.model.final].version
        assert head.oldest_version <= max(head.final_version, 0)
        root = self.store.tree.root.version
        live = {name for name, b in self.model.blocks.items() if b.version > root}
        assert {b.commit_id for b in self.store.tree.blocks() if b.version > root} == live
        self.run(check(self.store))


class DiskMachine(StoreMachine):
    """The same on RocksDB."""

    on_disk = True


def machine(*, on_disk: bool, examples: int, steps: int) -> type[RuleBasedStateMachine]:
    """Returns the machine as hypothesis runs it."""
    chosen = DiskMachine if on_disk else StoreMachine
    chosen.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    return chosen


def run(rounds: int, start: int) -> Report:
    """Runs as many histories in memory, and a tenth of them on disk."""
    failures: list[str] = []
    for on_disk, examples in ((False, rounds), (True, max(1, rounds // 10))):
        chosen = machine(on_disk=on_disk, examples=examples, steps=60)
        try:
            run_state_machine_as_test(seed(start)(chosen), settings=chosen.TestCase.settings)
        except Exception as error:  # noqa: BLE001 - whatever it found is the result
            failures.append(f"{'disk' if on_disk else 'memory'}: {type(error).__name__}: {error}")
    text = f"{rounds} histories in memory, {max(1, rounds // 10)} on disk, {len(failures)} failures"
    return Report("model", text + "".join(f"; {failure}" for failure in failures), not failures)
