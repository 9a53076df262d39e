"""What holds after every transaction, whatever it was."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping

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
from vm_service.state_keys import field_key

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
    owed: Counter[str] = Counter()
    for stored_key, stored in cells.items():
        place = place_of(stored_key)
        if place.kind != "m":
            continue
        if place.contract == "vote.iost" and place.key.startswith("ballot_"):
            choices = json.loads(value_of(stored).data)
            owed["vote.iost"] += sum(int(choice["staked"].replace(".", "")) for choice in choices)
        elif place[1:3] in {("vote_producer.iost", "voter"), ("vote_producer.iost", "producer")}:
            whole, _, fraction = json.loads(value_of(stored).data)["bonus"].partition(".")
            owed["vote_producer.iost"] += int(whole) * IOST + int(fraction[:8].ljust(8, "0"))
    for contract, amount in owed.items():
        if amount > books.balances.get(("iost", contract), 0):
            yield f"{contract} owes {amount}, holds {books.balances.get(('iost', contract), 0)}"
