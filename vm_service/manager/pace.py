"""Which contracts are known to be quick, so that their callers may share a batch.

A transaction waits for those before it in its batch. The cost of an unknown contract is not known, so it is tried
alone, and only contracts that were quick share batches. One that turns out slow goes alone for a while.

What is known is kept by *company*: the contracts that an item calls directly, without those of the chain. So a contract
that is named beside a slow one is no slower for it. Only items that ran make a company quick: the name of a contract in
a transaction that was refused says nothing.

Nothing here can change an outcome: only the order of waiting. The gateway gathers by the same trust
(`gateway.company`).
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence, Set
from typing import TypeVar

from vm_service.company import PUBLISHER, Company
from vm_service.forms import MAX_NAME_CHARS

QUICK_S = 0.05
"""Seconds for one item up to which its company is quick: ten times what a first call takes, compiling included."""

SLOW_S = 5.0
"""Seconds that a slow company goes alone: a slow store or machine must not cost it more."""

TYPICAL_S = 0.0005
"""Seconds that an item of a quick company is expected to take: what a transfer takes."""

MAX_KNOWN = 10_000
"""Quick companies remembered; the one used least lately is forgotten first, and tried again."""

MAX_NAMES = 16
"""Most contracts of a company that is remembered: more are called by no ordinary transaction."""

V = TypeVar("V")


class Pace:
    """What is known of companies."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Knows nothing yet."""
        self._clock = clock
        self._quick: OrderedDict[Company, None] = OrderedDict()
        self._slow: OrderedDict[Company, tuple[float, float]] = OrderedDict()
        """When its time alone is over, and the seconds that it took."""

    def is_quick(self, companies: Iterable[Company]) -> bool:
        """Whether items of these companies may share a batch."""
        return all(not company or company in self._quick for company in companies)

    def expected_s(self, company: Company) -> float:
        """Returns the seconds that an item of a company is expected to take."""
        return self._slow[company][1] if company in self._slow else TYPICAL_S

    def learn(
        self, companies: Sequence[Company], seconds: float, *, used: Set[str], slow: Iterable[tuple[int, int]]
    ) -> bool:
        """Takes note of how long the items of a batch took.

        Args:
            companies: company of each item, in order.
            seconds: time of the batch.
            used: contracts that ran.
            slow: places of items that were seen to run, with their milliseconds.

        Returns:
            Whether companies became quick that were not.
        """
        known = ((companies[place], took_ms / 1000) for place, took_ms in slow if place < len(companies))
        took_s = {company: item_s for company, item_s in known if item_s > QUICK_S}
        if not took_s and seconds > QUICK_S * len(companies):
            took_s = dict.fromkeys(companies, seconds / len(companies))
        for company, item_s in took_s.items():
            self.blame(company, item_s)
        fresh = [company for company in set(companies) - took_s.keys() if company <= used and self.trust(company)]
        return bool(fresh)

    def blame(self, company: Company, seconds: float) -> None:
        """Takes note that an item of a company was slow."""
        if _is_remembered(company):
            self._quick.pop(company, None)
            _remember(self._slow, company, (self._clock() + SLOW_S, seconds))

    def trust(self, company: Company) -> bool:
        """Takes note that an item of a company was quick; returns whether the company became quick by it."""
        if not _is_remembered(company) or self._slow.get(company, (0.0,))[0] > self._clock():
            return False
        is_fresh = company not in self._quick
        self._slow.pop(company, None)
        _remember(self._quick, company, None)
        return is_fresh


def _is_remembered(company: Company) -> bool:
    """Names that no contract can have are not remembered; publishing is never known."""
    return (
        0 < len(company) <= MAX_NAMES
        and PUBLISHER not in company
        and all(len(name) <= MAX_NAME_CHARS for name in company)
    )


def _remember(table: OrderedDict[Company, V], company: Company, value: V) -> None:
    table[company] = value
    table.move_to_end(company)
    if len(table) > MAX_KNOWN:
        table.popitem(last=False)
