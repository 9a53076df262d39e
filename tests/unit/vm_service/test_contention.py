"""Written cells: which batches contend for, and which are read with every view."""

import zlib

from vm_service.worker import contention
from vm_service.worker.contention import Contention


def test_cells_are_those_that_were_written_lately_by_number() -> None:
    known = Contention()
    known.wrote(["mine"])
    known.others_wrote(["theirs"])
    assert known.cells(["mine", "theirs", "unwritten"]) == {zlib.crc32(b"mine"), zlib.crc32(b"theirs")}


def test_cached_keys_are_current_unless_others_write_them() -> None:
    known = Contention()
    known.wrote(["mine"])
    known.others_wrote(["theirs"])
    current = known.current({"mine", "theirs", "unwritten"})
    assert [key in current for key in ("mine", "theirs", "unwritten", "not cached")] == [True, False, True, False]


def test_what_is_remembered_is_bounded() -> None:
    known = Contention()
    for start in range(0, 3 * contention.MAX_CELLS, 1000):
        known.others_wrote([f"k{number}" for number in range(start, start + 1000)])
    assert len(known._numbers) <= contention.MAX_CELLS + 1000
    assert len(known._foreign) <= contention.MAX_CELLS + 1000
