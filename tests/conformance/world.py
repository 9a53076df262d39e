"""A chain of one scenario: state, block, accounts, published contracts, and how transactions and calls run on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from iost.chain.v1.transaction_pb2 import Action, AmountLimit, Signature, Transaction
from tests.conformance.go_json import compact
from tests.conformance.ledger import Ledger
from tests.conformance.scenario import Scenario
from tests.conformance.signing import Signer
from vm_service import base58
from vm_service.model import Batch, BlockContext, Limits, Mode, Result
from vm_service.transactions import canonical_forms, check_signatures, contract_id, digest, kernel_form
from vm_service.worker.executor import Executor
from vm_service.worker.state_reader import CommitRequest

ID_CHARS = 52
"""Length of a contract id that gas figures hold for; a base58 hash is shorter in some cases."""

LIFETIME_NS = 400_000_000
STATUS = {0: "SUCCESS", 2: "BALANCE_NOT_ENOUGH", 4: "RUNTIME_ERROR", 5: "TIMEOUT"}


@dataclass
class Block:
    known: bool = False
    """Whether the scenario tells of a block; a bare host of level vm has none otherwise."""
    number: int = 1
    time_ns: int = 0
    witness: str = ""
    parent_hash: bytes = b""


@dataclass
class Outcome:
    """What a step gave, in the words of the expectations."""

    status: str
    message: str = ""
    gas: int | None = None
    gas_js: list[int | None] = field(default_factory=list)
    returns: list[str] = field(default_factory=list)
    ram_usage: dict[str, int] = field(default_factory=dict)
    receipts: list[dict[str, str]] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """A transaction as a step describes it."""

    publisher: str
    actions: Sequence[tuple[str, str, str]]
    gas_limit: int = 100_000_000
    gas_ratio: int = 100
    amount_limit: Sequence[Mapping[str, str]] = ({"token": "*", "val": "unlimited"},)
    signers: Sequence[str] = ()
    sign_by: Sequence[str] = ()


class World:
    """Runs requests on the executor that production uses, one batch each, committed."""

    def __init__(self, scenario: Scenario, *, cold: bool = False, limits: Limits | None = None) -> None:
        """Starts empty; `cold`: every batch gets an executor that has never run anything."""
        self.scenario = scenario
        self._cold = cold
        self._limits = limits
        self.ledger = Ledger()
        self.executor = Executor(self.ledger.state, limits=limits)
        initial = scenario.initial
        known = "block_number" in initial or "block_time" in initial
        self.block = Block(known, int(initial.get("block_number") or 1), int(initial.get("block_time") or 0))
        self.publisher: str | None = initial.get("publisher")
        self.gas_limit = 100_000_000
        self.ids: dict[str, str] = {}
        self.signers: dict[str, Signer] = {}
        self.last_hash = ""
        self._batch_count = 0

    def close(self) -> None:
        self.executor.close()

    def restart(self) -> None:
        """Takes a new executor: the old one was stopped."""
        self.executor.close()
        self.executor = Executor(self.ledger.state, limits=self._limits)

    # -- texts -----------------------------------------------------------------------------------------------------

    def fill(self, text: str) -> str:
        """Replaces `${alias}` by the id of that contract."""
        for alias, found in self.ids.items():
            text = text.replace("${" + alias + "}", found)
        return text

    def fill_all(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.fill(value)
        if isinstance(value, list):
            return [self.fill_all(item) for item in value]
        if isinstance(value, dict):
            return {self.fill(key): self.fill_all(item) for key, item in value.items()}
        return value

    def contract(self, name: str) -> str:
        return self.ids.get(name, self.fill(name))

    def data(self, step: Mapping[str, Any]) -> str:
        """The exact text of an action's arguments."""
        if step.get("args_json") is not None and step.get("hash_arg") is None:
            return self.fill(step["args_json"])
        args = self.fill_all(step.get("args") or [])
        if step.get("hash_arg") is not None:
            args[int(step["hash_arg"])] = self.last_hash
        return compact(args)

    # -- running ---------------------------------------------------------------------------------------------------

    def _block_context(self, *_: object) -> BlockContext:
        block = self.block
        return BlockContext(block.number, block.parent_hash, block.witness, block.time_ns)

    def _run(self, batch: Batch) -> Result:
        if self._cold and self._batch_count:
            self.restart()
        self._batch_count += 1
        commit_id = f"batch {self._batch_count}".encode()  # a scenario may send the same transaction again
        result = self.executor.run(batch)
        if result.writes:
            committed = self.ledger.state.commit(CommitRequest(commit_id, b"", result.reads, result.writes))
            self.executor.settle(result, commit_id, committed)
        else:
            self.executor.drop(result)
        return result.results[0]

    def transact(self, request: Request) -> tuple[Outcome, str]:
        """Runs one transaction; returns what it gave and its hash in base58."""
        transaction, tx_hash = self._built(request)
        publishes = any(action[:2] == ("system.iost", "setCode") for action in request.actions)
        while publishes and len(contract_id(tx_hash)) != ID_CHARS:
            transaction.expiration_ns += 1
            transaction, tx_hash = self._signed(transaction, request)
        kernel = kernel_form(transaction, tx_hash, len(canonical_forms(transaction).full))
        result = self._run(Batch(Mode.EXECUTE, self._block_context, [kernel]))
        name = base58.encode(tx_hash)
        outcome = _outcome(result)
        if outcome.status == "SUCCESS":
            self.last_hash = name
        return outcome, name

    def _built(self, request: Request) -> tuple[Transaction, bytes]:
        now = self.block.time_ns
        transaction = Transaction(
            time_ns=now,
            expiration_ns=now + LIFETIME_NS,
            gas_ratio=request.gas_ratio,
            gas_limit=request.gas_limit,
            signers=request.signers,
            actions=[Action(contract=c, action_name=a, data=d) for c, a, d in request.actions],
            amount_limits=[AmountLimit(token=item["token"], value=item["val"]) for item in request.amount_limit],
            publisher=request.publisher,
        )
        return self._signed(transaction, request)

    def _signed(self, transaction: Transaction, request: Request) -> tuple[Transaction, bytes]:
        del transaction.signatures[:]
        del transaction.publisher_signatures[:]
        base = digest(canonical_forms(transaction).base)
        transaction.signatures.extend(self._sign(account, base) for account in request.sign_by)
        publish = digest(canonical_forms(transaction).publish)
        transaction.publisher_signatures.append(self._sign(request.publisher, publish))
        forms = canonical_forms(transaction)
        if all(self.signers[name].real for name in (request.publisher, *request.sign_by) if name in self.signers):
            check_signatures(transaction, forms)
        return transaction, digest(forms.full)

    def _sign(self, account: str, message: bytes) -> Signature:
        signer = self.signers.get(account) or Signer.pretended("")
        self.signers.setdefault(account, signer)
        return signer.sign(message)

    def call_bare(self, call: dict[str, Any]) -> Outcome:
        """Runs one method on a bare host: no transaction around it."""
        batch = Batch(Mode.BARE, self._bare_context, calls=[call])
        result = self._run(batch)
        outcome = _outcome(result)
        outcome.status = "OK" if outcome.status == "SUCCESS" else "ERROR"
        outcome.gas = None if outcome.gas is None else outcome.gas // 100
        return outcome

    def _bare_context(self, *_: object) -> BlockContext:
        context = self._block_context()
        if self.scenario.level != "vm" or self.block.known:
            return context
        return replace(context, number=None, parent_hash=None, witness=None, time_ns=None)  # type: ignore[arg-type]


def _outcome(result: Result) -> Outcome:
    if result.refused is not None:
        return Outcome("PREPARE_ERROR", result.refused)
    status = result.status
    assert status is not None
    return Outcome(
        STATUS.get(status.code, f"STATUS_{status.code}"),
        status.message + (f" [{result.bug}]" if result.bug else ""),
        result.gas_usage,
        list(result.gas_js),
        list(result.returns),
        dict(result.ram_usage),
        [{"funcName": note.func_name, "content": note.content} for note in result.receipts],
        [
            {"topic": event.topic, "contract": event.contract, "action": event.action, "data": event.data}
            for event in result.events
        ],
    )
