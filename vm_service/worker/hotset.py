"""Which contracts are hot in this worker: images that are installed, by tier.

* **pinned**: asked to be kept, never dropped for room;
* **recent**: used lately; the least recently used are dropped when the images exceed their room;
* **cold**: not installed: the next call compiles it.

INVARIANT: `room_bytes` is exceeded only by pinned images and by those of the batch that runs.

Each batch asks what is hot and what must go, so neither looks at all images: an author may publish a hundred thousand
contracts.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

MAX_NAMED = 4096
"""Contracts whose images are known by name; those used least lately are forgotten, not their images."""

MAX_COUNTED = 4096
"""Contracts whose uses are counted; when there are more, all counts are halved and the smallest forgotten."""


@dataclass(slots=True)
class TierHits:
    """Uses of contracts by the tier in which they were found."""

    pinned: int = 0
    recent: int = 0
    cold: int = 0


class HotSet:
    """Images installed in one sandbox.

    Attributes:
        hits: uses since they were last taken, by tier.
    """

    def __init__(self, room_bytes: int, pinned: Collection[str] = ()) -> None:
        """Starts empty.

        Args:
            room_bytes: text of images kept beside the pinned ones.
            pinned: contracts to be kept.
        """
        self._room_bytes = room_bytes
        self._pinned = frozenset(pinned)
        self._sizes: OrderedDict[str, int] = OrderedDict()  # image key -> bytes, the one used last at the end
        self._total = 0  # of all sizes
        self._keys: OrderedDict[str, str] = OrderedDict()  # contract -> key of its image, in the order of last use
        self._pinned_keys: dict[str, str] = {}  # the same of pinned contracts
        self._used: list[str] = []  # by the last batch, until they are taken
        self._fresh: set[str] = set()  # installed since the last batch
        self._uses: dict[str, int] = {}
        self.hits = TierHits()

    def add(self, key: str, size_bytes: int) -> None:
        """An image was installed."""
        self._set_size(key, size_bytes)
        self._sizes.move_to_end(key)
        self._fresh.add(key)

    def bring(self, contracts: Mapping[str, str], sizes: Mapping[str, int]) -> None:
        """Images were there from the start: keys by contract, bytes by key."""
        for key, size_bytes in sizes.items():
            self._set_size(key, size_bytes)
        for contract, key in contracts.items():
            self._name(contract, key)

    def _set_size(self, key: str, size_bytes: int) -> None:
        self._total += size_bytes - self._sizes.get(key, 0)
        self._sizes[key] = size_bytes

    def _name(self, contract: str, key: str) -> None:
        self._keys[contract] = key
        self._keys.move_to_end(contract)
        if contract in self._pinned:
            self._pinned_keys[contract] = key
        if len(self._keys) > MAX_NAMED:
            self._keys.popitem(last=False)

    def use(self, used: Mapping[str, str]) -> None:
        """A batch used contracts; `used`: image key by contract."""
        self._used = list(used)
        for contract, key in used.items():
            self._name(contract, key)
            if key in self._sizes:
                self._sizes.move_to_end(key)
            if key in self._fresh:
                self.hits.cold += 1
            elif contract in self._pinned:
                self.hits.pinned += 1
            else:
                self.hits.recent += 1
            self._uses[contract] = self._uses.get(contract, 0) + 1
        self._fresh.clear()
        if len(self._uses) > MAX_COUNTED:
            self._uses = {name: count // 2 for name, count in self._uses.items() if count > 1}

    def take_used(self) -> list[str]:
        """Returns the contracts that the last batch used, once."""
        used, self._used = self._used, []
        return used

    def take_hits(self) -> TierHits:
        """Returns the uses counted since the last time, by tier."""
        hits, self.hits = self.hits, TierHits()
        return hits

    def surplus(self) -> list[str]:
        """Returns images to be removed, least recently used first, and forgets them."""
        pinned = set(self._pinned_keys.values())
        total = self._total - sum(self._sizes.get(key, 0) for key in pinned)
        gone = []
        for key, size in self._sizes.items():
            if total <= self._room_bytes:
                break
            if key not in pinned:
                gone.append(key)
                total -= size
        for key in gone:
            self._total -= self._sizes.pop(key)
        if gone:
            self._keys = OrderedDict((name, key) for name, key in self._keys.items() if key in self._sizes)
        return gone

    def hot(self) -> list[str]:
        """Returns the contracts that are known to have their images installed, the most used first."""
        return self._by_uses(self._keys)

    def latest(self, count: int) -> list[str]:
        """Returns the contracts used last whose images are installed, the most used first."""
        return self._by_uses(islice(reversed(self._keys), count))

    def _by_uses(self, contracts: Iterable[str]) -> list[str]:
        return sorted(contracts, key=lambda name: (-self._uses.get(name, 0), name))

    def uses(self) -> Mapping[str, int]:
        """Returns uses by contract since the start, as far as they are counted."""
        return self._uses
