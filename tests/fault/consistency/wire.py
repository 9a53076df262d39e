"""Transactions of the workload as actions of its contracts, and answers of the gateway as entries of the history."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence

from gateway.client import action
from gateway.client.calls import status_name, verdict_name
from iost.chain.v1.receipt_pb2 import Event, Receipt
from iost.chain.v1.transaction_pb2 import Action
from iost.gateway.v1.outcome_pb2 import TransactionOutcome
from tests.fault.consistency.history import Append, Fail, Look, Move, Outcome, Step, Stored


def contract_of(step: Step) -> int:
    """Returns the contract that a step is about; a failing step belongs to any."""
    match step:
        case Append(key) | Look(key) | Move(key):
            return int(key.partition("/")[0])
        case Fail():
            return -1


def _inner(key: str) -> str:
    return key.partition("/")[2]


def _argument(step: Step) -> list[object]:
    match step:
        case Append(key, value):
            return ["append", _inner(key), value]
        case Look(key):
            return ["look", _inner(key)]
        case Move(source, target, amount):
            return ["move", _inner(source), _inner(target), amount]
        case Fail():
            return ["fail"]


def actions(tx_id: str, steps: Sequence[Step], contracts: Sequence[str]) -> list[Action]:
    """Returns one action for each run of steps on the same contract; the first one posts the event."""
    places = list(itertools.accumulate(map(contract_of, steps), lambda one, other: one if other < 0 else other))
    found = []
    for place, group in itertools.groupby(zip(places, steps, strict=True), key=lambda pair: pair[0]):
        arguments = [_argument(step) for _, step in group]
        found.append(action(contracts[max(place, 0)], "run", "" if found else tx_id, arguments))
    return found


def looked(returns: Iterable[str]) -> list[list[int]]:
    """Returns the lists that a transaction looked at, from the returned texts of its actions."""
    return [values for text in returns for values in json.loads(json.loads(text)[0])]


def digest(receipt: Receipt) -> str:
    """Returns the SHA-256 of a receipt's bytes."""
    return hashlib.sha256(receipt.SerializeToString(deterministic=True)).hexdigest()


def _status(receipt: Receipt) -> str:
    return status_name(receipt.status.code).removeprefix("STATUS_CODE_")


def outcome(answer: TransactionOutcome, version: int, commitment: bytes) -> Outcome:
    """Reads what an answer says of one transaction."""
    verdict = verdict_name(answer.verdict).removeprefix("VERDICT_")
    if not answer.HasField("receipt"):
        return Outcome(verdict, message=answer.message, version=version, commitment=commitment.hex())
    receipt = answer.receipt
    return Outcome(
        verdict,
        _status(receipt),
        receipt.status.message,
        digest(receipt),
        looked(receipt.returns),
        [event.data for event in answer.events],
        version,
        commitment.hex(),
    )


def stored(tx_hash: bytes, receipt: Receipt, events: Iterable[Event]) -> Stored:
    """Reads a transaction of the store's record. Those of other contracts are kept without their lists."""
    data = [event.data for event in events]
    try:
        lists = looked(receipt.returns)
    except (ValueError, TypeError, IndexError):
        lists = []
    return Stored(tx_hash.hex(), _status(receipt), digest(receipt), lists, data)
