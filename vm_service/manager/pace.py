"""Which contracts are known to be quick, so that their callers may share a batch.

A transaction waits for those before it in its batch. Nobody knows what an unknown contract does, so it is tried alone,
and only contracts that were quick share batches. One that turns out slow goes alone for a while.

Nothing here can change an outcome: only who waits for whom. The gateway gathers by the same trust
(`gateway.company`); services share no code, so a test holds both equal.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection

from vm_service.forms import MAX_NAME_CHARS

QUICK_S = 0.05
"""Seconds for one item up to which its contract is quick: ten times what a first call takes, compiling included."""

SLOW_S = 5.0
"""Seconds that a slow contract goes alone: a slow batch of its neighbours' making must not cost it more."""

TYPICAL_S = 0.0005
"""Seconds that an item of a quick contract is expected to take: what a transfer takes."""

MAX_KNOWN = 10_000
"""Quick contracts remembered; the one used least lately is forgotten first, and tried again."""

PUBLISHER = "system.iost"
"""Runs code that nobody has seen: a contract's `init`."""


class Pace:
    """What is known of contracts."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Knows nothing yet."""
        self._clock = clock
        self._quick: OrderedDict[str, None] = OrderedDict()
        self._slow: OrderedDict[str, tuple[float, float]] = (
            OrderedDict()
        )  # when its time alone is over, seconds it took

    def is_quick(self, contracts: Collection[str]) -> bool:
        """Whether transactions that call these contracts may share a batch."""
        return all(is_trusted(name) or name in self._quick for name in contracts)

    def expected_s(self, contracts: Collection[str]) -> float:
        """Returns the seconds that an item which calls these contracts is expected to take."""
        return max((self._slow[name][1] for name in contracts if name in self._slow), default=TYPICAL_S)

    def learn(self, contracts: Collection[str], seconds: float) -> bool:
        """Takes note of how long an item of a batch took.

        A slow one is the fault of those contracts that were not known to be quick, if there are any: nobody makes
        others' contracts slow by naming them. Names that no contract can have are not remembered.

        Args:
            contracts: contracts that the batch called directly.
            seconds: time of the batch, shared out among its items.

        Returns:
            Whether contracts became quick that were not.
        """
        names = [
            name for name in contracts if not is_trusted(name) and name != PUBLISHER and len(name) <= MAX_NAME_CHARS
        ]
        now = self._clock()
        if seconds > QUICK_S:
            for name in [name for name in names if name not in self._quick] or names:
                self._quick.pop(name, None)
                self._slow[name] = (now + SLOW_S, seconds)
                self._slow.move_to_end(name)
            _bound(self._slow)
            return False
        ready = [name for name in names if self._slow.get(name, (now,))[0] <= now]
        fresh = [name for name in ready if name not in self._quick]
        for name in ready:
            self._slow.pop(name, None)
            self._quick[name] = None
            self._quick.move_to_end(name)
        _bound(self._quick)
        return bool(fresh)


def is_trusted(contract: str) -> bool:
    """The chain's own contracts are native, or part of its first version."""
    return contract.endswith(".iost") and contract != PUBLISHER


def _bound(table: OrderedDict[str, None] | OrderedDict[str, tuple[float, float]]) -> None:
    while len(table) > MAX_KNOWN:
        table.popitem(last=False)
