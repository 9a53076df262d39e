"""The byte grammar: everything comes back as it went in, and no damaged byte goes unseen."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state_service import keys, records
from state_service.errors import CorruptionError
from state_service.model import CommitSummary, Durability, Entry, StoredReceipt, TransactionRecord
from state_service.records import Place

write_sets = st.dictionaries(st.binary(min_size=1, max_size=20), st.none() | st.binary(max_size=40), max_size=20).map(
    lambda writes: dict(sorted(writes.items()))
)
transactions = st.lists(
    st.builds(
        TransactionRecord,
        tx_hash=st.binary(min_size=1, max_size=64),
        event_count=st.integers(0, 1000),
        payload=st.binary(max_size=100),
    ),
    max_size=5,
)


def with_crc(data: bytes) -> bytes:
    return data + zlib.crc32(data).to_bytes(4)


@given(st.integers(1, 2**50), write_sets, transactions, st.binary(max_size=50), st.binary(max_size=50))
def test_a_record_comes_back_as_it_went_in(
    version: int, writes: dict[bytes, bytes | None], listed: list[TransactionRecord], header: bytes, answer: bytes
) -> None:
    section = records.encode_writes(writes)
    encoded = records.encode_record(version, section, listed, header, answer)
    body = records.decode_record(b"key", encoded)
    assert body.answer == answer
    assert (body.version, body.writes, body.writes_section) == (version, writes, section)
    assert list(body.writes) == sorted(writes)
    assert (list(body.transactions), body.header) == (listed, header)
    # Schema 1: the same without an answer.
    old = with_crc(b"\1" + encoded[1 : -8 - len(answer)])
    assert records.decode_record(b"key", old) == replace(body, answer=b"")


@given(write_sets, write_sets)
def test_different_write_sets_have_different_encodings(
    one: dict[bytes, bytes | None], other: dict[bytes, bytes | None]
) -> None:
    assert (records.encode_writes(one) == records.encode_writes(other)) == (one == other)


def test_a_delete_and_an_empty_value_differ() -> None:
    assert records.encode_writes({b"k": None}) != records.encode_writes({b"k": b""})


@given(st.data())
def test_every_flipped_bit_of_a_record_is_found(data: st.DataObject) -> None:
    record = bytearray(records.encode_record(7, records.encode_writes({b"key": b"value"}), [], b"h"))
    place = data.draw(st.integers(0, len(record) * 8 - 1))
    record[place // 8] ^= 1 << place % 8
    with pytest.raises(CorruptionError, match="journal record 6b"):
        records.decode_record(b"k", bytes(record))


@given(st.integers(0, 60))
def test_a_shortened_record_is_found(length: int) -> None:
    record = records.encode_record(7, records.encode_writes({b"key": b"value"}), [], b"h")
    with pytest.raises(CorruptionError):
        records.decode_record(b"k", record[: min(length, len(record) - 1)])


@pytest.mark.parametrize("durability", Durability)
@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("dropped", [True, False])
@pytest.mark.parametrize(("named", "block_hash"), [(False, b""), (True, b""), (True, b"h"), (False, bytes(64))])
def test_a_summary_comes_back_as_it_went_in(
    durability: Durability, linear: bool, dropped: bool, named: bool, block_hash: bytes
) -> None:
    summary = CommitSummary(b"id", 3, b"parent", bytes(range(32)), durability, linear, dropped, named, block_hash)
    assert records.decode_summary(3, b"id", records.encode_summary(summary)) == summary


def test_a_summary_of_schema_1_has_no_hash() -> None:
    encoded = with_crc(bytes((1, 2, 1)) + bytes(range(32)) + b"parent")
    expected = CommitSummary(b"id", 3, b"parent", bytes(range(32)), Durability.BUFFERED, linear=True)
    assert records.decode_summary(3, b"id", encoded) == expected


def test_a_damaged_summary_names_its_version() -> None:
    summary = CommitSummary(b"id", 3, b"parent", bytes(32), Durability.SYNCED, linear=True)
    encoded = bytearray(records.encode_summary(summary))
    encoded[5] ^= 1
    with pytest.raises(CorruptionError, match="version 3"):
        records.decode_summary(3, b"id", bytes(encoded))


@given(st.integers(0, 2**60), st.none() | st.binary(max_size=30))
def test_a_value_comes_back_with_its_version(version: int, value: bytes | None) -> None:
    assert records.decode_value(b"k", records.encode_value(value, version)) == Entry(value, version)


def test_receipts_and_places_come_back() -> None:
    receipt = StoredReceipt(version=5, index=2, payload=b"abc")
    assert records.decode_receipt(b"h", records.encode_receipt(receipt)) == receipt
    place = Place(version=9, commitment=bytes(range(32)), commit_id=b"c")
    assert records.decode_place(b"head", records.encode_place(place)) == place


@pytest.mark.parametrize(
    "decode",
    [
        lambda: records.decode_value(b"k", b"short"),
        lambda: records.decode_receipt(b"h", b"short"),
        lambda: records.decode_place(b"head", b"short"),
        lambda: keys.parse_journal_key(b"12345678"),
        lambda: records.decode_record(b"k", b""),
    ],
)
def test_what_ends_early_is_corruption(decode: object) -> None:
    with pytest.raises(CorruptionError):
        decode()  # type: ignore[operator]


@given(
    st.integers(0, 2**60), st.integers(0, 2**60), st.binary(min_size=1, max_size=8), st.binary(min_size=1, max_size=8)
)
def test_journal_keys_sort_by_version_and_come_apart(one: int, other: int, a: bytes, b: bytes) -> None:
    assert keys.parse_journal_key(keys.journal_key(one, a)) == (one, a)
    assert (keys.journal_key(one, a) < keys.journal_key(other, b)) == ((one, a) < (other, b))
    assert keys.version_bound(one) < keys.journal_key(one, a) < keys.version_bound(one + 1)
    assert keys.parse_grave_key(keys.grave_key(one, a)) == (one, a)


@given(st.binary(max_size=6), st.binary(max_size=6))
def test_a_prefix_ends_after_all_its_keys_and_before_others(prefix: bytes, key: bytes) -> None:
    end = keys.prefix_end(prefix)
    inside = key >= prefix and (end is None or key < end)
    assert inside == key.startswith(prefix)
