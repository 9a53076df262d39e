"""What the clients are made of: deadlines and retries, requests made from Python values, outcomes as exceptions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chassis.channels import CallPolicy
from gateway.client import json_texts
from iost.chain.v1.receipt_pb2 import STATUS_CODE_SUCCESS, Status, StatusCode
from iost.gateway.v1.contract_service_pb2 import CompileContractsRequest, CompileOutcome, ContractSource
from iost.gateway.v1.inspection_service_pb2 import BalanceQuery, BatchGetBalancesRequest
from iost.gateway.v1.outcome_pb2 import VERDICT_EXECUTED, VERDICT_UNSPECIFIED, TransactionOutcome, Verdict
from iost.gateway.v1.transaction_service_pb2 import CallContractsRequest, CallOutcome, ContractCall

DEFAULT_TARGET = "127.0.0.1:7001"
"""Where a gateway listens unless told otherwise."""

POLICIES: Sequence[CallPolicy] = (
    # Every call of this interface may be repeated: reads change nothing, transactions and blocks have ids.
    CallPolicy(),
    # Blocks are thousands of transactions; the VM service itself gives up long before.
    CallPolicy(service="iost.gateway.v1.BlockService", timeout_ms=120_000),
    # Runs for as long as the caller listens; the client resumes it by cursor, which gRPC cannot.
    CallPolicy(service="iost.gateway.v1.InspectionService", method="StreamEvents", timeout_ms=0, attempts=1),
)


class TransactionError(Exception):
    """A transaction or call did not succeed; nothing of it took effect.

    Attributes:
        name: `STATUS_CODE_...` of the receipt, or `VERDICT_...` when there is none.
        message: the chain's deterministic text, or why the transaction was refused.
        outcome: everything that the node answered: hash, receipt with gas, console lines, place of the failure.
    """

    def __init__(self, name: str, message: str, outcome: TransactionOutcome | CallOutcome) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.outcome = outcome


class CompileError(Exception):
    """A source or its ABI is refused; the message says why.

    Attributes:
        outcome: everything that the node answered, the place in the source included.
    """

    def __init__(self, outcome: CompileOutcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Published:
    """A contract that was published.

    Attributes:
        contract_id: its id.
        outcome: the transaction's outcome with its receipt.
    """

    contract_id: str
    outcome: TransactionOutcome


def check(outcome: TransactionOutcome) -> TransactionOutcome:
    """Returns the outcome of a transaction that succeeded; raises TransactionError for any other."""
    if not outcome.HasField("receipt"):
        raise TransactionError(verdict_name(outcome.verdict), outcome.message, outcome)
    _check_status(outcome.receipt.status, outcome)
    return outcome


def is_success(outcome: TransactionOutcome) -> bool:
    """Tells whether a transaction took effect."""
    return outcome.HasField("receipt") and outcome.receipt.status.code == STATUS_CODE_SUCCESS


def check_call(outcome: CallOutcome) -> CallOutcome:
    """Returns the outcome of a call that succeeded; raises TransactionError for any other."""
    if outcome.verdict not in (VERDICT_UNSPECIFIED, VERDICT_EXECUTED):
        raise TransactionError(verdict_name(outcome.verdict), outcome.status.message, outcome)
    _check_status(outcome.status, outcome)
    return outcome


def check_compiled(outcome: CompileOutcome) -> CompileOutcome:
    """Returns the outcome of an accepted source; raises CompileError for a refused one."""
    if outcome.message:
        raise CompileError(outcome)
    return outcome


def _check_status(status: Status, outcome: TransactionOutcome | CallOutcome) -> None:
    if status.code != STATUS_CODE_SUCCESS:
        raise TransactionError(status_name(status.code), status.message, outcome)


def status_name(code: "StatusCode.ValueType") -> str:
    """Returns the name of a status code; a number for one that only newer services know."""
    return StatusCode.Name(code) if code in StatusCode.values() else str(code)


def verdict_name(verdict: "Verdict.ValueType") -> str:
    """Returns the name of a verdict; a number for one that only newer services know."""
    return Verdict.Name(verdict) if verdict in Verdict.values() else str(verdict)


def call_request(
    contract: str,
    method: str,
    args: Sequence[object],
    *,
    data: str | None = None,
    publisher: str,
    gas_limit: int,
    version: int,
    block_id: bytes,
    trace: bool,
) -> CallContractsRequest:
    """Makes the request of one read-only call.

    Raises:
        ValueError: arguments are given both as values and as text, or a value is refused.
    """
    if data is not None and args:
        raise ValueError("arguments are given both as values and as text")
    data = json_texts.encode(args) if data is None else data
    call = ContractCall(contract=contract, action_name=method, data=data, publisher=publisher, gas_limit=gas_limit)
    return CallContractsRequest(calls=[call], version=version, block_id=block_id, trace=trace)


def compile_request(source: str, abi_json: str = "") -> CompileContractsRequest:
    """Makes the request to compile one source."""
    return CompileContractsRequest(sources=[ContractSource(source=source, abi_json=abi_json)])


def balances_request(pairs: Iterable[tuple[str, str]], version: int, block_id: bytes) -> BatchGetBalancesRequest:
    """Makes the request for balances, each an account and a token."""
    queries = [BalanceQuery(account=account, token=token) for account, token in pairs]
    return BatchGetBalancesRequest(queries=queries, version=version, block_id=block_id)
