"""Engine speed: batches of 1,000 transfers inside one executor, without gRPC and disk.

Prints transactions per second for transfers of the native token and of a token contract in JavaScript.
"""

import json
import time
from collections.abc import Callable

from tests.conformance.go_json import account_json, compact
from tests.conformance.ledger import Ledger
from vm_service import base58
from vm_service.compiler.pipeline import image_key
from vm_service.model import Batch, BlockContext, KernelTransaction, Mode
from vm_service.state_keys import StoredValue, contract_key
from vm_service.worker.executor import Executor
from vm_service.worker.state_reader import CommitRequest

BATCH_TRANSACTIONS = 1000
ACCOUNTS = 200
TIME_NS = 1_700_000_000_000_000_000
KEY = base58.encode(bytes(range(33)))
TOKEN_ID = "Contract" + "T" * 44

TOKEN_CODE = """
class Token {
  init() {}
  balanceOf(account) { const text = storage.mapGet('balances', account); return text === null ? '0' : text; }
  transfer(from, to, amount) {
    if (!blockchain.requireAuth(from, 'active')) throw new Error('no permission');
    const units = new Int64(amount);
    const left = new Int64(this.balanceOf(from)).minus(units);
    if (left.lt('0')) throw new Error('balance not enough');
    storage.mapPut('balances', from, left.toString());
    storage.mapPut('balances', to, new Int64(this.balanceOf(to)).plus(units).toString());
    return left.toString();
  }
}
module.exports = Token;
"""

TOKEN_ABI = [
    {"name": "balanceOf", "args": ["string"], "amountLimit": []},
    {"name": "transfer", "args": ["string", "string", "string"], "amountLimit": []},
]


def _account(number: int) -> str:
    return f"user_{number % ACCOUNTS}"


def _ledger() -> Ledger:
    ledger = Ledger()
    for contract in ("token.iost", "gas.iost", "system.iost"):
        record = compact({"id": contract, "info": {"lang": "native", "version": "1.0.6", "abi": []}})
        ledger.write({contract_key(contract): StoredValue("j", record).encode()})
    info = {"lang": "javascript", "version": "1.0.0", "abi": TOKEN_ABI}
    token = compact(
        {"id": TOKEN_ID, "info": info, "code": TOKEN_CODE, "code_hash": image_key(TOKEN_CODE), "code_bytes": 0}
    )
    ledger.write({contract_key(TOKEN_ID): StoredValue("j", token).encode()})
    attributes = {"issuer": ("s", "user_0"), "totalSupply": ("i", "10000000000"), "supply": ("i", "10000000000")}
    flags = {"canTransfer": ("b", "t"), "onlyIssuerCanTransfer": ("b", "f"), "decimal": ("i", "8")}
    for name, value in {**attributes, **flags}.items():
        ledger.map_put("token.iost", "TIiost", name, StoredValue(*value))
    for number in range(ACCOUNTS):
        account = _account(number)
        ledger.map_put("auth.iost", "auth", account, StoredValue("s", account_json(account, KEY, KEY)))
        ledger.set_gas(account, 1_000_000_000)
        ledger.set_balance("iost", account, 10**17)
        ledger.set_balance("ram", account, 10**9)
        ledger.map_put(TOKEN_ID, "balances", account, StoredValue("s", "1000000000", TOKEN_ID))
    return ledger


def _transaction(number: int, contract: str, data: str) -> KernelTransaction:
    return {
        "hash": base58.encode(number.to_bytes(32)),
        "size": 300,
        "publisher": _account(number),
        "signers": [],
        "actions": [{"contract": contract, "action": "transfer", "data": data}],
        "amount_limit": [{"token": "*", "val": "unlimited"}],
        "gas_limit": 100_000_000,
        "gas_ratio": 100,
        "time": str(TIME_NS),
        "expiration": str(TIME_NS + 90 * 10**9),
        "tx_keys": [],
        "publisher_keys": [KEY],
    }


def native_transfer(number: int) -> KernelTransaction:
    """A transfer by token.iost."""
    data = compact(["iost", _account(number), _account(number * 7 + 1), "0.01", f"m{number}"])
    return _transaction(number, "token.iost", data)


def contract_transfer(number: int) -> KernelTransaction:
    """A transfer by a token contract."""
    return _transaction(number, TOKEN_ID, compact([_account(number), _account(number * 7 + 1), "3"]))


def _context(*_: object) -> BlockContext:
    return BlockContext(1, bytes(32), "witness", TIME_NS)


def measure(make: Callable[[int], KernelTransaction], batches: int) -> float:
    """Returns transactions per second over warm batches."""
    ledger = _ledger()
    number, spent = 0, 0.0
    with Executor(ledger.state) as executor:
        for turn in range(batches + 3):
            transactions = [make(number + i) for i in range(BATCH_TRANSACTIONS)]
            number += BATCH_TRANSACTIONS
            started = time.perf_counter()
            result = executor.run(Batch(Mode.EXECUTE, _context, transactions))
            if turn >= 3:
                spent += time.perf_counter() - started
            failed = [r for r in result.results if r.status is None or r.status.code]
            if failed:
                raise RuntimeError(f"{len(failed)} transactions failed: {failed[0]}")
            commit_id = number.to_bytes(8)
            committed = ledger.state.commit(CommitRequest(commit_id, b"", result.reads, result.writes))
            executor.settle(result, commit_id, committed)
    return batches * BATCH_TRANSACTIONS / spent


def run(batches: int = 20) -> dict[str, float]:
    """Measures both kinds of transfers."""
    return {
        "engine_tx_per_s": round(measure(native_transfer, batches)),
        "engine_contract_tx_per_s": round(measure(contract_transfer, batches)),
    }


if __name__ == "__main__":
    print(json.dumps(run()))
