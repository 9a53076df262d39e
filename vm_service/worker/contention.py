"""Cells that were written lately, by this worker or by others, as far as the worker was told.

Batches contend for cells that were written lately and that they will probably touch: the store opens the view of a
batch once earlier batches with a common cell are committed (`OpenView`, place). Cells that others write are read with
every view, since the cached value is probably old by then. A cell that is missing here costs a second run or a host
call, one too many costs a wait or a read. Nothing here can change an outcome.
"""

import zlib
from collections.abc import Collection, Iterable

MAX_CELLS = 20_000
"""Cells remembered as written: more than are active at once. Beyond it all are forgotten."""


class Contention:
    """What a worker knows of written cells."""

    def __init__(self) -> None:
        """Knows no cell yet."""
        self._numbers: dict[str, int] = {}
        self._foreign: set[str] = set()

    def wrote(self, keys: Iterable[str]) -> None:
        """Remembers cells that this worker wrote."""
        known = self._numbers
        if len(known) > MAX_CELLS:
            known.clear()
        for key in keys:
            if key not in known:
                known[key] = zlib.crc32(key.encode())

    def others_wrote(self, keys: Collection[str]) -> None:
        """Remembers cells that others wrote."""
        self.wrote(keys)
        if len(self._foreign) > MAX_CELLS:
            self._foreign.clear()
        self._foreign.update(keys)

    def cells(self, keys: Iterable[str]) -> set[int]:
        """Returns the numbers of those keys that were written lately."""
        known = self._numbers
        return {known[key] for key in keys if key in known}

    def current(self, cached: Collection[str]) -> "Current":
        """Returns those of the cached keys that need not be read with the next view."""
        return Current(cached, self._foreign)


class Current:
    """Cached keys that others do not write. A container, since building the set would cost more than asking it."""

    def __init__(self, cached: Collection[str], foreign: Collection[str]) -> None:
        """Takes both collections as they are."""
        self._cached = cached
        self._foreign = foreign

    def __contains__(self, key: object) -> bool:
        """Whether a key is cached and no other worker writes it."""
        return key in self._cached and key not in self._foreign
