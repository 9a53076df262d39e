"""Nouns of the VM service: what moves between its modules. Protobuf stays at the edge (`convert.py`).

Transactions and calls are in **kernel form**: plain dictionaries, exactly what `runtime/kernel/90_entry.js` takes.
Answers of the kernel are msgspec structs, since they come as JSON text and are decoded in one go.
"""

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

KernelTransaction = Mapping[str, Any]
"""hash, size, publisher, signers, actions, amount_limit, gas_limit, gas_ratio, time, expiration, ..."""

KernelCall = Mapping[str, Any]
"""contract, action, data, publisher, gas_limit."""


class Mode(enum.Enum):
    """What a batch is run for; the texts are the kernel's."""

    EXECUTE = "execute"
    """Transactions in order, each seeing the effects of those before; effects are kept for a commit."""
    DRY = "dry"
    """The same, and nothing is kept."""
    VALIDATE = "validate"
    """Each transaction alone on the same view; nothing is kept."""
    CALL = "call"
    """Read-only calls without a transaction, each alone on the same view."""
    BARE = "bare"
    """Calls on a bare host, without transaction and authority: how single rules of the language are tested."""


@dataclass(frozen=True, slots=True)
class View:
    """The state as of one commit."""

    version: int = 0
    """Version of the commit; 0 is the empty store."""
    block_id: bytes = b""
    """Its commit id; empty when only the version is known."""
    number: int | None = field(default=None, compare=False)
    """Number of its block; None when not known."""
    time_ns: int = field(default=0, compare=False)
    """Time of its block, nanoseconds since 1970; 0 when not known."""
    parent_id: bytes = field(default=b"", compare=False)
    """Commit id of its parent; empty when not known."""
    block_hash: bytes = field(default=b"", compare=False)
    """Hash of its block; empty when not known."""
    commitment: bytes = field(default=b"", compare=False)
    """State commitment; empty when not known."""


@dataclass(frozen=True, slots=True)
class PlaceWish:
    """Asks the store for the place of a batch in the order of commits."""

    expected_ms: int = 0
    """How long the run is expected to take."""
    first: bool = False
    """The batch lost before: no other may commit between its view and its commit."""
    cells: Collection[int] = ()
    """Numbers of its contended cells."""
    least_time_ns: int = 0
    """The block must not be older: time of the newest transaction."""


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a batch in the order of commits: number and time, when it brings none."""

    place_id: int
    """Names it at the store."""
    number: int
    """Number of the block."""
    time_ns: int
    """Time of the block, nanoseconds since 1970."""
    waited: bool = False
    """The view was opened later because of an earlier place."""


@dataclass(frozen=True, slots=True)
class BlockContext:
    """What contracts can see of the block they run in."""

    number: int
    """Height; 0 is genesis, where authority is not checked."""
    parent_hash: bytes | None
    """Commit id of the parent; None as well as the others: unknown, on a bare host."""
    witness: str | None
    """Account that produced the block."""
    time_ns: int | None
    """Nanoseconds since 1970."""
    ahead_ns: int = 0
    """How far the time of a transaction may lie after that of the block when it is only tried."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a batch may take as a whole; what is left then is not run."""

    soft_s: float
    """Seconds after which it ends before the next request."""
    hard_s: float
    """Seconds after which it ends before the next item."""
    stops: Sequence[int] = ()
    """Places of items that begin a request, but for the first."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Work for one worker: transactions or calls, run in order."""

    mode: Mode
    """What for."""
    block: Callable[[View, Place | None], BlockContext]
    """Block context on a view, with the place of the batch if it asked for one."""
    transactions: Sequence[KernelTransaction] = ()
    """Transactions in order."""
    calls: Sequence[KernelCall] = ()
    """Calls, in mode CALL."""
    at: View | None = None
    """Where to run; None: the newest version."""
    careful: bool = False
    """Announce each transaction before it runs: a second try after a worker was lost must know whom to blame."""
    trace: bool = False
    """Tell which keys each transaction touched."""
    traced: Sequence[int] = ()
    """Places of items whose failures are traced: they run on images that know their source."""
    hashes: Sequence[bytes] = ()
    """Hashes of the transactions: the batch does not run when the chain of its view holds one of them."""
    place: PlaceWish | None = None
    """Ask for a place; None: run without one. Not with `at`."""
    patience: "Patience | None" = None
    """How long it may take as a whole; None: as long as it takes. A block has none."""


class Status(msgspec.Struct, frozen=True):
    """How a transaction or call ended, in IOST's numbering (0 success)."""

    code: int
    message: str = ""


class Note(msgspec.Struct, frozen=True):
    """A receipt entry."""

    func_name: str
    content: str


class Event(msgspec.Struct, frozen=True):
    """Something a contract announced; `topic` is `receipt` or `event`."""

    topic: str
    contract: str
    action: str
    data: str


class FailedFrame(msgspec.Struct, frozen=True):
    """A method of a contract that was running when something failed."""

    contract: str
    action: str
    sites: list[tuple[str, int, str]] = []
    """Running functions, innermost first, in a traced run: script, offset, name."""


class Failed(msgspec.Struct, frozen=True):
    """Where an action or call failed, the innermost frame first."""

    frames: list[FailedFrame] = []
    thrown: str = ""
    """JSON text of a thrown object, in a traced run."""


class Result(msgspec.Struct, frozen=True):
    """What became of one transaction or call. `refused` set: not executed, nothing charged, the rest is empty."""

    refused: str | None = None
    status: Status | None = None
    gas_usage: int = 0
    ram_usage: dict[str, int] = {}
    returns: list[str] = []
    receipts: list[Note] = []
    events: list[Event] = []
    console: list[str] = []
    gas_js: list[int | None] = []
    """Gas used in V8 by each action; None where none ran."""
    keys: list[str] = []
    """Keys touched, when the batch asked for them."""
    failure: Failed | None = None
    """Where it failed; no part of its receipt."""
    bug: str = ""
    """What the kernel stumbled over; never leaves the process."""


class Need(msgspec.Struct, frozen=True):
    """A source that the kernel wants compiled before it goes on; `validate` asks for the checks of publishing."""

    need_id: str
    source: str
    abi: Any = None
    validate: bool = False
    raw: bool = False
    traced: bool = False
    """The image for a traced run is wanted."""


class Answer(msgspec.Struct, frozen=True):
    """The kernel's answer to `begin` and `resume`."""

    state: str
    ran: int = 0
    """Items that ran before their results became too many."""
    needs: list[Need] = []
    results: list[Result] = []
    used: dict[str, str] = {}
    """Image key by contract, of those that ran."""
    writes: dict[str, str | None] = {}
    reads: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch did, before commit."""

    view: View
    """The view it ran on."""
    block: BlockContext
    """The block context it ran in."""
    results: Sequence[Result]
    """One for each transaction or call, in order."""
    reads: Mapping[str, int]
    """Every key read, failed transactions included, with the version seen."""
    writes: Mapping[str, str | None]
    """Effects of the whole batch; None deletes."""
    place: Place | None = None
    """Its place in the order of commits, if it asked for one."""


@dataclass(frozen=True, slots=True)
class Committed:
    """Answer of the store to a commit."""

    version: int
    """Version of the commit."""
    commitment: bytes
    """Hash chain value up to it."""
    parent_version: int
    """Version it was built on."""
    duplicate: bool = False
    """The commit id was applied before; nothing was applied now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker grants; outcomes never depend on these (docs/determinism.md)."""

    transaction_ms: int = 2_000
    """Wall-clock time of one transaction, state reads not counted. The slowest 4,000,000 gas known take 0.9 s here."""
    kill_grace_ms: int = 250
    """Time for a cancelled transaction to stop before its process is killed."""
    heap_bytes: int = 128 << 20
    """V8 heap in use at which a transaction is stopped."""
    image_bytes: int = 64 << 20
    """Text of installed images held hot; more are kept only as long as there is room."""
    flags: tuple[str, ...] = field(default=())
    """V8 flags beyond the fixed ones."""
