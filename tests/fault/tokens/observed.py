"""What the cells of a chain say: balances, tokens, pledges, accounts, cells of contracts and the RAM of those."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from vm_service.state_keys import StoredValue

RAM = "ram"
TOKEN, NFT, GAS, AUTH, SYSTEM = "token.iost", "token721.iost", "gas.iost", "auth.iost", "system.iost"
SIZES = {"i": 8, "b": 1, "f": 12}
"""Bytes of a stored value by its letter; the others count their text."""

Permission = tuple[int, tuple[tuple[str, str, int], ...]]
"""Threshold, and the items that name other accounts: account, permission, weight."""


class Place(NamedTuple):
    """A stored key, taken apart."""

    kind: str
    contract: str
    key: str
    field: str


@dataclass
class Token:
    """A token of token.iost, amounts in smallest units."""

    issuer: str
    total: int
    supply: int
    decimals: int
    can_transfer: bool
    issuer_only: bool


@dataclass
class Nft:
    """A token of token721.iost."""

    issuer: str
    total: int
    supply: int
    owners: dict[str, str] = field(default_factory=dict)


@dataclass
class GasRecord:
    """What gas.iost keeps of an account."""

    pledged: Decimal = Decimal(0)
    limit: Decimal = Decimal(0)
    stock: Decimal = Decimal(0)
    time_ns: int = 0


@dataclass
class Books:
    """Everything that transactions may move."""

    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    frozen: dict[tuple[str, str], list[tuple[int, int]]] = field(default_factory=dict)
    """Time and amount, by token and account."""
    tokens: dict[str, Token] = field(default_factory=dict)
    nfts: dict[str, Nft] = field(default_factory=dict)
    nft_balances: dict[tuple[str, str], int] = field(default_factory=dict)
    nft_metadata: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By token, owner and id."""
    pledges: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """By pledger and user."""
    gas: dict[str, GasRecord] = field(default_factory=dict)
    accounts: dict[str, dict[str, Permission]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Owner by contract."""
    cells: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)
    """Data and payer of the cells of published contracts, by contract, key and field."""


@lru_cache(maxsize=100_000)
def place_of(stored_key: str) -> Place:
    """Takes a stored key apart."""
    kind, rest = stored_key[0], stored_key[1:]
    if kind == "c":
        return Place("c", rest, "", "")
    contract, rest = _component(rest)
    if kind == "m":
        key, rest = _component(rest)
        return Place("m", contract, key, rest)
    return Place(kind, contract, rest, "")


def _component(text: str) -> tuple[str, str]:
    length, _, rest = text.partition(":")
    return rest[: int(length)], rest[int(length) :]


@lru_cache(maxsize=100_000)
def value_of(stored: str) -> StoredValue:
    """Takes a stored value apart."""
    return StoredValue.decode(stored)


@lru_cache(maxsize=1_000)
def _permissions(record: str) -> dict[str, Permission]:
    permissions: dict[str, Any] = json.loads(record)["permissions"]
    return {
        name: (
            rule["threshold"],
            tuple((i["id"], i["permission"], i["weight"]) for i in rule["items"] if not i["is_key_pair"]),
        )
        for name, rule in permissions.items()
    }


def _nft_place(key: str) -> tuple[str, str]:
    for prefix in ("T721I", "T721B", "T721M"):
        if key.startswith(prefix):
            return prefix, key[5:]
    raise ValueError(key)


def read(cells: Mapping[str, str]) -> Books:
    """Returns what cells say."""
    books = Books()
    for stored_key, stored in cells.items():
        place = place_of(stored_key)
        value = value_of(stored)
        if place.kind == "m" and place.contract == TOKEN:
            _read_token(books, place, value)
        elif place.kind == "m" and place.contract == NFT:
            _read_nft(books, place, value)
        elif place.contract == GAS:
            _read_gas(books, place, value)
        elif place[:3] == ("m", AUTH, "auth"):
            books.accounts[place.field] = _permissions(value.data)
        elif place[:3] == ("m", SYSTEM, "contract_owner"):
            books.owners[place.field] = value.data
        elif place.kind in "bm" and place.contract.startswith("Contract"):
            books.cells[place[1:]] = value.data, value.payer
    return books


def _read_token(books: Books, place: Place, value: StoredValue) -> None:
    prefix, name = place.key[:2], place.key[2:]
    if prefix == "TB" and place.field != RAM:
        books.balances[place.field, name] = int(value.data)
    elif prefix == "TF":
        items = json.loads(value.data)
        books.frozen[place.field, name] = [(item["Ftime"], item["Amount"]) for item in items]
    elif prefix == "TI" and name != RAM:
        token = books.tokens.setdefault(name, Token("", 0, 0, 0, True, False))
        member = {
            "issuer": "issuer", "totalSupply": "total", "supply": "supply", "decimal": "decimals",
            "canTransfer": "can_transfer", "onlyIssuerCanTransfer": "issuer_only",
        }.get(place.field)  # fmt: skip
        if member is not None:
            data = {"i": int, "b": lambda text: text == "t"}.get(value.letter, str)(value.data)
            setattr(token, member, data)


def _read_nft(books: Books, place: Place, value: StoredValue) -> None:
    prefix, name = _nft_place(place.key)
    if prefix == "T721B":
        books.nft_balances[place.field, name] = int(value.data)
    elif prefix == "T721M":
        symbol, _, owner = name.partition("#")
        books.nft_metadata[symbol, owner, place.field] = value.data
    else:
        token = books.nfts.setdefault(name, Nft("", 0, 0))
        if place.field == "T721issuer":
            token.issuer = value.data
        elif place.field in {"totalSupply", "supply"}:
            setattr(token, {"totalSupply": "total"}.get(place.field, "supply"), int(value.data))
        else:
            token.owners[place.field] = value.data


def _read_gas(books: Books, place: Place, value: StoredValue) -> None:
    account, suffix = place.key[:-2], place.key[-2:]
    if place.kind == "m":
        books.pledges[account, place.field] = Decimal(value.data)
    elif place.kind == "b":
        record = books.gas.setdefault(account, GasRecord())
        if suffix == "gu":
            record.time_ns = int(value.data)
        else:
            setattr(record, {"gt": "pledged", "gl": "limit", "gs": "stock"}[suffix], Decimal(value.data))


# -- RAM ---------------------------------------------------------------------------------------------------------------


def ram_filled(cells: Mapping[str, str]) -> Counter[str]:
    """Returns the bytes that the cells of each account fill, its contracts included; contract records aside."""
    owners = read(cells).owners
    filled: Counter[str] = Counter()
    for stored_key, stored in cells.items():
        place, value = place_of(stored_key), value_of(stored)
        account = owners.get(value.payer, value.payer)
        if place.kind in "bm" and value.payer and not value.payer.endswith(".iost"):
            filled[account] += _size(place, value)
    return filled


def _size(place: Place, value: StoredValue) -> int:
    data = SIZES.get(value.letter, len(value.data.encode()))
    return len(place.contract) + 1 + len(place.key) + 2 * len(place.field) + 2 + data + len(value.payer)


def ram_counted(cells: Mapping[str, str]) -> Counter[str]:
    """Returns the bytes that the chain has taken from each account (`UR<account>` of ram.iost)."""
    counted: Counter[str] = Counter()
    for stored_key, stored in cells.items():
        place = place_of(stored_key)
        if place.kind == "b" and place.contract == "ram.iost" and place.key.startswith("UR"):
            counted[place.key[2:]] = int(value_of(stored).data)
    return counted


def ram_total(cells: Mapping[str, str]) -> int:
    """Returns all RAM there is, free and filled. It equals the supply of its token."""
    free = 0
    for stored_key, stored in cells.items():
        place = place_of(stored_key)
        if place.kind == "m" and place.contract == TOKEN and place.field == RAM and place.key.startswith("TB"):
            free += int(value_of(stored).data)
    return free + sum(ram_counted(cells).values())
