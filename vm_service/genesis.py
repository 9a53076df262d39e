"""Genesis: from the description of a chain's start to its first version, block 0, as one batch of writes.

Native contracts, account records, gas and RAM are written as they are; tokens, balances and contracts are transactions
of block 0, where authority is not checked, run by the same kernel as any block. The same description gives the same
version. `genesis_file.py` reads descriptions from YAML.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from vm_service import base58
from vm_service.errors import GenesisError
from vm_service.model import Batch, BlockContext, KernelTransaction, Mode, PlaceWish, Result, View
from vm_service.state_keys import StoredValue, append_field, contract_key, field_key, listing_key, plain_key
from vm_service.worker.executor import Executor
from vm_service.worker.state_reader import Entry, OpenedView

NATIVE_VERSIONS: Final[Mapping[str, str]] = {
    "token.iost": "1.0.6",
    "token721.iost": "1.0.0",
    "gas.iost": "1.0.0",
    "system.iost": "1.0.0",
    "domain.iost": "0.0.0",
}
"""What the reference deploys at genesis."""

ADMIN: Final = "admin"
"""Owner of the system contracts; pays their RAM."""

RAM: Final = "ram"
"""The token that counts RAM bytes; it exists from the start, since creating anything else is paid with it."""

RAM_MARKET: Final = "ram.iost"
"""Issuer of that token: the market that sells bytes, when the chain has one (`vm_service/system_contracts`)."""

RAM_TOTAL_BYTES: Final = 2**40
"""Most RAM that can ever be issued: 1 TiB, far more than a node keeps."""

GAS_UNMETERED: Final = 400_000_000
"""Gas limit shown to contracts of block 0, in hundredths; not enforced there."""


# -- the description ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the first version."""

    id: str
    """Name: 5 to 11 of [a-z0-9_]."""
    owner: str
    """Public key of the `owner` permission, base58."""
    active: str
    """Public key of the `active` permission, base58."""
    gas: int = 0
    """Stock and limit, in gas."""
    ram: int = 0
    """Bytes of RAM."""
    balances: Mapping[str, str] = field(default_factory=dict)
    """Decimal text by token, issued at genesis."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the first version."""

    symbol: str
    issuer: str
    total_supply: int
    """Whole tokens."""
    config: Mapping[str, object] = field(default_factory=dict)
    """decimal, fullName, canTransfer, onlyIssuerCanTransfer, as token.iost `create` takes them."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call in block 0: what contracts accept there only, such as naming their admin."""

    contract: str
    method: str
    args: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class SystemContract:
    """A contract deployed by initSetCode."""

    id: str
    code: str
    abi: Mapping[str, Any]
    calls: Sequence[Call] = ()
    """Made right after, in order."""


@dataclass(frozen=True, slots=True)
class Genesis:
    """What a chain starts with."""

    time_ns: int
    witness: str
    natives: Mapping[str, str]
    accounts: Sequence[Account]
    tokens: Sequence[Token]
    contracts: Sequence[SystemContract]
    ram_token: bool = True
    """Whether the token `ram` exists from the start; without, a contract of the description creates it."""


# -- what is written as it is ------------------------------------------------------------------------------------------


class _Cells(dict[str, str | None]):
    """Stored cells, with map listings kept in step."""

    def put_field(self, contract: str, key: str, name: str, value: StoredValue) -> None:
        stored_key = field_key(contract, key, name)
        if stored_key not in self:
            listing = listing_key(contract, key)
            self[listing] = append_field(self.get(listing), name)
        self[stored_key] = value.encode()


def account_record(account: Account) -> str:
    """Returns the record that auth.iost keeps of an account with one key for each permission."""

    def permission(name: str, key: str) -> dict[str, object]:
        item = {"id": key, "permission": "", "is_key_pair": True, "weight": 1}
        return {"name": name, "groups": [], "items": [item], "threshold": 1}

    permissions = {"active": permission("active", account.active), "owner": permission("owner", account.owner)}
    record = {"id": account.id, "referrer": "", "groups": {}, "permissions": permissions}
    return json.dumps(record, separators=(",", ":"))


def _seed(genesis: Genesis) -> _Cells:
    cells = _Cells()
    for contract, version in genesis.natives.items():
        info = {"lang": "native", "version": version, "abi": []}
        record = json.dumps({"id": contract, "info": info}, separators=(",", ":"))
        cells[contract_key(contract)] = StoredValue("j", record).encode()
    for account in genesis.accounts:
        cells.put_field("auth.iost", "auth", account.id, StoredValue("s", account_record(account), "auth.iost"))
        if account.gas:
            for suffix in ("gs", "gl"):
                amount = StoredValue("f", f"{account.gas}.00", "gas.iost")
                cells[plain_key("gas.iost", account.id + suffix)] = amount.encode()
            # Without a time, gas.iost takes the next pledge for the first one, which replaces the stock.
            refreshed = StoredValue("i", str(max(genesis.time_ns, 1)), "gas.iost")
            cells[plain_key("gas.iost", f"{account.id}gu")] = refreshed.encode()
    if genesis.ram_token:
        _seed_ram_token(cells, genesis.accounts)
    for account in genesis.accounts:
        if account.ram:
            cells.put_field("token.iost", f"TB{account.id}", RAM, StoredValue("i", str(account.ram)))
    return cells


def _seed_ram_token(cells: _Cells, accounts: Sequence[Account]) -> None:
    attributes = {
        "issuer": StoredValue("s", RAM_MARKET),
        "totalSupply": StoredValue("i", str(RAM_TOTAL_BYTES)),
        "supply": StoredValue("i", str(sum(account.ram for account in accounts))),
        "canTransfer": StoredValue("b", "t"),
        "onlyIssuerCanTransfer": StoredValue("b", "f"),
        "defaultRate": StoredValue("s", "1.0"),
        "decimal": StoredValue("i", "0"),
        "fullName": StoredValue("s", RAM),
    }
    for name, value in attributes.items():
        cells.put_field("token.iost", f"TI{RAM}", name, value)


# -- what block 0 executes ---------------------------------------------------------------------------------------------


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _actions(genesis: Genesis) -> Iterable[tuple[str, str, str]]:
    """Yields contract, action and data of every transaction of block 0, in order."""
    for token in genesis.tokens:
        data = _compact([token.symbol, token.issuer, token.total_supply, token.config])
        yield "token.iost", "create", data
    declared = {token.symbol for token in genesis.tokens}
    yield from _issues(genesis, lambda symbol: symbol in declared)
    for contract in genesis.contracts:
        yield "system.iost", "initSetCode", _compact([contract.id, encode_contract(contract)])
        for call in contract.calls:
            yield call.contract, call.method, _compact(call.args)
    yield from _issues(genesis, lambda symbol: symbol not in declared)  # of tokens that a contract has created


def _issues(genesis: Genesis, chosen: Callable[[str], bool]) -> Iterable[tuple[str, str, str]]:
    for account in genesis.accounts:
        for symbol, amount in account.balances.items():
            if chosen(symbol):
                yield "token.iost", "issue", _compact([symbol, account.id, amount])


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def encode_contract(contract: SystemContract) -> str:
    """Returns a contract in the reference's protobuf form and base64: what initSetCode takes (kernel/28_wire.js)."""
    abi = contract.abi
    info = _field(1, str(abi["lang"]).encode()) + _field(2, str(abi["version"]).encode())
    for method in abi["abi"]:
        content = _field(1, method["name"].encode())
        content += b"".join(_field(2, arg.encode()) for arg in method.get("args") or [])
        for limit in method.get("amountLimit") or []:
            content += _field(3, _field(1, limit["token"].encode()) + _field(2, limit["val"].encode()))
        info += _field(3, content)
    encoded = _field(1, contract.id.encode()) + _field(2, info) + _field(3, contract.code.encode())
    return base64.b64encode(encoded).decode()


def _transaction(number: int, genesis: Genesis, action: tuple[str, str, str]) -> KernelTransaction:
    contract, name, data = action
    tx_hash = hashlib.sha3_256(f"genesis {number} {contract} {name} {data}".encode()).digest()
    return {
        "hash": base58.encode(tx_hash),
        "size": 0,
        "publisher": ADMIN,
        "signers": [],
        "actions": [{"contract": contract, "action": name, "data": data}],
        "amount_limit": [{"token": "*", "val": "unlimited"}],
        "gas_limit": GAS_UNMETERED,
        "gas_ratio": 100,
        "time": str(genesis.time_ns),
        "expiration": str(genesis.time_ns + 1),
        "tx_keys": [],
        "publisher_keys": [],
    }


class _SeedReader:
    """The store as it will be before block 0 executes: StateReader over the seed."""

    def __init__(self, cells: Mapping[str, str | None]) -> None:
        self._cells = cells

    def open_view(
        self,
        known: View | None,
        keys: Sequence[str],
        at: View | None = None,
        hashes: Sequence[bytes] = (),
        place: PlaceWish | None = None,
    ) -> OpenedView:
        return OpenedView(View(), None, self.get_many(keys, View()))

    def get_many(self, keys: Sequence[str], view: View) -> Sequence[Entry]:
        return [(self._cells.get(key), 0) for key in keys]


@dataclass(frozen=True, slots=True)
class FirstVersion:
    """Block 0, ready to be committed."""

    commit_id: bytes
    """SHA-256 over the block and its writes: another file gives another id."""
    block: BlockContext
    """Its context."""
    writes: Mapping[str, str | None]
    """The whole state."""
    actions: Sequence[tuple[str, str]]
    """Contract and action of each transaction that was executed."""


def build(genesis: Genesis) -> FirstVersion:
    """Executes block 0.

    Raises:
        GenesisError: one of its transactions fails.
        IsolateError: the engine stopped.
    """
    cells = _seed(genesis)
    actions = list(_actions(genesis))
    block = BlockContext(0, b"", genesis.witness, genesis.time_ns)
    transactions = [_transaction(number, genesis, action) for number, action in enumerate(actions)]
    with Executor(_SeedReader(cells)) as executor:
        result = executor.run(Batch(Mode.EXECUTE, lambda *_: block, transactions))
    for action, outcome in zip(actions, result.results, strict=True):
        _require_success(action, outcome)
    writes = {**cells, **result.writes}
    return FirstVersion(_commit_id(block, writes), block, writes, [(contract, name) for contract, name, _ in actions])


def _require_success(action: tuple[str, str, str], outcome: Result) -> None:
    status = outcome.status
    if status is None or status.code != 0:
        message = outcome.refused if status is None else status.message
        raise GenesisError(f"{action[0]} {action[1]} {action[2][:100]}: {message}")


def _commit_id(block: BlockContext, writes: Mapping[str, str | None]) -> bytes:
    sha = hashlib.sha256(f"genesis {block.time_ns} {block.witness}".encode())
    for key in sorted(writes):
        value = writes[key]
        content = "-" if value is None else f"{len(value)}:{value}"
        sha.update(f"{len(key)}:{key}{content}".encode())
    return sha.digest()
