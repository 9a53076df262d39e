"""Which cells batches contend for: those that were written lately and that a batch will probably touch.

The store opens the view of a batch once earlier batches with a common cell are committed (`OpenView`, place). A cell
that is missing here costs a second run, one too many costs a wait. Nothing here can change an outcome.
"""

import zlib
from collections.abc import Iterable

MAX_CELLS = 20_000
"""Cells remembered as written: more than are active at once. Beyond it all are forgotten."""


class Contention:
    """Cells that were written lately, by this worker or by others as far as it was told."""

    def __init__(self) -> None:
        """Knows no cell yet."""
        self._numbers: dict[str, int] = {}

    def wrote(self, keys: Iterable[str]) -> None:
        """Remembers cells that were written."""
        known = self._numbers
        if len(known) > MAX_CELLS:
            known.clear()
        for key in keys:
            if key not in known:
                known[key] = zlib.crc32(key.encode())

    def cells(self, keys: Iterable[str]) -> set[int]:
        """Returns the numbers of those keys that were written lately."""
        known = self._numbers
        return {known[key] for key in keys if key in known}
