"""The judge of histories: a sound history passes, and every spoiled one fails."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.consistency import spoil
from tests.fault.consistency.check import check
from tests.fault.consistency.elle import components
from tests.fault.consistency.history import Entry, History, Recorder


@pytest.mark.parametrize("seed", range(5))
def test_a_sound_history_passes(seed: int) -> None:
    found = check(History(spoil.sound(seed)))
    assert found.passed, str(found)


@pytest.mark.parametrize("spoiled", spoil.SPOILS, ids=lambda spoiled: spoiled.__name__)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_spoiled_history_is_found_out(spoiled: Callable[[list[Entry]], None], seed: int) -> None:
    entries = spoil.sound(seed)
    spoiled(entries)
    assert spoil.SPOILS[spoiled] in check(History(entries)).anomalies


def test_a_cycle_is_told_from_a_chain() -> None:
    found = components({"a": {"b"}, "b": {"a", "c"}, "c": set(), "d": {"c"}})
    assert [sorted(part) for part in found] == [["a", "b"]]


def test_a_history_survives_its_file(tmp_path: Path) -> None:
    entries = spoil.sound()
    recorder = Recorder(tmp_path / "history.jsonl")
    for entry in entries:
        recorder.add(entry)
    recorder.close()
    assert History.load(tmp_path / "history.jsonl").entries == entries
