"""Snapshot files: whole or refused."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vm_service.worker.snapshot_store import KEPT, DamagedError, Snapshot, SnapshotStore, decode, encode

SNAPSHOT = Snapshot("k" * 64, {"ContractA": "image1"}, {"image1": 7}, "digest", os.urandom(5000))


def test_a_snapshot_reads_back(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "new")
    store.write(SNAPSHOT)
    assert store.read(SNAPSHOT.key) == SNAPSHOT
    assert store.newest() == SNAPSHOT.key
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".snapshot"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(encode(SNAPSHOT)) - 1), st.integers(1, 255))
def test_any_changed_byte_is_found(at: int, change: int) -> None:
    raw = bytearray(encode(SNAPSHOT))
    raw[at] ^= change
    with pytest.raises(DamagedError):
        decode(bytes(raw), SNAPSHOT.key)


@pytest.mark.parametrize("keep", [0, 10, 50, 400, 5000])
def test_a_cut_file_is_found(tmp_path: Path, keep: int) -> None:
    store = SnapshotStore(tmp_path)
    path = store.write(SNAPSHOT)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedError):
        store.read(SNAPSHOT.key)


def test_a_snapshot_under_another_name_is_refused(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.write(SNAPSHOT).rename(store.path("x" * 64))
    with pytest.raises(DamagedError, match="key"):
        store.read("x" * 64)


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    for number in range(KEPT + 2):
        path = store.write(Snapshot(f"{number}" * 64, {}, {}, "", b"x"))
        os.utime(path, ns=(number, number))
    assert {path.name[0] for path in tmp_path.iterdir()} == {"2", "3", "4"}


def test_the_hot_list_survives_and_nonsense_is_an_empty_list(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    assert store.read_hot() == []
    store.write_hot(["b", "a"])
    assert store.read_hot() == ["b", "a"]
    for nonsense in (b"", b"{", b"[]", b'{"contracts": 5}', b'{"contracts": [1, "a"]}'):
        (tmp_path / "hot.json").write_bytes(nonsense)
        assert store.read_hot() in ([], ["a"])


@pytest.mark.parametrize(
    "nonsense",
    [
        b'{"contracts": ' + b"[" * 100_000,
        b'{"contracts": ["\\ud800", "", "\\u0000"]}',
        b'{"contracts": ["%s"]}' % (b"x" * 5000),
    ],
    ids=["deep", "names", "long"],
)
def test_a_hot_list_holds_nothing_but_possible_ids(tmp_path: Path, nonsense: bytes) -> None:
    (tmp_path / "hot.json").write_bytes(nonsense)
    assert SnapshotStore(tmp_path).read_hot() == []
