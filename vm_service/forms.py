"""Form checks of requests: counts and sizes, before anything is run.

What a transaction must satisfy to be executed is checked later and answered as a refusal; here only what no caller can
have meant. Each check takes the bytes of a request and returns its shape; it raises MalformedRequestError, which names
the field, or DecodeError when the bytes are no such request.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from iost.chain.v1 import block_pb2, transaction_pb2
from iost.vm.v1 import compilation_service_pb2 as compilation_pb
from iost.vm.v1 import execution_service_pb2 as execution_pb
from vm_service import company
from vm_service.company import Company
from vm_service.errors import MalformedRequestError

MAX_TRANSACTIONS = 10_000
MAX_BYTES = 16 << 20
"""Of all transactions or calls of a request: a worker holds them in a dozen forms at once, and may grow by 256 MB."""
MAX_CALLS = 1_000
MAX_SOURCES = 100
MAX_SOURCE_CHARS = 65_536
"""Of a source, and of an ABI document: as large as a transaction, so that nothing larger can be published."""
MAX_NAME_CHARS = 128
"""Longest contract id, action or account name that is looked at; real ones have at most 64."""
MAX_CALL_DATA_BYTES = 1 << 20
BLOCK_ID_BYTES = 32
MAX_ID_BYTES = 64
"""Of a commit id that names a view or a parent, as the state service takes them."""

DRY_RUN_OPTIONS = ("trace", "assume_signed", "assume_paid")
"""Options of an ExecuteTransactionsRequest of which nothing may be kept."""

HINT_COUNT = 4
"""Contracts of a batch that choose its worker: the first few say enough."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the entrance needs to know of a request."""

    item_count: int
    """Transactions, calls or sources."""
    contracts: Collection[str] = ()
    """Contracts that it calls directly: all of them when it shares batches, else some."""
    companies: Sequence[Company] = ()
    """Company of each item, in order; empty when its pace does not matter."""
    account: str = ""
    """What its worker time is charged to, among requests that may run long."""
    dry_run: bool = False
    """Nothing is kept."""
    alone: bool = False
    """It cannot share a batch: it brings its own block context, or its effects are seen by nobody else."""
    group: str = ""
    """Requests of different groups never share a batch."""
    times_ns: Sequence[int] = ()
    """Times of transactions that must not run before them."""


def execute(raw: bytes) -> Shape:
    """Checks an ExecuteTransactionsRequest."""
    request = execution_pb.ExecuteTransactionsRequest.FromString(raw)
    _count("transactions", len(request.transactions), MAX_TRANSACTIONS)
    _size("transactions", request.transactions, raw)
    if request.HasField("header"):
        _header(request.header)
    options = [name for name in DRY_RUN_OPTIONS if getattr(request, name)]
    if options and not request.dry_run:
        raise MalformedRequestError(f"{options[0]} needs dry_run", field=options[0])
    alone = request.HasField("header") or request.dry_run
    companies = _companies(request.transactions)
    return Shape(
        len(request.transactions),
        _called(request.transactions),
        companies,
        _account(companies) if request.dry_run else _publisher(request.transactions) or _account(companies),
        dry_run=request.dry_run,
        alone=alone,
        group=f"{request.signatures_checked}",
        times_ns=() if alone else [item.time_ns for item in request.transactions],
    )


def validate(raw: bytes) -> Shape:
    """Checks a ValidateTransactionsRequest."""
    request = execution_pb.ValidateTransactionsRequest.FromString(raw)
    _count("transactions", len(request.transactions), MAX_TRANSACTIONS)
    _size("transactions", request.transactions, raw)
    if request.time_ns < 0:
        raise MalformedRequestError("time_ns must not be negative", field="time_ns")
    companies = _companies(request.transactions)
    contracts = _hint(request.transactions)
    return Shape(len(companies), contracts, companies, _account(companies), dry_run=True, alone=True)


def call(raw: bytes) -> Shape:
    """Checks a CallContractsRequest."""
    request = execution_pb.CallContractsRequest.FromString(raw)
    _count("calls", len(request.calls), MAX_CALLS)
    _size("calls", request.calls, raw)
    if request.version < 0:
        raise MalformedRequestError("version must not be negative", field="version")
    if len(request.block_id) > MAX_ID_BYTES:
        raise MalformedRequestError(f"block_id must be at most {MAX_ID_BYTES} bytes", field="block_id")
    for index, item in enumerate(request.calls):
        for name in ("contract", "action_name", "publisher"):
            _name(getattr(item, name), f"calls[{index}].{name}", required=name != "publisher")
        if len(item.data) > MAX_CALL_DATA_BYTES:
            raise MalformedRequestError(
                f"data has {len(item.data)} characters, the limit is {MAX_CALL_DATA_BYTES}",
                field=f"calls[{index}].data",
            )
        if item.gas_limit < 0:
            raise MalformedRequestError("gas_limit must not be negative", field=f"calls[{index}].gas_limit")
    companies = [company.of((item.contract,)) for item in request.calls]
    contracts = {item.contract for item in request.calls[:HINT_COUNT]}
    return Shape(len(companies), contracts, companies, _account(companies), dry_run=True, alone=True)


def execute_block(raw: bytes) -> Shape:
    """Checks an ExecuteBlockRequest."""
    request = execution_pb.ExecuteBlockRequest.FromString(raw)
    _block(request, raw)
    return Shape(len(request.transactions), _hint(request.transactions), alone=True)


def validate_block(raw: bytes) -> Shape:
    """Checks a ValidateBlockRequest."""
    request = execution_pb.ValidateBlockRequest.FromString(raw)
    _block(request, raw)
    if request.commit and len(request.block_id) != BLOCK_ID_BYTES:
        raise MalformedRequestError("block_id is needed to commit", field="block_id")
    if len(request.commitment) not in (0, 32):
        raise MalformedRequestError("commitment must be empty or 32 bytes", field="commitment")
    return Shape(len(request.transactions), _hint(request.transactions), alone=True)


def compile_sources(raw: bytes) -> Shape:
    """Checks a CompileContractsRequest."""
    request = compilation_pb.CompileContractsRequest.FromString(raw)
    _count("sources", len(request.sources), MAX_SOURCES)
    for index, item in enumerate(request.sources):
        for name in ("source", "abi_json"):
            if (length := len(getattr(item, name))) > MAX_SOURCE_CHARS:
                raise MalformedRequestError(
                    f"{name} has {length} characters, the limit is {MAX_SOURCE_CHARS}",
                    field=f"sources[{index}].{name}",
                )
    return Shape(len(request.sources), dry_run=True, alone=True)


def _block(request: execution_pb.ExecuteBlockRequest | execution_pb.ValidateBlockRequest, raw: bytes) -> None:
    _size("transactions", request.transactions, raw)
    if len(request.transactions) > MAX_TRANSACTIONS:
        _count("transactions", len(request.transactions), MAX_TRANSACTIONS)
    if len(request.block_id) not in (0, BLOCK_ID_BYTES):
        raise MalformedRequestError(f"block_id must be empty or {BLOCK_ID_BYTES} bytes", field="block_id")
    if len(request.parent_id) > MAX_ID_BYTES:
        raise MalformedRequestError(f"parent_id must be at most {MAX_ID_BYTES} bytes", field="parent_id")
    if not request.HasField("header"):
        raise MalformedRequestError("a block needs its header", field="header")
    _header(request.header)


def _header(header: block_pb2.BlockHeader) -> None:
    if header.number < 0:
        raise MalformedRequestError("number must not be negative", field="header.number")
    if header.time_ns < 0:
        raise MalformedRequestError("time_ns must not be negative", field="header.time_ns")
    if len(header.parent_hash) > 64:
        raise MalformedRequestError("parent_hash must be at most 64 bytes", field="header.parent_hash")
    _name(header.witness, "header.witness", required=False)


def _count(field: str, count: int, limit: int) -> None:
    if not 1 <= count <= limit:
        raise MalformedRequestError(f"{field}: 1 to {limit} are taken, got {count}", field=field)


def _size(field: str, items: Iterable[Message], raw: bytes) -> None:
    """Bounds the items alone: a block that could be generated can be validated, however long its receipts."""
    if len(raw) > MAX_BYTES and (size := sum(item.ByteSize() for item in items)) > MAX_BYTES:
        raise MalformedRequestError(f"{field}: {MAX_BYTES} bytes are taken, got {size}", field=field)


def _name(text: str, field: str, *, required: bool) -> None:
    if (required and not text) or len(text) > MAX_NAME_CHARS:
        raise MalformedRequestError(f"a name of 1 to {MAX_NAME_CHARS} characters is needed", field=field)


def _called(transactions: Sequence[transaction_pb2.Transaction]) -> Collection[str]:
    """Costs about a microsecond for each transaction, a hundredth of what executing it does."""
    return {action.contract for item in transactions for action in item.actions}


def _companies(transactions: Sequence[transaction_pb2.Transaction]) -> Sequence[Company]:
    return [company.of(action.contract for action in item.actions) for item in transactions]


def _publisher(transactions: Sequence[transaction_pb2.Transaction]) -> str:
    """Returns the publisher of all transactions, whose signature is checked before they run; empty: several."""
    names = {item.publisher for item in transactions}
    return f"publisher {names.pop()[:MAX_NAME_CHARS]}" if len(names) == 1 else ""


def _account(companies: Sequence[Company]) -> str:
    """Returns what a request is charged to that proves no publisher: the company of all its items; empty: several."""
    names = set(companies)
    return f"calls {' '.join(sorted(names.pop()))[:MAX_NAME_CHARS]}" if len(names) == 1 else ""


def _hint(transactions: Sequence[transaction_pb2.Transaction]) -> Collection[str]:
    return {action.contract for item in transactions[:HINT_COUNT] for action in item.actions[:HINT_COUNT]}
