"""What a run recorded: one JSON object a line, written while it runs, so that a crash of the harness loses nothing.

Times are seconds since 1970 on the harness's own clock. Keys of lists and balances are texts: `0/5` is list 5 of
contract 0, `0/p3` is balance 3 of contract 0.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Self, TypeVar

import msgspec

ACCOUNTS = 6
"""Balances of each contract."""

INITIAL = 1000
"""Units of each balance at the start."""


class Append(msgspec.Struct, tag=True, frozen=True):
    """A step of a transaction: adds a value to a list. Each value is appended once in the whole run."""

    key: str
    value: int


class Look(msgspec.Struct, tag=True, frozen=True):
    """A step of a transaction: returns a list."""

    key: str


class Move(msgspec.Struct, tag=True, frozen=True):
    """A step of a transaction: moves units between two balances of one contract; fails when there are not enough."""

    source: str
    target: str
    amount: int


class Fail(msgspec.Struct, tag=True, frozen=True):
    """A step of a transaction: throws, so that the whole transaction fails."""


Step = Append | Look | Move | Fail


class Outcome(msgspec.Struct, frozen=True):
    """What an answer says of one transaction."""

    verdict: str
    """EXECUTED, DUPLICATE, REFUSED, ...; without the prefix of the enumeration."""
    status: str = ""
    """Status code of the receipt; empty without a receipt."""
    message: str = ""
    """Why it was refused or failed."""
    receipt: str = ""
    """SHA-256 of the receipt's bytes, hex; empty without a receipt."""
    looked: list[list[int]] = []
    """What each `Look` returned, in order; empty unless it succeeded."""
    events: list[str] = []
    """Data of the events of the answer."""
    version: int = 0
    """Version that the answer names; 0 when nothing was committed."""
    commitment: str = ""
    """Commitment of that version, hex."""


class Attempt(msgspec.Struct, frozen=True):
    """One call that carried a transaction."""

    start: float
    end: float
    gateway: int
    outcome: Outcome | None = None
    """The answer; None when the call failed."""
    code: str = ""
    """gRPC status of a failed call."""
    reason: str = ""
    """Its reason."""


class Sent(msgspec.Struct, tag=True, frozen=True):
    """A transaction with all calls that carried it."""

    tx_id: str
    tx_hash: str
    steps: list[Step]
    kind: str
    """`single`, `batch` or `block`."""
    attempts: list[Attempt]


class Stored(msgspec.Struct, frozen=True):
    """A transaction as the store's own record has it."""

    tx_hash: str
    status: str
    receipt: str
    looked: list[list[int]] = []
    events: list[str] = []


class Commit(msgspec.Struct, tag=True, frozen=True):
    """A commit of the main chain, read from the change stream when the run is over."""

    version: int
    block_id: str
    parent_id: str
    commitment: str
    number: int
    time_ns: int
    transactions: list[Stored]


class Read(msgspec.Struct, tag=True, frozen=True):
    """A read of lists and balances at one version."""

    start: float
    end: float
    version: int
    lists: dict[str, list[int]]
    balances: dict[str, int]
    newest: bool = True
    """False: the caller named the version."""


class Head(msgspec.Struct, tag=True, frozen=True):
    """An answer of GetHead."""

    start: float
    end: float
    version: int
    final_version: int
    commitment: str


class Delivered(msgspec.Struct, tag=True, frozen=True):
    """A message of an event stream, in the order in which the subscriber got it."""

    subscriber: str
    version: int
    block_id: str
    transaction_index: int
    event_index: int
    tx_hash: str = ""
    data: str = ""
    unwind: bool = False


class StreamFailed(msgspec.Struct, tag=True, frozen=True):
    """A stream that ended with a failure which reconnecting cannot mend, or that no client should see."""

    subscriber: str
    code: str
    reason: str


class Reorganised(msgspec.Struct, tag=True, frozen=True):
    """The run made another branch the main chain: what was committed above the fork may be void."""

    start: float
    end: float
    fork_version: int


class Fault(msgspec.Struct, tag=True, frozen=True):
    """A fault that was injected."""

    name: str
    start: float
    end: float


Entry = Sent | Commit | Read | Head | Delivered | StreamFailed | Reorganised | Fault
E = TypeVar("E")


class History:
    """All entries of a run, in the order in which they were recorded."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)

    def all(self, kind: type[E]) -> list[E]:
        """Returns the entries of one kind."""
        return [entry for entry in self.entries if isinstance(entry, kind)]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file that a `Recorder` wrote."""
        return cls(map(msgspec.json.Decoder(Entry).decode, path.read_bytes().splitlines()))


class Recorder:
    """Writes entries to a file as they come."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._encode = msgspec.json.Encoder().encode

    def add(self, entry: Entry) -> None:
        """Writes one entry."""
        self._file.write(self._encode(entry) + b"\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
