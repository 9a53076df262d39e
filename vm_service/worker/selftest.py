"""A small batch whose results are known to be equal on every sound engine: warms the kernel and tests a snapshot.

A token is created, issued and transferred in a block 0 of its own, on a state that exists nowhere else. `digest` names
everything that came out of it: a sandbox started from a snapshot must give what one started from sources gave.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

from vm_service.model import Batch, BatchResult, BlockContext, KernelTransaction, Mode, PlaceWish, View
from vm_service.state_keys import StoredValue, contract_key, field_key
from vm_service.worker.state_reader import Entry, OpenedView

PUBLISHER = "self.iost"
"""Names that end like this pay no RAM."""
ACCOUNTS = ("alice", "bobby")
BLOCK = BlockContext(0, b"", "witness", 0)


def _seed() -> dict[str, str]:
    native = {"id": "token.iost", "info": {"lang": "native", "version": "1.0.6", "abi": []}}
    cells = {contract_key("token.iost"): StoredValue("j", json.dumps(native)).encode()}
    for account in ACCOUNTS:
        record = {"id": account, "groups": {}, "permissions": {}}
        cells[field_key("auth.iost", "auth", account)] = StoredValue("s", json.dumps(record)).encode()
    return cells


class SeedReader:
    """The state that the batch runs on, as a StateReader."""

    def __init__(self) -> None:
        """Makes the state."""
        self._cells: Mapping[str, str] = _seed()

    def open_view(
        self,
        known: View | None,
        keys: Sequence[str],
        at: View | None = None,
        hashes: Sequence[bytes] = (),
        place: PlaceWish | None = None,
    ) -> OpenedView:
        """As StateReader."""
        return OpenedView(View(), None, self.get_many(keys, View()))

    def get_many(self, keys: Sequence[str], view: View) -> Sequence[Entry]:
        """As StateReader."""
        return [(self._cells.get(key), 0) for key in keys]


def _transaction(number: int, action: str, *arguments: object) -> KernelTransaction:
    return {
        "hash": f"selftest{number}",
        "size": 0,
        "publisher": PUBLISHER,
        "signers": [],
        "actions": [{"contract": "token.iost", "action": action, "data": json.dumps(arguments)}],
        "amount_limit": [{"token": "*", "val": "unlimited"}],
        "gas_limit": 400_000_000,
        "gas_ratio": 100,
        "time": "0",
        "expiration": "1",
        "tx_keys": [],
        "publisher_keys": [],
    }


def batch() -> Batch:
    """Returns the batch; its last transaction fails on purpose."""
    alice, bobby = ACCOUNTS
    transactions = [
        _transaction(0, "create", "coin", PUBLISHER, 1000, {"decimal": 3}),
        _transaction(1, "issue", "coin", alice, "100"),
        *(_transaction(2 + n, "transfer", "coin", alice, bobby, "0.125", "memo") for n in range(8)),
        _transaction(10, "transfer", "coin", bobby, alice, "5000", ""),
    ]
    return Batch(Mode.DRY, lambda *_: BLOCK, transactions)


def digest(result: BatchResult) -> str:
    """Returns a hash over everything that the batch gave."""
    shown = [
        [
            item.refused,
            item.status and [item.status.code, item.status.message],
            [item.gas_usage, item.ram_usage, item.returns],
            [[note.func_name, note.content] for note in item.receipts],
        ]
        for item in result.results
    ]
    text = json.dumps([shown, dict(result.writes), dict(result.reads)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
