"""What holds after every transaction, whatever it was."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction

from tests.fault.tokens.observed import (
    GAS,
    RAM,
    TOKEN,
    Books,
    place_of,
    ram_counted,
    ram_filled,
    ram_total,
    read,
    value_of,
)
from tests.support.chain_world import IOST
from vm_service.state_keys import field_key, plain_key

Cells = Mapping[str, str]


class Watch:
    """Compares each state with the one before."""

    def __init__(self, cells: Cells) -> None:
        """Takes the first state as it is."""
        self._lost = _lost(read(cells))
        self._excess = _excess(cells)
        self._gas_surplus = _gas_surplus(read(cells))

    def problems(self, cells: Cells, books: Books, *, updates: bool = False) -> Iterator[str]:
        """Yields what is wrong with a state; `updates`: contracts were published or changed since the last one."""
        yield from _negative(books)
        yield from _nft_problems(books)
        yield from _pledge_problems(books)
        yield from _insolvent(cells, books)
        supply = int(value_of(cells[field_key(TOKEN, f"TI{RAM}", "supply")]).data)
        if ram_total(cells) != supply:
            yield f"RAM {ram_total(cells)} in all, supply {supply}"
        yield from self._changes(cells, books, updates)

    def _changes(self, cells: Cells, books: Books, updates: bool) -> Iterator[str]:
        lost, excess, surplus = _lost(books), _excess(cells), _gas_surplus(books)
        for symbol, amount in lost.items():
            if amount < self._lost.get(symbol, 0):
                yield f"more {symbol} than the supply tells: {amount}, before {self._lost.get(symbol, 0)}"
        if not updates and excess != self._excess:
            yield f"RAM counted beyond what cells fill: {excess}, before {self._excess}"
        if sum(excess.values()) < 0:
            yield f"cells fill more RAM than is counted: {excess}"
        if surplus < self._gas_surplus:
            yield f"gas.iost holds {surplus} beside the pledges, before {self._gas_surplus}"
        self._lost, self._excess, self._gas_surplus = lost, excess, surplus


def _negative(books: Books) -> Iterator[str]:
    for name, values in [("balance", books.balances), ("count", books.nft_balances), ("pledge", books.pledges)]:
        for key, value in values.items():
            if value < 0:
                yield f"{name} {key} is {value}"
    for key, items in books.frozen.items():
        if any(amount <= 0 for _, amount in items):
            yield f"frozen {key} is {items}"
    for symbol, token in books.tokens.items():
        if not 0 <= token.supply <= max(token.total, 0):
            yield f"supply of {symbol} is {token.supply} of {token.total}"
    for account, record in books.gas.items():
        if record.stock < 0 or record.pledged < 0:
            yield f"gas of {account} is {record}"


def _lost(books: Books) -> Counter[str]:
    """Returns by how much the holdings of each token fall short of its supply: names that no cell can have."""
    lost = Counter({symbol: token.supply for symbol, token in books.tokens.items()})
    for (symbol, _), balance in books.balances.items():
        lost[symbol] -= balance
    for (symbol, _), items in books.frozen.items():
        lost[symbol] -= sum(amount for _, amount in items)
    return lost


def _excess(cells: Cells) -> dict[str, int]:
    counted, filled = ram_counted(cells), ram_filled(cells)
    return {name: counted[name] - filled[name] for name in sorted({*counted, *filled}) if counted[name] != filled[name]}


def _nft_problems(books: Books) -> Iterator[str]:
    owned = Counter((symbol, owner) for symbol, token in books.nfts.items() for owner in token.owners.values())
    for key, count in books.nft_balances.items():
        if owned[key] != count:
            yield f"{key} counts {count} tokens and owns {owned[key]}"
    for symbol, token in books.nfts.items():
        if len(token.owners) != token.supply:
            yield f"{len(token.owners)} tokens of {symbol}, supply {token.supply}"


def _gas_surplus(books: Books) -> int:
    return books.balances.get(("iost", GAS), 0) - int(sum(books.pledges.values()) * IOST)


def _pledge_problems(books: Books) -> Iterator[str]:
    pledged: Counter[str] = Counter()
    for (_, user), amount in books.pledges.items():
        pledged[user] += amount  # type: ignore[assignment]
    for user, record in books.gas.items():
        if record.pledged != pledged[user]:
            yield f"{user} has gas of {record.pledged} iost, pledged are {pledged[user]}"


def _insolvent(cells: Cells, books: Books) -> Iterator[str]:
    """Yields contracts that owe more iost than they hold."""
    for contract, owed in [("vote.iost", _staked(cells)), ("vote_producer.iost", _bonuses(cells))]:
        held = books.balances.get(("iost", contract), 0)
        if owed * IOST > held:
            yield f"{contract} owes {owed} iost, holds {held} of its smallest units"


def _records(cells: Cells, contract: str, key: str) -> dict[str, str]:
    """Returns the fields of the maps whose name, with a slash behind it, begins with `key`, by map and field."""
    found = {}
    for stored_key, stored in cells.items():
        place = place_of(stored_key)
        if place.kind == "m" and place.contract == contract and f"{place.key}/".startswith(key):
            found[f"{place.key}/{place.field}"] = value_of(stored).data
    return found


def _staked(cells: Cells) -> Fraction:
    ballots = _records(cells, "vote.iost", "ballot_").values()
    return sum((Fraction(choice["staked"]) for text in ballots for choice in json.loads(text)), Fraction())


def _bonuses(cells: Cells) -> Fraction:
    """Returns the bonuses that vote_producer.iost owes, those included that no claim has settled yet."""
    contract = "vote_producer.iost"
    shares = _records(cells, contract, "voterShare/")
    votes = _records(cells, contract, "votes/")
    whole = Fraction(value_of(cells[plain_key(contract, "candidateShare")]).data)
    owed = Fraction(value_of(cells[plain_key(contract, "candidateRest")]).data)
    for name, text in _records(cells, contract, "producer/").items():
        record = json.loads(text)
        owed += Fraction(record["bonus"])
        if record["status"] != "applied":
            owed += (whole - Fraction(record["share"])) * Fraction(votes.get(f"votes/{name.partition('/')[2]}", "0"))
    for text in _records(cells, contract, "voter/").values():
        voter = json.loads(text)
        owed += Fraction(voter["bonus"])
        for choice in voter["choices"]:
            share = Fraction(shares.get(f"voterShare/{choice['producer']}", "0"))
            owed += (share - Fraction(choice["share"])) * Fraction(choice["votes"])
    return owed
