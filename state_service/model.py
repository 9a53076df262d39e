"""Nouns of the state service: what moves between its modules. Frozen, without protobuf and without storage.

Keys and values are opaque bytes everywhere; `None` as a value means "no value" (never written, or deleted).
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

GENESIS_ID = b""
"""Commit id of the empty store, version 0: the parent of the first commit."""

GENESIS_COMMITMENT = bytes(32)
"""Commitment of the empty store: where every hash chain starts."""


class Durability(enum.Enum):
    """When a commit is acknowledged."""

    SYNCED = "synced"
    """After its record is synced to disk: survives power loss."""
    BUFFERED = "buffered"
    """After its record is handed to the operating system: survives kill -9, not power loss."""


class Entry(NamedTuple):
    """What a view shows for one key. A tuple, because a batch makes thousands: a third of the cost of a dataclass."""

    value: bytes | None
    """The value; None when there is none."""
    version: int
    """Version of the commit that last wrote or deleted the key; 0 when never written or no longer known."""


ABSENT = Entry(value=None, version=0)
"""A key that was never written."""


class TransactionRecord(NamedTuple):
    """A transaction of a batch as the store keeps it; what its payload says is read only at the edge.

    A tuple for the same reason as `Entry`.
    """

    tx_hash: bytes
    """Hash of the transaction: key of the receipts index."""
    event_count: int
    """Number of events in the payload: lets the outbox pass over transactions without any."""
    payload: bytes
    """Serialised `iost.state.v1.TransactionRecord`."""


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """A commit as the caller asks for it: applied whole or refused whole."""

    commit_id: bytes
    """Name of the commit, 1 to 64 bytes; sending it again returns the first answer."""
    writes: Mapping[bytes, bytes | None]
    """New value by key; None deletes."""
    parent_id: bytes | None = None
    """Commit to build on; None: the newest of the main chain."""
    newest_id: bytes | None = None
    """Without a parent: the commit that must still be the newest; None: whichever is."""
    reads: Mapping[bytes, int] | None = None
    """Version by key as the caller read it; each must still hold on the parent."""
    transactions: Sequence[TransactionRecord] = ()
    """Transactions of the batch, in order."""
    header: bytes = b""
    """Serialised `iost.chain.v1.BlockHeader` kept with the commit; empty: none."""
    answer: bytes = b""
    """Opaque bytes kept with the commit, by which its owner answers it again."""
    named: bool = False
    """The caller of the block gave its id, which counts as its hash until one is recorded."""
    durability: Durability = Durability.SYNCED
    """When to acknowledge."""
    epoch: int = 0
    """Writer's epoch the caller believes in; 0: not checked."""
    place_id: int = 0
    """Place whose turn the commit waits for; 0: none."""


@dataclass(frozen=True, slots=True)
class CommitResult:
    """Answer to a commit."""

    version: int
    """Version of the commit: its depth in the tree of commits."""
    commitment: bytes
    """Hash chain value up to this commit."""
    parent_version: int
    """Version of the parent; always `version - 1`."""
    durability: Durability
    """Durability that the commit got."""
    duplicate: bool = False
    """True when the commit had been applied before."""


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """A commit as the journal keeps it: the one source of caches, receipts, events and change feed."""

    commit_id: bytes
    """Name of the commit."""
    version: int
    """Its version."""
    parent_id: bytes
    """Name of its parent; `GENESIS_ID` for version 1."""
    commitment: bytes
    """Hash chain value up to this commit."""
    writes: Mapping[bytes, bytes | None]
    """New value by key, in key order; None deletes."""
    transactions: Sequence[TransactionRecord]
    """Transactions, in order."""
    header: bytes
    """Serialised header."""


@dataclass(frozen=True, slots=True)
class CommitSummary:
    """The small part of a commit record: enough to answer a repeated commit and to chain commitments."""

    commit_id: bytes
    """Name of the commit."""
    version: int
    """Its version."""
    parent_id: bytes
    """Name of its parent."""
    commitment: bytes
    """Hash chain value up to this commit."""
    durability: Durability
    """Durability that was acknowledged."""
    linear: bool
    """True when the caller named no parent: such commits become final by themselves, behind the retained versions."""
    dropped: bool = False
    """True when the commit was dropped: its record is gone, and only the way to its parent is remembered."""
    named: bool = False
    """True when the caller of the block gave its id."""
    recorded_hash: bytes = b""
    """Hash that was recorded for the block; empty: none."""

    @property
    def block_hash(self) -> bytes:
        """Hash of the block as far as it is known; else empty."""
        return self.recorded_hash or (self.commit_id if self.named else b"")


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A commit with what its owner needs to answer it again."""

    summary: CommitSummary
    """Its name, place and commitment."""
    header: bytes
    """Serialised header."""
    transactions: Sequence[TransactionRecord]
    """Transactions, in order."""
    answer: bytes
    """Opaque bytes of its owner."""


@dataclass(frozen=True, slots=True)
class View:
    """Names the state to read: exactly one commit."""

    version: int = 0
    """Version on the main chain; 0 with no block id: the newest."""
    block_id: bytes | None = None
    """Commit id of a live block; wins over `version`."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a scan."""

    entries: Sequence[tuple[bytes, Entry]]
    """Keys with what the view shows for them, in key order; none absent."""
    next_key: bytes | None
    """Where the next page starts; None at the end."""
    version: int
    """Version that was read."""


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A transaction record with its place."""

    version: int
    """Version of the commit that holds it."""
    index: int
    """Place of the transaction in that commit, from 0."""
    payload: bytes
    """Serialised `iost.state.v1.TransactionRecord`."""
    commit_id: bytes = b""
    """Name of that commit; empty when it is no longer remembered. Not stored with the receipt."""
    commitment: bytes = b""
    """Commitment of that commit; empty when it is no longer remembered. Not stored with the receipt."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the store stands."""

    version: int
    """Newest acknowledged version of the main chain; 0 for an empty store."""
    block_id: bytes
    """Its commit id."""
    commitment: bytes
    """Its commitment."""
    parent_id: bytes
    """Commit id of its parent."""
    header: bytes
    """Serialised header of that commit."""
    number: int
    """Number of that block."""
    time_ns: int
    """Its time, nanoseconds since 1970."""
    block_hash: bytes
    """Its hash as far as it is known; else empty."""
    final_version: int
    """Newest version that can no longer be dropped."""
    oldest_version: int
    """Oldest version that can be read."""
    epoch: int
    """Epoch of the writer."""


@dataclass(frozen=True, slots=True)
class OpenedView:
    """A view, with what changed since a version the caller knows."""

    summary: CommitSummary
    """The commit that is read."""
    header: bytes
    """Its serialised header."""
    changed_keys: Sequence[bytes]
    """Keys written after the known version, each once."""
    complete: bool
    """False: `changed_keys` does not tell all; the caller drops its cache."""
    entries: Sequence[Entry]
    """What the view shows for the keys asked for, in their order."""
    epoch: int
    """Epoch of the writer."""
