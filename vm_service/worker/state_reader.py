"""What an executor asks of a store: views, reads, commits. The one real implementation speaks gRPC (`state_client.py`).

Keys and values are text here: state keys and values are UTF-8 by construction (docs/state-keys.md).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from iost.chain.v1 import receipt_pb2
from iost.state.v1 import state_service_pb2
from vm_service.model import Committed, Place, PlaceWish, View
from vm_service.state_keys import StoredValue, contract_key

Entry = tuple[str | None, int]
"""A value, None when there is none, and the version of the commit that last wrote or deleted the key (0: none did)."""


@dataclass(frozen=True, slots=True)
class FirstExecution:
    """A transaction that was executed before."""

    receipt: receipt_pb2.Receipt
    """Its receipt."""
    events: Sequence[receipt_pb2.Event]
    """Its events, in order."""
    version: int
    """Version of the commit that holds it."""
    block_id: bytes
    """Id of that commit; empty when it is no longer remembered."""
    commitment: bytes
    """Commitment of that commit; empty when it is no longer remembered."""


@dataclass(frozen=True, slots=True)
class OpenedView:
    """A view with what a cache must know to follow it."""

    view: View
    """The view."""
    changed: Sequence[str] | None
    """Keys written after the version the caller knew; None: the caller's cache must be dropped."""
    entries: Sequence[Entry]
    """One for each key asked for, in their order."""
    seen: Mapping[bytes, FirstExecution] = field(default_factory=dict)
    """Transactions asked for that were executed before."""
    place: Place | None = None
    """The place asked for."""


class ConflictError(Exception):
    """A commit was refused whole: others changed keys that the batch had read, or it was too late for its place."""

    def __init__(self, keys: Sequence[str], *, late: bool = False) -> None:
        """Creates the error.

        Args:
            keys: the keys that changed.
            late: its place had passed.
        """
        super().__init__("its place had passed" if late else f"{len(keys)} keys changed")
        self.keys = tuple(keys)
        self.late = late


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """Effects to apply: whole or not at all."""

    commit_id: bytes
    """Names the commit; sending it again returns the first answer."""
    parent_id: bytes
    """Commit to build on; empty: the newest."""
    reads: Mapping[str, int]
    """Keys that the batch read, with the version seen."""
    writes: Mapping[str, str | None]
    """New values; None deletes."""
    transactions: Sequence[state_service_pb2.TransactionRecord] = ()
    """Receipts and events, in order; opaque to whoever executes."""
    header: bytes = b""
    """Serialised block header, kept with the commit."""
    answer: bytes = b""
    """Kept with the commit, to answer it again."""
    named: bool = False
    """The commit id is a block id that the caller gave."""
    newest_id: bytes = b""
    """With an empty parent: the commit that must still be the newest, else it is a conflict; empty: whichever is."""
    place_id: int = 0
    """Place whose turn the commit waits for; 0: none."""
    reruns: bool = False
    """Number and time came with the place: a further run gets new ones."""


class StateReader(Protocol):
    """Versioned reads. Implementations raise ServiceError when the store cannot be reached."""

    def open_view(
        self,
        known: View | None,
        keys: Sequence[str],
        at: View | None = None,
        hashes: Sequence[bytes] = (),
        place: PlaceWish | None = None,
    ) -> OpenedView:
        """Opens a view and reads keys at it.

        Args:
            known: the view that the caller's cache is right for; None: it has no cache.
            keys: keys to read along.
            at: the view to open; None: the newest.
            hashes: transactions that may have been executed before on the chain of the view.
            place: asks for a place; none is handed out when a transaction was executed before. Only without `at`.
        """
        ...

    def get_many(self, keys: Sequence[str], view: View) -> Sequence[Entry]:
        """Reads keys at a view; one entry for each, in their order."""
        ...


class StateStore(StateReader, Protocol):
    """Versioned reads and atomic commits."""

    def commit(self, request: CommitRequest, *, validate_only: bool = False) -> Committed:
        """Applies a commit whole.

        Args:
            request: the effects.
            validate_only: only answer version and commitment as if applied.

        Raises:
            ConflictError: it was refused whole.
        """
        ...


def read_sources(store: StateReader, contracts: Sequence[str]) -> Mapping[str, str]:
    """Returns the source of each contract that has one, by id, as of the newest version."""
    if not contracts:
        return {}
    opened = store.open_view(None, [contract_key(name) for name in contracts])
    found = {}
    for name, (stored, _) in zip(contracts, opened.entries, strict=True):
        code = "" if stored is None else json.loads(StoredValue.decode(stored).data).get("code", "")
        if code:
            found[name] = code
    return found
