"""Between protobuf and the kernel's own forms: the only module that knows both."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from google.protobuf import text_format
from google.protobuf.message import Message

from iost.chain.v1 import block_pb2, contract_pb2, receipt_pb2
from iost.state.v1 import state_service_pb2
from iost.vm.v1 import execution_service_pb2 as execution_pb
from vm_service.model import BlockContext, KernelCall, Result, Status

MAX_GAS_LIMIT = 400_000_000
"""Most gas of a call, in hundredths: the largest that a transaction may have."""

STATUS_OFFSET = 1
"""Wire values of status codes are IOST's moved up by one, since zero means unspecified."""

_TOPICS: Mapping[str, "receipt_pb2.EventTopic.ValueType"] = {
    "receipt": receipt_pb2.EVENT_TOPIC_CONTRACT_RECEIPT,
    "event": receipt_pb2.EVENT_TOPIC_CONTRACT_EVENT,
}


# -- to the kernel -----------------------------------------------------------------------------------------------------


def kernel_call(call: execution_pb.ContractCall) -> KernelCall:
    """Returns a read-only call in kernel form."""
    return {
        "contract": call.contract,
        "action": call.action_name,
        "data": call.data or "[]",
        "publisher": call.publisher,
        "gas_limit": min(call.gas_limit or MAX_GAS_LIMIT, MAX_GAS_LIMIT),
    }


def block_context(header: block_pb2.BlockHeader) -> BlockContext:
    """Returns the block context of a header."""
    return BlockContext(header.number, header.parent_hash, header.witness, header.time_ns)


def to_header(block: BlockContext) -> block_pb2.BlockHeader:
    """Returns the header of a block context. REQUIRES: it is known."""
    return block_pb2.BlockHeader(
        number=block.number,
        parent_hash=block.parent_hash or b"",
        witness=block.witness or "",
        time_ns=block.time_ns or 0,
    )


# -- from the kernel ---------------------------------------------------------------------------------------------------


def to_status(status: Status) -> receipt_pb2.Status:
    """Returns a status on the wire."""
    code: Any = status.code + STATUS_OFFSET
    return receipt_pb2.Status(code=code, message=status.message)


def to_receipt(tx_hash: bytes, result: Result) -> receipt_pb2.Receipt:
    """Returns the receipt of an executed transaction. REQUIRES: it was not refused."""
    receipt = receipt_pb2.Receipt(tx_hash=tx_hash, gas_usage=result.gas_usage, returns=result.returns)
    if result.status is not None:
        receipt.status.CopyFrom(to_status(result.status))
    for payer in sorted(result.ram_usage):
        receipt.ram_usages.add(payer=payer, bytes=result.ram_usage[payer])
    for note in result.receipts:
        receipt.receipts.add(func_name=note.func_name, content=note.content)
    return receipt


def to_events(result: Result) -> list[receipt_pb2.Event]:
    """Returns the events of an executed transaction."""
    return [
        receipt_pb2.Event(topic=_TOPICS[e.topic], contract=e.contract, action_name=e.action, data=e.data)
        for e in result.events
    ]


def to_outcome(tx_hash: bytes, result: Result, *, details: bool) -> execution_pb.TransactionOutcome:
    """Returns the outcome of a transaction that the kernel dealt with.

    Args:
        tx_hash: hash of the transaction.
        result: answer of the kernel.
        details: include what helps an author and is no part of the receipt: console lines and the place of a failure.
    """
    if result.refused is not None:
        return refusal(tx_hash, result.refused)
    return execution_pb.TransactionOutcome(
        tx_hash=tx_hash,
        verdict=execution_pb.VERDICT_EXECUTED,
        receipt=to_receipt(tx_hash, result),
        events=to_events(result),
        console_lines=result.console if details else (),
        failure=to_failure(result) if details else None,
    )


def refusal(tx_hash: bytes, message: str) -> execution_pb.TransactionOutcome:
    """Returns the outcome of a transaction that was not executed."""
    return execution_pb.TransactionOutcome(tx_hash=tx_hash, verdict=execution_pb.VERDICT_REFUSED, message=message)


def to_failure(result: Result) -> execution_pb.Failure | None:
    """Returns where something failed, without places in sources; None when it did not, or in no contract."""
    if result.failure is None:
        return None
    frames = [execution_pb.FailureFrame(contract=f.contract, action_name=f.action) for f in result.failure.frames]
    return execution_pb.Failure(frames=frames)


def to_call_outcome(result: Result) -> execution_pb.CallOutcome:
    """Returns the outcome of a read-only call."""
    status = result.status or Status(4, result.refused or "")
    return execution_pb.CallOutcome(
        status=to_status(status),
        returns=result.returns[0] if result.returns else "",
        gas_usage=result.gas_usage,
        console_lines=result.console,
        verdict=execution_pb.VERDICT_EXECUTED,
        failure=to_failure(result),
    )


def to_record(outcome: execution_pb.TransactionOutcome) -> state_service_pb2.TransactionRecord:
    """Returns what the store keeps of an executed transaction."""
    return state_service_pb2.TransactionRecord(tx_hash=outcome.tx_hash, receipt=outcome.receipt, events=outcome.events)


def to_stored_outcome(record: state_service_pb2.TransactionRecord) -> execution_pb.TransactionOutcome:
    """Returns the outcome of a transaction that the store keeps: the inverse of `to_record`."""
    return execution_pb.TransactionOutcome(
        tx_hash=record.tx_hash,
        verdict=execution_pb.VERDICT_EXECUTED,
        receipt=record.receipt,
        events=record.events,
    )


def contract_of_abi(abi_json: str) -> contract_pb2.Contract:
    """Returns what an ABI document says of a contract.

    Raises:
        ValueError: it is no ABI document; the text says why.
    """
    try:
        abi = msgspec.json.decode(abi_json, type=_Abi)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"no ABI document: {error}") from None
    contract = contract_pb2.Contract(lang=abi.lang, version=abi.version)
    for method in abi.abi:
        limits = [contract_pb2.AbiAmountLimit(token=limit.token, value=limit.val) for limit in method.amountLimit or ()]
        contract.methods.add(name=method.name, args=method.args, amount_limits=limits)
    return contract


class _Limit(msgspec.Struct):
    token: str
    val: str


class _Method(msgspec.Struct):
    name: str
    args: list[str] = []
    amountLimit: list[_Limit] | None = None


class _Abi(msgspec.Struct):
    lang: str = "javascript"
    version: str = ""
    abi: list[_Method] = []


# -- blocks ------------------------------------------------------------------------------------------------------------

_COMPARED: Sequence[str] = (
    "tx_hash",
    "status.code",
    "gas_usage",
    "ram_usages",
    "returns",
    "receipts",
    "status.message",
)
"""Fields of a receipt in the order in which they are compared: the weightiest first."""


def first_difference(
    outcomes: Sequence[execution_pb.TransactionOutcome], claimed: Sequence[receipt_pb2.Receipt]
) -> execution_pb.BlockDifference | None:
    """Compares re-executed transactions with the receipts that a block claims; None when all are equal."""
    if len(outcomes) != len(claimed):
        return block_difference(-1, "receipts", f"{len(outcomes)} receipts", f"{len(claimed)} receipts")
    for index, (outcome, receipt) in enumerate(zip(outcomes, claimed, strict=True)):
        if outcome.verdict != execution_pb.VERDICT_EXECUTED:
            verdict = execution_pb.Verdict.Name(outcome.verdict)
            return block_difference(index, "verdict", f"{verdict}: {outcome.message}", "VERDICT_EXECUTED")
        if outcome.receipt == receipt:
            continue
        for name in _COMPARED:
            expected, actual = _value(outcome.receipt, name), _value(receipt, name)
            if expected != actual:
                return block_difference(index, name, expected, actual)
        return block_difference(index, "receipt", "known fields only", "unknown fields")
    return None


def block_difference(index: int, field: str, expected: object, actual: object) -> execution_pb.BlockDifference:
    """Returns a difference of two values; `index` is that of the transaction, -1 for the block as a whole."""
    return execution_pb.BlockDifference(
        transaction_index=index, field=field, expected=_show(expected), actual=_show(actual)
    )


def _value(receipt: receipt_pb2.Receipt, path: str) -> Any:  # noqa: ANN401 - whatever type the field has
    value: Any = receipt
    for name in path.split("."):
        value = getattr(value, name)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else value


def _show(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return ", ".join(
            text_format.MessageToString(i, as_one_line=True) if isinstance(i, Message) else i for i in value
        )
    return str(value)
