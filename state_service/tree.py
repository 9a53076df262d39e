"""L2: the commits that are not yet folded, as a tree by parent, held in memory over the journal.

    root ──► a ──► b ──► c          root: the newest folded commit; a, b, c: the main chain; c: its tip
              └──► x ──► y          x, y: a branch; sees a, never b or c

A commit is attached when it is accepted, and published when its record is as durable as was asked for. Reads see
published blocks only; later commits may build on unpublished ones, so that they can share one sync.

INVARIANTS
  1. A block's version is its parent's plus one, so the main chain has one block for each version from root to tip.
  2. `_latest[key]` is the newest block of the main chain that wrote the key; `shadowed[key]` of a block is the one
     before it. A view finds the newest write not younger than itself by walking that list, mostly one step.
  3. Published blocks are closed under parent. The head is the newest published block of the main chain.
  4. Root and final block are on the main chain; no block that is not a descendant of the final block's ancestors is
     kept: finalising drops every sibling.
All methods run on the event loop and do not wait, so each is atomic.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from state_service.headers import block_time
from state_service.model import CommitSummary, Entry, TransactionRecord
from state_service.records import Place

_BLOCK_OVERHEAD_BYTES = 2048
"""Memory of a block without its writes and transactions, about."""

_WRITE_OVERHEAD_BYTES = 150
"""Memory of one write beside its key and value: two byte objects, two dict slots, about."""


class Block:
    """One commit in the tree."""

    __slots__ = (
        "_ordered_keys",
        "_transaction_places",
        "answer",
        "byte_count",
        "children",
        "commit_id",
        "commitment",
        "dropped",
        "durability",
        "durable",
        "header",
        "held_bytes",
        "linear",
        "named",
        "number",
        "on_main",
        "parent",
        "parent_id",
        "published",
        "recorded_hash",
        "shadowed",
        "time_ns",
        "transactions",
        "version",
        "writes",
    )

    def __init__(
        self,
        summary: CommitSummary,
        parent: "Block | None",
        writes: dict[bytes, bytes | None],
        transactions: Sequence[TransactionRecord] = (),
        header: bytes = b"",
        answer: bytes = b"",
        byte_count: int = 0,
    ) -> None:
        """Makes a block that is not attached yet.

        Args:
            summary: Name, version and commitment.
            parent: Block it builds on; None for a root.
            writes: New value by key, in key order; None deletes.
            transactions: Transactions, in order.
            header: Serialised header.
            answer: Opaque bytes of the commit's owner.
            byte_count: Size of its journal record.
        """
        self.commit_id = summary.commit_id
        self.version = summary.version
        self.commitment = summary.commitment
        self.durability = summary.durability
        self.linear = summary.linear
        self.named = summary.named
        self.recorded_hash = summary.recorded_hash
        self.parent = parent
        self.parent_id = summary.parent_id
        self.writes = writes
        self.transactions = transactions
        self.header = header
        self.answer = answer
        self.number, self.time_ns = block_time(header, summary.version)
        self.byte_count = byte_count
        self.held_bytes = _BLOCK_OVERHEAD_BYTES + byte_count + _WRITE_OVERHEAD_BYTES * len(writes)
        self.children: list[Block] = []
        self.shadowed: dict[bytes, Block] = {}
        self.on_main = False
        self.published = False
        self.dropped = False
        self.durable: asyncio.Future[None] | None = None
        """Done when it is published, or cannot be; set once it is queued for the journal."""
        self._ordered_keys: list[bytes] | None = None
        self._transaction_places: dict[bytes, int] | None = None

    def ordered_keys(self) -> list[bytes]:
        """Returns the written keys in order; made at the first scan that needs them."""
        if self._ordered_keys is None:
            self._ordered_keys = list(self.writes)
        return self._ordered_keys

    def transaction_place(self, tx_hash: bytes) -> int | None:
        """Returns the place of a transaction in the block; None when it is not part of it."""
        if self._transaction_places is None:
            self._transaction_places = {item.tx_hash: place for place, item in enumerate(self.transactions)}
        return self._transaction_places.get(tx_hash)

    def shed(self) -> None:
        """Lets go of everything of weight: the store has it now."""
        self.held_bytes = 0
        self.writes, self.shadowed, self.transactions, self.answer = {}, {}, (), b""
        self._ordered_keys = self._transaction_places = None

    @property
    def place(self) -> Place:
        """Pointer to this block, as META keeps it."""
        return Place(self.version, self.commitment, self.commit_id)

    def summary(self) -> CommitSummary:
        """Returns the small part of the commit."""
        return CommitSummary(
            self.commit_id,
            self.version,
            self.parent_id,
            self.commitment,
            self.durability,
            self.linear,
            named=self.named,
            recorded_hash=self.recorded_hash,
        )


def root_block(summary: CommitSummary, header: bytes = b"") -> Block:
    """Returns the block that stands for everything folded so far; `summary` is that of the newest folded commit."""
    root = Block(summary, None, {}, header=header)
    root.published = root.on_main = True
    return root


class BlockTree:
    """The tree of live commits above one root."""

    def __init__(self, root: Block) -> None:
        """Starts with the root alone; it is head, tip and final block."""
        self.root = root
        self.head = root
        self.tip = root
        self.final = root
        self.changing = False
        """Whether a change of the final block or the head is on its way to the disk."""
        self.held_bytes = 0
        self._by_id: dict[bytes, Block] = {root.commit_id: root}
        self._main: dict[int, Block] = {root.version: root}
        self._latest: dict[bytes, Block] = {}
        self._receipts: dict[bytes, tuple[Block, int]] = {}

    def __len__(self) -> int:
        """Returns the number of live blocks, the root included."""
        return len(self._by_id)

    # Finding blocks.

    def find(self, commit_id: bytes) -> Block | None:
        """Returns the live block with this name, published or not."""
        return self._by_id.get(commit_id)

    def main_at(self, version: int) -> Block | None:
        """Returns the published block of the main chain at a version; None when it is folded or not there yet."""
        return self._main.get(version) if version <= self.head.version else None

    def blocks(self) -> list[Block]:
        """Returns the published blocks by version, then name."""
        return sorted((b for b in self._by_id.values() if b.published), key=lambda b: (b.version, b.commit_id))

    def receipt(self, tx_hash: bytes, at: Block | None = None) -> tuple[Block, int] | None:
        """Finds a transaction above the root by its hash.

        Args:
            tx_hash: Its hash.
            at: Look on the chain from this block down; None: on the main chain.

        Returns:
            The newest published block there that holds it, and its place in it.
        """
        while at is not None and not at.on_main:
            if (place := at.transaction_place(tx_hash)) is not None:
                return at, place
            at = at.parent
        found = self._receipts.get(tx_hash)
        if found is None or not found[0].published or (at is not None and found[0].version > at.version):
            return None
        return found

    # Reading.

    def lookup(self, block: Block, key: bytes) -> Entry | None:
        """Returns what a view at a block shows for a key; None when nothing above the root wrote it."""
        writer = self._writer(block, key)
        return None if writer is None else Entry(writer.writes[key], writer.version)

    def lookup_many(self, block: Block, keys: Sequence[bytes]) -> tuple[list[Entry | None], list[int]]:
        """Looks up keys at a block.

        Returns:
            An entry for each key, None where nothing above the root wrote it; and the places of those.
        """
        if block is self.root:
            return [None] * len(keys), list(range(len(keys)))
        entries: list[Entry | None] = []
        missing: list[int] = []
        latest = self._latest if block.on_main else {}
        for place, key in enumerate(keys):
            # Mostly nobody above the root wrote the key, or the newest writer is the right one: no call for those.
            writer = latest.get(key)
            if writer is None:
                writer = None if block.on_main else self._writer(block, key)
            elif writer.version > block.version:
                writer = self._writer(block, key)
            if writer is None or writer.version <= self.root.version:
                missing.append(place)
                entries.append(None)
            else:
                entries.append(Entry(writer.writes[key], writer.version))
        return entries, missing

    def stale_reads(self, block: Block, reads: Mapping[bytes, int]) -> tuple[list[bytes], list[bytes]]:
        """Compares the versions that a batch read with those that a view at a block shows.

        Returns:
            The keys whose version differs, and the keys that nothing above the root wrote: those are for the caller.
        """
        stale: list[bytes] = []
        unknown: list[bytes] = []
        latest, newest = self._latest, block is self.tip
        for key, version in reads.items():
            writer = latest.get(key) if newest else self._writer(block, key)
            if writer is None or writer.version <= self.root.version:
                unknown.append(key)
            elif writer.version != version:
                stale.append(key)
        return stale, unknown

    def _writer(self, block: Block, key: bytes) -> Block | None:
        while not block.on_main:
            if key in block.writes:
                return block
            assert block.parent is not None, "only the root has no parent, and it is on the main chain"
            block = block.parent
        writer = self._latest.get(key)
        while writer is not None and writer.version > block.version:
            writer = writer.shadowed.get(key)
        return None if writer is None or writer.version <= self.root.version else writer

    def path(self, block: Block) -> list[Block]:
        """Returns the blocks above the root down to a block, oldest first."""
        found: list[Block] = []
        walk: Block | None = block
        while walk is not None and walk is not self.root:
            found.append(walk)
            walk = walk.parent
        found.reverse()
        return found

    # Growing.

    def attach(self, block: Block) -> None:
        """Adds an unpublished block below its parent. It joins the main chain when its parent is the tip."""
        parent = block.parent
        assert parent is not None, "only the root has no parent, and it is never attached"
        assert block.version == parent.version + 1, "invariant 1"
        parent.children.append(block)
        self._by_id[block.commit_id] = block
        self.held_bytes += block.held_bytes
        if parent is self.tip:
            self._extend_main(block)

    def publish(self, block: Block) -> None:
        """Makes a block readable. REQUIRES: its parent is published."""
        block.published = True
        if block.on_main:
            self.head = block

    def _extend_main(self, block: Block) -> None:
        older = self._latest.get
        block.shadowed = {key: before for key in block.writes if (before := older(key)) is not None}
        self._latest.update(dict.fromkeys(block.writes, block))
        for index, transaction in enumerate(block.transactions):
            self._receipts[transaction.tx_hash] = (block, index)
        block.on_main = True
        self._main[block.version] = block
        self.tip = block

    def _rebuild_main(self, tip: Block) -> None:
        """Makes the chain from the root to a block the main chain."""
        for block in self._by_id.values():
            block.on_main = False
            block.shadowed = {}
        self._latest.clear()
        self._receipts.clear()
        self._main = {self.root.version: self.root}
        self.root.on_main = True
        self.tip = self.root
        for block in self.path(tip):
            self._extend_main(block)
        self.head = tip

    def set_head(self, block: Block) -> None:
        """Makes a published block the head, and the chain above it the main chain. For recovery and reorganisation."""
        self._rebuild_main(block)

    def drop_unpublished(self) -> None:
        """Forgets every block that is not published; their records certainly do not exist."""
        for block in [block for block in self._by_id.values() if not block.published]:
            self._forget(block)
            if block.parent is not None and block.parent.published:
                block.parent.children.remove(block)
        self._rebuild_main(self.head)

    # Shrinking. REQUIRES: no unpublished blocks, but for `advance_root`.

    def siblings_of_path(self, block: Block) -> list[Block]:
        """Returns the live blocks that are neither ancestors of a block, nor the block, nor its descendants."""
        kept = set(self.path(block))
        dropped: list[Block] = []
        walk = block
        while walk is not self.root and walk.parent is not None:
            walk = walk.parent
            for child in walk.children:
                if child not in kept:
                    dropped += self.subtree(child)
        return dropped

    def subtree(self, block: Block) -> list[Block]:
        """Returns a block and its descendants, parents first."""
        found = [block]
        for member in found:  # grows while it is walked
            found += member.children
        return found

    def remove(self, dropped: Iterable[Block], new_head: Block) -> None:
        """Forgets blocks and moves the head where it must be afterwards.

        Args:
            dropped: Whole subtrees.
            new_head: A block that stays; the main chain is rebuilt when it is not the head.
        """
        gone = set(dropped)
        for block in gone:
            self._forget(block)
            if block.parent is not None and block.parent not in gone:
                block.parent.children.remove(block)
        if new_head is not self.head:
            self._rebuild_main(new_head)

    def _forget(self, block: Block) -> None:
        del self._by_id[block.commit_id]
        block.dropped = True
        self.held_bytes -= block.held_bytes

    def advance_root(self) -> Block:
        """Takes the next block of the main chain as root: its writes are in the store now.

        REQUIRES: that block is final and published, and its siblings are dropped.

        Returns:
            The new root.
        """
        old, block = self.root, self._main[self.root.version + 1]
        for key in block.writes:
            if self._latest.get(key) is block:
                del self._latest[key]
        for transaction in block.transactions:
            if self._receipts.get(transaction.tx_hash, (None,))[0] is block:
                del self._receipts[transaction.tx_hash]
        self.held_bytes -= block.held_bytes
        # The old root may still be named by `shadowed` of younger blocks: leave nothing of weight in it.
        block.shed()
        block.parent, old.children, old.dropped = None, [], True
        del self._by_id[old.commit_id], self._main[old.version]
        self.root = block
        return block

    # Ranges.

    def keys_between(self, block: Block, start: bytes, end: bytes | None) -> Iterator[Iterator[bytes]]:
        """Yields, for each block above the root that a view sees, its written keys in start <= key < end, in order."""
        for member in self.path(block):
            ordered = member.ordered_keys()
            first = bisect_left(ordered, start)
            last = len(ordered) if end is None else bisect_left(ordered, end, first)
            yield islice(ordered, first, last)
