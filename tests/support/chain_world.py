"""An IOST-style chain on one executor: the ready genesis file with users, each with a key of its own."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.support.memory_state import MemoryState
from vm_service import base58, genesis, genesis_file
from vm_service.model import Batch, BlockContext, Limits, Mode, Result
from vm_service.state_keys import StoredValue, field_key, plain_key
from vm_service.worker.executor import Executor
from vm_service.worker.state_reader import CommitRequest

USERS = ("alice", "bobby", "carol", "david")
POOR = "david"
"""The user who has no gas before anything is pledged for him; all have iost and RAM."""
RICH = 10**10
"""Gas of the others: enough for 2,500 transactions."""
IOST = 10**8
"""Smallest units of an iost."""
DAY_NS = 86400 * 10**9
GENESIS_FILE = Path(genesis_file.__file__).parent / "system_contracts" / "iost.yaml"
ANY_AMOUNT = ({"token": "*", "val": "unlimited"},)
GAS_LIMIT = 400_000_000
"""Hundredths: the most that a transaction may use."""

PATIENT = Limits(transaction_ms=60_000)
"""Time enough on a machine that does other work."""

Action = tuple[str, str, Sequence[object] | str]
"""Contract, method, and arguments or their text."""


def key_of(account: str) -> str:
    """Returns the public key of both permissions of an account."""
    return base58.encode(b"\x02" + hashlib.sha256(account.encode()).digest())


@cache
def _first_version() -> genesis.FirstVersion:
    described = genesis_file.load(GENESIS_FILE, {"admin": key_of("admin")})
    users = [
        genesis.Account(
            name, key_of(name), key_of(name), gas=RICH * (name != POOR), ram=1_000_000, balances={"iost": "100000"}
        )
        for name in USERS
    ]
    return genesis.build(replace(described, accounts=[*described.accounts, *users]))


def text_of(arguments: Sequence[object] | str) -> str:
    """Returns the text of an action's arguments."""
    return arguments if isinstance(arguments, str) else json.dumps(list(arguments), separators=(",", ":"))


class ChainWorld:
    """Runs transactions, each as a batch that is committed.

    Attributes:
        cells: the newest state, stored text by stored key.
        now_ns: time of the next block.
        writes: what the last transaction wrote.
    """

    def __init__(self) -> None:
        """Brings the chain up, a day after its genesis."""
        first = _first_version()
        self.cells: dict[str, str] = {key: value for key, value in first.writes.items() if value is not None}
        self.now_ns = int(first.block.time_ns or 0) + DAY_NS
        self.writes: Mapping[str, str | None] = {}
        self.state = MemoryState(self.cells)
        self.executor = Executor(self.state, limits=PATIENT)
        self._count = 0

    def __enter__(self) -> "ChainWorld":
        """Returns itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes the executor."""
        self.executor.close()

    def send(
        self,
        publisher: str,
        *actions: Action,
        signers: Sequence[str] = (),
        keys: Sequence[str] | None = None,
        limits: Sequence[Mapping[str, str]] = ANY_AMOUNT,
        gas_limit: int = GAS_LIMIT,
        ratio: int = 100,
        mode: Mode = Mode.EXECUTE,
    ) -> Result:
        """Runs a transaction; `keys`: those that sign beside the publisher's, by default those of the signers."""
        self._count += 1
        if keys is None:
            keys = [key_of(signer.partition("@")[0]) for signer in signers]
        transaction = {
            "hash": base58.encode(hashlib.sha256(f"transaction {self._count}".encode()).digest()),
            "size": 300,
            "publisher": publisher,
            "signers": list(signers),
            "actions": [{"contract": c, "action": m, "data": text_of(a)} for c, m, a in actions],
            "amount_limit": list(limits),
            "gas_limit": gas_limit,
            "gas_ratio": ratio,
            "time": str(self.now_ns),
            "expiration": str(self.now_ns + 90 * 10**9),
            "tx_keys": list(keys),
            "publisher_keys": [key_of(publisher)],
        }
        return self._run(transaction, mode)

    def _run(self, transaction: Mapping[str, object], mode: Mode) -> Result:
        block = BlockContext(self._count, bytes(32), "witness", self.now_ns)
        result = self.executor.run(Batch(mode, lambda *_: block, [transaction]))
        if mode is not Mode.EXECUTE:
            self.executor.drop(result)
            return result.results[0]
        commit_id = f"batch {self._count}".encode()
        committed = self.state.commit(CommitRequest(commit_id, b"", result.reads, result.writes))
        self.executor.settle(result, commit_id, committed)
        self.writes = result.writes
        for key, value in result.writes.items():
            if value is None:
                self.cells.pop(key, None)
            else:
                self.cells[key] = value
        return result.results[0]

    def succeed(self, publisher: str, *actions: Action, signers: Sequence[str] = ()) -> Result:
        """Runs a transaction that must succeed."""
        result = self.send(publisher, *actions, signers=signers)
        assert result.refused is None, result.refused
        assert result.status is not None
        assert result.status.code == 0, result.status.message
        return result

    def publish(self, publisher: str, code: str, methods: Mapping[str, tuple[Sequence[str], Mapping[str, str]]]) -> str:
        """Publishes a contract; `methods`: argument types and amount limits by name. Returns its id."""
        contract = contract_text(code, methods)
        result = self.succeed(publisher, ("system.iost", "setCode", [contract]))
        (contract_id,) = json.loads(result.returns[0])
        return str(contract_id)

    # -- what the state holds ------------------------------------------------------------------------------------

    def field(self, contract: str, key: str, name: str) -> StoredValue | None:
        """Returns the value of a map field, or None."""
        return self._value(field_key(contract, key, name))

    def plain(self, contract: str, key: str) -> StoredValue | None:
        """Returns a plain value, or None."""
        return self._value(plain_key(contract, key))

    def balance(self, token: str, account: str) -> int:
        """Returns a balance in smallest units, without frozen amounts."""
        value = self.field("token.iost", f"TB{account}", token)
        return 0 if value is None else int(value.data)

    def ram(self, account: str) -> int:
        """Returns the bytes that an account may still fill."""
        return self.balance("ram", account)

    def _value(self, key: str) -> StoredValue | None:
        stored = self.cells.get(key)
        return None if stored is None else StoredValue.decode(stored)


def contract_text(
    code: str, methods: Mapping[str, tuple[Sequence[str], Mapping[str, str]]], contract_id: str = ""
) -> str:
    """Returns a contract as setCode and updateCode take it."""
    abi = [
        {
            "name": name,
            "args": list(types),
            "amountLimit": [{"token": token, "val": val} for token, val in limits.items()],
        }
        for name, (types, limits) in methods.items()
    ]
    info = {"lang": "javascript", "version": "1.0.0", "abi": abi}
    return json.dumps({"ID": contract_id, "info": info, "code": code}, separators=(",", ":"))
