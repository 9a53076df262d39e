"""Fair shares of worker time: the key that used least of it lately goes next.

    spent(key) = seconds charged to the key, halved every `HALF_LIFE_S`

A key that was idle for a while therefore comes first, once, and keys that always wait get equal time.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

HALF_LIFE_S = 10.0
"""Seconds after which half of what a key spent is forgotten: several times the limit of one transaction."""

MAX_KEYS = 10_000
"""Keys remembered; the one charged least lately is forgotten first."""

K = TypeVar("K", bound=Hashable)


class Shares(Generic[K]):
    """Worker time used lately, by key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Charges nothing yet; `clock` returns monotonic seconds."""
        self._clock = clock
        self._spent: OrderedDict[K, tuple[float, float]] = OrderedDict()

    def spent_s(self, key: K) -> float:
        """Returns the seconds that a key used lately."""
        seconds, at = self._spent.get(key, (0.0, 0.0))
        return seconds * 0.5 ** ((self._clock() - at) / HALF_LIFE_S) if seconds else 0.0

    def charge(self, key: K, seconds: float) -> None:
        """Adds worker time to what a key used."""
        self._spent[key] = (self.spent_s(key) + seconds, self._clock())
        self._spent.move_to_end(key)
        if len(self._spent) > MAX_KEYS:
            self._spent.popitem(last=False)
