"""Which contracts are hot in this worker: images that are installed, by tier.

* **pinned**: asked to be kept, never dropped for room;
* **recent**: used lately; the least recently used are dropped when the images exceed their room;
* **cold**: not installed: the next call compiles it.

INVARIANT: `room_bytes` is exceeded only by pinned images and by those of the batch that runs.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

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
        self._keys: dict[str, str] = {}  # contract -> key of its image
        self._used: list[str] = []  # by the last batch, until they are taken
        self._fresh: set[str] = set()  # installed since the last batch
        self._uses: dict[str, int] = {}
        self.hits = TierHits()

    def add(self, key: str, size_bytes: int) -> None:
        """An image was installed."""
        self._sizes[key] = size_bytes
        self._sizes.move_to_end(key)
        self._fresh.add(key)

    def bring(self, contracts: Mapping[str, str], sizes: Mapping[str, int]) -> None:
        """Images were there from the start: keys by contract, bytes by key."""
        self._sizes.update(sizes)
        self._keys.update(contracts)

    def use(self, used: Mapping[str, str]) -> None:
        """A batch used contracts; `used`: image key by contract."""
        self._used = list(used)
        for contract, key in used.items():
            self._keys[contract] = key
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
        pinned = {self._keys[name] for name in self._pinned if name in self._keys}
        total = sum(size for key, size in self._sizes.items() if key not in pinned)
        gone = []
        for key, size in list(self._sizes.items()):
            if total <= self._room_bytes:
                break
            if key not in pinned:
                gone.append(key)
                total -= size
        for key in gone:
            del self._sizes[key]
        if gone:
            self._keys = {name: key for name, key in self._keys.items() if key in self._sizes}
        return gone

    def hot(self) -> list[str]:
        """Returns the contracts whose images are installed, the most used first."""
        return sorted(self._keys, key=lambda name: (-self._uses.get(name, 0), name))

    def uses(self) -> Mapping[str, int]:
        """Returns uses by contract since the start, as far as they are counted."""
        return self._uses
