"""A small chain on one executor and a store in memory: three users with iost, gas and RAM, and contracts put there."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.memory_state import MemoryState
from vm_service import base58, genesis
from vm_service.model import Batch, BatchResult, BlockContext, Mode, Place, View
from vm_service.state_keys import StoredValue, contract_key, field_key
from vm_service.worker.executor import Executor
from vm_service.worker.state_reader import CommitRequest

USERS = ("alice", "bob", "carol")
BALANCE = 1000
KEY = base58.encode(bytes(range(33)))
TIME_NS = 1_700_000_000 * 10**9
IOST = 10**8

Call = tuple[str, str, str]
"""Contract, action and data."""
Sent = tuple[str, Sequence[Call]]
"""Publisher and actions."""


def sends(sender: str, receiver: str, amount: str) -> Sent:
    """A transfer of iost."""
    data = json.dumps(["iost", sender, receiver, amount, ""])
    return sender, [("token.iost", "transfer", data)]


def _first_version() -> Mapping[str, str | None]:
    accounts = [
        genesis.Account(name, KEY, KEY, gas=10**9, ram=10**8, balances={"iost": str(BALANCE)})
        for name in ("admin", *USERS)
    ]
    token = genesis.Token("iost", "admin", 10**6)
    return genesis.build(genesis.Genesis(0, "genesis", genesis.NATIVE_VERSIONS, accounts, [token], [])).writes


class KernelWorld:
    """Runs transactions; every one is sent by an account that all know the key of.

    Attributes:
        state: the store.
        executor: what runs the batches.
    """

    _seed: Mapping[str, str | None] | None = None

    def __init__(self, contracts: Mapping[str, tuple[str, Mapping[str, Sequence[str]]]] | None = None) -> None:
        """Brings the chain up; `contracts`: id to source and argument types by method."""
        if KernelWorld._seed is None:
            KernelWorld._seed = _first_version()
        cells = dict(KernelWorld._seed)
        for contract_id, (code, methods) in (contracts or {}).items():
            abi = [{"name": name, "args": list(args), "amountLimit": []} for name, args in methods.items()]
            info = {"lang": "javascript", "version": "1.0.0", "abi": abi}
            record = {"id": contract_id, "info": info, "code": code, "code_hash": "", "code_bytes": len(code)}
            cells[contract_key(contract_id)] = StoredValue("j", json.dumps(record), "admin").encode()
            owner = field_key("system.iost", "contract_owner", contract_id)
            cells[owner] = StoredValue("s", "admin", "admin").encode()
        self.state = MemoryState()
        self.state.commit(CommitRequest(b"seed", b"", {}, cells))
        self.executor = Executor(self.state)
        self._number = 0
        self._ahead_ns = 0

    def __enter__(self) -> "KernelWorld":
        """Returns itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes the executor."""
        self.executor.close()

    def run(
        self,
        sent: Sequence[Sent],
        mode: Mode = Mode.EXECUTE,
        *,
        at: View | None = None,
        trace: bool = False,
        keys: Sequence[str] = (KEY,),
        base: bool = False,
        shift_ns: int = 0,
        ahead_ns: int = 0,
        life_ns: int = 90 * 10**9,
        gas_limit: int = 100_000_000,
    ) -> BatchResult:
        """Runs transactions as one batch; `shift_ns` moves their time against the block's, `ahead_ns` is allowed."""
        self._ahead_ns = ahead_ns
        transactions = [
            {
                **self._kernel_form(number, item, keys, base, shift_ns),
                "expiration": str(TIME_NS + shift_ns + life_ns),
                "gas_limit": gas_limit,
            }
            for number, item in enumerate(sent)
        ]
        return self.executor.run(Batch(mode, self._block, transactions, at=at, trace=trace))

    def dry_run(self, sent: Sequence[Sent], *, gas_limit: int = 100_000_000) -> Batch:
        """Returns the batch of a dry run, for callers that run it more than once."""
        more = {"expiration": str(TIME_NS + 90 * 10**9), "gas_limit": gas_limit}
        transactions = [
            {**self._kernel_form(number, item, (KEY,), False, 0), **more} for number, item in enumerate(sent)
        ]
        return Batch(Mode.DRY, self._block, transactions)

    def queries(self, calls: Sequence[Mapping[str, Any]]) -> Batch:
        """Returns the batch of read-only calls."""
        return Batch(Mode.CALL, self._block, calls=calls)

    def call(self, calls: Sequence[Mapping[str, Any]]) -> BatchResult:
        """Runs read-only calls."""
        return self.executor.run(self.queries(calls))

    def _block(self, _: View, __: Place | None) -> BlockContext:
        return BlockContext(1, bytes(32), "witness", TIME_NS, self._ahead_ns)

    def _kernel_form(
        self, number: int, sent: Sent, keys: Sequence[str], base: bool, shift_ns: int
    ) -> Mapping[str, object]:
        publisher, actions = sent
        return {
            "hash": base58.encode(number.to_bytes(32)),
            "size": 300,
            "publisher": publisher,
            "signers": [],
            "actions": [{"contract": c, "action": a, "data": d} for c, a, d in actions],
            "amount_limit": [{"token": "*", "val": "unlimited"}],
            "gas_ratio": 100,
            "time": str(TIME_NS + shift_ns),
            "expiration": str(TIME_NS + shift_ns + 90 * 10**9),
            "tx_keys": [],
            "publisher_keys": list(keys),
            **({"base": True} if base else {}),
        }

    def commit(self, result: BatchResult) -> None:
        """Commits a batch and settles the executor."""
        self._number += 1
        commit_id = f"batch {self._number}".encode()
        committed = self.state.commit(CommitRequest(commit_id, b"", result.reads, result.writes))
        self.executor.settle(result, commit_id, committed)

    def drop(self, result: BatchResult) -> None:
        """Forgets a batch."""
        self.executor.drop(result)

    def balances(self) -> dict[str, int]:
        """Whole iost of each user."""
        stored = {name: self.state.entry(field_key("token.iost", f"TB{name}", "iost"))[0] for name in USERS}
        return {name: int(StoredValue.decode(text).data) // IOST for name, text in stored.items() if text}

    def plain(self, contract: str) -> dict[str, str]:
        """The plain cells of a contract."""
        prefix = f"b{len(contract)}:{contract}"
        cells = self.state.dump().items()
        return {key[len(prefix) :]: StoredValue.decode(value).data for key, value in cells if key.startswith(prefix)}
