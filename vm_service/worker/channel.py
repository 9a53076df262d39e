"""Framed messages between manager and worker, over an inherited socket pair.

    stream = frame*
    frame  = length:u32 little-endian, message          ; length of the message in bytes, at most MAX_FRAME_BYTES
    message = msgpack array [tag, field ...]            ; msgspec structs below, both ways tagged by their class

Manager to worker: `Start` once, then `Work` one at a time, `Ping` while idle, `Stop` at the end. Worker to manager:
`Connected` and `Ready` once; for each `Work` any number of `Beat`, `Announce` and `Committing`, then one of `Done`,
`Failed`, `Stopped`; `Pong`. While it starts or runs a batch it may send `Compiled`, and `Wanted`, which the manager
answers with one `Image`.
Protobuf messages travel as the bytes they came in: the manager only moves them.

An **item** is a transaction, a call or a source; items of a batch are counted through all its requests from 0.
"""

import socket
import threading
from typing import Literal, TypeAlias

import grpc
import msgspec

LENGTH_BYTES = 4
NOBODY = -1
"""Place of no item: what a loss then names."""

EXIT_STOPPED = 0
"""Exit code of a worker that was told to leave."""

EXIT_DETACHED = 5
"""Exit code of a worker that lost the state service, or never found it: no item can be blamed."""

MAX_FRAME_BYTES = 128 << 20
"""Twice the largest gRPC message: a request in, or its answer out, with room for what is added."""


class Start(msgspec.Struct, frozen=True, array_like=True, tag="start"):
    """Brings the worker up."""

    worker_id: str
    state_target: str
    max_message_bytes: int
    transaction_ms: int
    heap_bytes: int
    image_bytes: int
    state_timeout_ms: int
    start_ms: int
    chain_id: int
    generate_ahead_ms: int
    validate_ahead_ms: int
    trust_signature_claims: bool
    transaction_ahead_ms: int
    flags: tuple[str, ...]
    confined: bool
    snapshot_folder: str
    snapshot_key: str
    """Snapshot to start from; empty: from sources."""
    hot: list[str]
    """Contracts to have in place before taking work."""
    pinned: list[str]
    """Those of them that are never dropped."""
    failpoints: str
    log_level: str


Kind: TypeAlias = Literal["execute", "validate", "call", "execute_block", "validate_block", "compile"]


class Exclusion(msgspec.Struct, frozen=True, array_like=True):
    """An item that is answered without being run, since it ended two workers."""

    verdict: int
    """The verdict to answer, as in the protobuf enum."""
    message: str
    """What was measured."""
    index: int = -1
    """Its place in the batch; -1: named by its hash."""
    tx_hash: bytes = b""
    """Its hash; empty: named by its place."""


class Work(msgspec.Struct, frozen=True, array_like=True, tag="work"):
    """A batch: serialised requests of one method.

    `execute` takes several requests, whose transactions run as one batch; the others take one.
    """

    work_id: int
    kind: Kind
    requests: list[bytes]
    careful: bool = False
    """Announce each item: the same batch lost a worker before."""
    own_commit_ids: list[bytes] = []
    """Ids under which lost workers may have committed the same batch: what these commits hold, it did not repeat."""
    excluded: list[Exclusion] = []
    """Items not to run."""
    expected_ms: int = 0
    """How long it is expected to run."""
    timeout_ms: int = 0
    """Time until its last caller gives up; until then it is run again after each conflict. 0: without end."""


class Ping(msgspec.Struct, frozen=True, array_like=True, tag="ping"):
    """Asks whether the worker is alive."""


class Image(msgspec.Struct, frozen=True, array_like=True, tag="image"):
    """Answers `Wanted`."""

    key: str
    """Key of the source."""
    image: str = ""
    """Script of the image; empty: the service has none."""
    meta: str = ""
    """JSON handed over with it."""
    code_bytes: int = 0
    """Bytes of the source's reference form."""


class Stop(msgspec.Struct, frozen=True, array_like=True, tag="stop"):
    """Ends the worker."""


class Figures(msgspec.Struct, frozen=True, array_like=True):
    """What a worker tells about itself when it is ready and with each answer."""

    transaction_count: int = 0
    conflict_count: int = 0
    wait_count: int = 0
    """Times that the view of the batch was opened later because of others' places."""
    wait_ms: int = 0
    """Time that the last of them took."""
    ran_ms: int = 0
    """Effort of the batch's last run: processor time, and waits for the state service."""
    read_call_count: int = 0
    heap_bytes: int = 0
    rss_bytes: int = 0
    pinned: int = 0
    """Uses of contracts in the batch that were found pinned,"""
    recent: int = 0
    """recently used,"""
    cold: int = 0
    """or had to be compiled."""
    used: list[str] = []
    """Contracts that the batch used."""
    slow: list[tuple[int, int]] = []
    """Items of the batch that ran so long that they were seen to run, by place, with milliseconds."""
    hot_contracts: list[str] = []
    """Contracts whose images are installed, the most used first."""
    crowded: bool = False
    """The process has grown nearly as far as it may."""


class Connected(msgspec.Struct, frozen=True, array_like=True, tag="connected"):
    """The worker has reached the state service; whatever delays it from here on is its own."""


class Ready(msgspec.Struct, frozen=True, array_like=True, tag="ready"):
    """The worker takes work."""

    build_id: str
    boot_ms: float
    figures: Figures
    origin: Literal["snapshot", "sources"] = "sources"
    """What the sandbox started from."""
    refused: str = ""
    """Why the snapshot was not used, in one word."""


class Beat(msgspec.Struct, frozen=True, array_like=True, tag="beat"):
    """Sent while a batch runs."""

    work_id: int
    running_ms: int
    """How long the present item has been running inside V8; 0 outside."""


class Announce(msgspec.Struct, frozen=True, array_like=True, tag="announce"):
    """Sent before each item of a careful batch, and before its commit."""

    work_id: int
    index: int
    """The item; `NOBODY`: all have run, and the commit begins."""
    tx_hash: bytes
    """Its hash, if it is a transaction."""


class Committing(msgspec.Struct, frozen=True, array_like=True, tag="committing"):
    """Sent before the commit of a batch whose commit id is made from its content.

    Should the worker be lost, the batch may have been committed under this id. An earlier id of the same batch was
    refused.
    """

    work_id: int
    commit_id: bytes


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """The batch is answered: one serialised response for each request, up to where its time was over."""

    work_id: int
    responses: list[bytes]
    figures: Figures


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """The call failed; the worker is fine. `status` is a serialised google.rpc.Status."""

    work_id: int
    status: bytes
    figures: Figures


class Stopped(msgspec.Struct, frozen=True, array_like=True, tag="stopped"):
    """This machine stopped an item; the worker leaves."""

    work_id: int
    reason: Literal["timeout", "memory", "broken"]
    """`broken`: V8's own stack ended, or this program failed inside an isolate."""
    index: int
    """The item; -1: none was running."""
    tx_hash: bytes
    """Its hash, if it is a transaction."""
    measured: str
    """What was measured, for the caller."""


class Wanted(msgspec.Struct, frozen=True, array_like=True, tag="wanted"):
    """Asks for the image of a source before it is compiled."""

    key: str
    """Key of the source."""
    build_id: str
    """Build of the images that this worker can run."""


class Compiled(msgspec.Struct, frozen=True, array_like=True, tag="compiled"):
    """Tells that the worker has compiled a source. Its own image is not handed on."""

    source: str


class Pong(msgspec.Struct, frozen=True, array_like=True, tag="pong"):
    """The worker is alive."""


ToWorker: TypeAlias = Start | Work | Ping | Image | Stop
ToManager: TypeAlias = (
    Connected | Ready | Beat | Announce | Committing | Done | Failed | Stopped | Wanted | Compiled | Pong
)

_encoder = msgspec.msgpack.Encoder()
_to_worker = msgspec.msgpack.Decoder(ToWorker)
_to_manager = msgspec.msgpack.Decoder(ToManager)


_CODES = {code.value[0]: code for code in grpc.StatusCode}


def encode(message: ToWorker | ToManager) -> bytes:
    """Returns the frame of a message."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "little") + body


def decode_for_manager(body: bytes) -> ToManager:
    """Decodes a message of a worker; raises msgspec.DecodeError when it is none."""
    message: ToManager = _to_manager.decode(body)
    return message


def status_code(number: int) -> grpc.StatusCode:
    """Returns the gRPC code of a google.rpc.Status number."""
    return _CODES.get(number, grpc.StatusCode.UNKNOWN)


class WorkerChannel:
    """The worker's end: blocking; sending is safe from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        """Takes the socket over."""
        sock.setblocking(True)
        self._socket = sock
        self._lock = threading.Lock()

    def send(self, message: ToWorker | ToManager) -> None:
        """Sends a message; raises OSError when the manager is gone."""
        frame = encode(message)
        with self._lock:
            self._socket.sendall(frame)

    def receive(self) -> ToWorker | None:
        """Waits for the next message; None when the manager is gone."""
        header = self._exactly(LENGTH_BYTES)
        if header is None:
            return None
        body = self._exactly(int.from_bytes(header, "little"))
        return None if body is None else _to_worker.decode(body)

    def _exactly(self, count: int) -> bytearray | None:
        buffer = bytearray(count)
        view, at = memoryview(buffer), 0
        while at < count:
            received = self._socket.recv_into(view[at:])
            if received == 0:
                return None
            at += received
        return buffer
