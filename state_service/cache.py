"""L1: a bounded cache of what the store's STATE space holds, deletions and absences included.

It mirrors folded state; L2 (`tree`) lies above it and shadows it. So an entry needs no range of validity: it is right
for every view that L2 sends on. The rules (each has a test named after it):

  1. Absence is an entry: a key known not to exist is a hit.
  2. The flusher applies, after its write returned, never before; readers only fill, never replace, and only when
     nothing was applied since before they read (`token`).
  3. Applied ranges of versions follow each other without gap; a gap drops the whole cache. Applying the same range
     again changes nothing.
  4. What is applied comes from the write batches themselves, deletes included.
  5. A sample of hits is read again from the store and compared; a difference is counted and drops the cache.

INVARIANT: `byte_count` is the sum of `_cost` over all entries and does not exceed `limit_bytes` after a call.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from state_service.model import Entry

_OVERHEAD_BYTES = 250
"""Memory of an entry beside key and value: two byte objects, a tuple, an ordered dict slot, about."""


@dataclass(slots=True)
class CacheCounts:
    """What happened so far."""

    hits: int = 0
    misses: int = 0
    fills: int = 0
    refused_fills: int = 0
    """Fills that came too late: something was applied since their read began."""
    evictions: int = 0
    drops: int = 0
    """Times the whole cache was dropped."""
    checks: int = 0
    mismatches: int = 0
    """Sampled hits that differed from the store: must stay 0."""


class Cache:
    """The cache; one event loop, no locks. With a limit of 0 it holds nothing and everything still works."""

    def __init__(self, limit_bytes: int, applied_version: int) -> None:
        """Starts empty.

        Args:
            limit_bytes: Most bytes held, keys and overhead included.
            applied_version: Version that the store has folded.
        """
        self.limit_bytes = limit_bytes
        self.applied_version = applied_version
        self.byte_count = 0
        self.counts = CacheCounts()
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._generation = 0
        self._applying = False

    def __len__(self) -> int:
        """Returns the number of entries."""
        return len(self._entries)

    def get_many(self, keys: Sequence[bytes]) -> tuple[list[Entry | None], list[int]]:
        """Looks keys up.

        Returns:
            An entry for each key, None where it is not cached; and the places of those.
        """
        entries = self._entries
        get, touch = entries.get, entries.move_to_end
        found: list[Entry | None] = []
        missing: list[int] = []
        for place, key in enumerate(keys):
            entry = get(key)
            if entry is None:
                missing.append(place)
            else:
                touch(key)
            found.append(entry)
        self.counts.hits += len(keys) - len(missing)
        self.counts.misses += len(missing)
        return found, missing

    def peek(self, key: bytes) -> Entry | None:
        """Looks a key up without counting or ageing anything."""
        return self._entries.get(key)

    def token(self) -> int:
        """Returns what `fill` needs: taken before the read of the store begins."""
        return self._generation

    def is_settled(self, token: int) -> bool:
        """Tells whether nothing was applied since the token was taken, nor is being applied."""
        return token == self._generation and not self._applying

    def fill(self, token: int, pairs: Iterable[tuple[bytes, Entry]]) -> None:
        """Adds what was read from the store, unless something was applied since the token was taken (rule 2)."""
        if not self.is_settled(token):
            self.counts.refused_fills += 1
            return
        for key, entry in pairs:
            if key not in self._entries:
                self._put(key, entry)
                self.counts.fills += 1
        self._evict()

    def begin_apply(self) -> None:
        """Says that the store's STATE is about to change: fills are refused until `apply` or `drop`."""
        self._applying = True
        self._generation += 1

    def apply(self, pairs: Iterable[tuple[bytes, Entry]]) -> None:
        """Takes over part of a range of versions, now in STATE. REQUIRES: `begin_apply` before the write."""
        entries, drop = self._entries, self._entries.pop
        byte_count = self.byte_count
        for key, entry in pairs:  # as `_put`, without its calls: a fold brings thousands
            old = drop(key, None)
            if old is not None:
                byte_count -= _cost(key, old)
            entries[key] = entry
            value = entry[0]
            byte_count += _OVERHEAD_BYTES + len(key) + (0 if value is None else len(value))
        self.byte_count = byte_count
        self._evict()
        self._applying = False
        self._generation += 1

    def advance(self, first_version: int, last_version: int) -> None:
        """Says that a range of versions is applied to its end; a gap before it drops everything (rule 3)."""
        if last_version <= self.applied_version:
            return
        if first_version > self.applied_version + 1:
            self.drop()
        self.applied_version = last_version

    def drop(self) -> None:
        """Forgets everything."""
        self._entries.clear()
        self.byte_count = 0
        self.counts.drops += 1
        self._applying = False
        self._generation += 1

    def _put(self, key: bytes, entry: Entry) -> None:
        old = self._entries.get(key)
        if old is not None:
            self.byte_count -= _cost(key, old)
        self._entries[key] = entry
        self._entries.move_to_end(key)
        self.byte_count += _cost(key, entry)

    def _evict(self) -> None:
        while self.byte_count > self.limit_bytes:
            key, entry = self._entries.popitem(last=False)
            self.byte_count -= _cost(key, entry)
            self.counts.evictions += 1


def _cost(key: bytes, entry: Entry) -> int:
    return _OVERHEAD_BYTES + len(key) + (len(entry.value) if entry.value is not None else 0)
