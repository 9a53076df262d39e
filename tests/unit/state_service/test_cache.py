"""L1, and the rules that keep it equal to the store: each has a test named after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state_service.cache import Cache
from state_service.model import ABSENT, Entry

OLD = Entry(b"old", 1)
NEW = Entry(b"new", 2)


def cache(limit_bytes: int = 1 << 20) -> Cache:
    return Cache(limit_bytes, applied_version=1)


def read(found: Cache, key: bytes = b"k") -> Entry | None:
    return found.get_many([key])[0][0]


def test_rule_1_absence_is_an_entry() -> None:
    found = cache()
    found.fill(found.token(), [(b"k", ABSENT)])
    assert read(found) is ABSENT
    assert (found.counts.hits, found.counts.misses) == (1, 0)


def test_rule_1_a_deletion_is_an_entry_with_its_version() -> None:
    found = cache()
    found.begin_apply()
    found.apply([(b"k", Entry(None, 2))])
    assert read(found) == (None, 2)


def test_rule_2_readers_fill_but_never_replace() -> None:
    found = cache()
    found.begin_apply()
    found.apply([(b"k", NEW)])
    found.fill(found.token(), [(b"k", OLD)])
    assert read(found) == NEW


def test_rule_2_a_fill_from_before_an_apply_is_refused() -> None:
    found = cache()
    token = found.token()
    found.begin_apply()
    found.apply([(b"other", NEW)])
    found.fill(token, [(b"k", OLD)])
    assert read(found) is None
    assert found.counts.refused_fills == 1


def test_rule_2_a_fill_during_an_apply_is_refused() -> None:
    found = cache()
    found.begin_apply()
    found.fill(found.token(), [(b"k", OLD)])
    assert read(found) is None
    found.apply([(b"k", NEW)])
    assert read(found) == NEW


def test_rule_3_a_gap_between_applied_ranges_drops_everything() -> None:
    found = cache()
    found.fill(found.token(), [(b"k", OLD)])
    found.advance(3, 4)
    assert read(found) is None
    assert (found.counts.drops, found.applied_version, found.byte_count) == (1, 4, 0)


def test_rule_3_applying_a_range_again_changes_nothing() -> None:
    found = cache()
    found.fill(found.token(), [(b"k", OLD)])
    found.advance(2, 3)
    found.advance(2, 3)
    assert read(found) == OLD
    assert (found.counts.drops, found.applied_version) == (0, 3)


def test_rule_3_a_drop_refuses_fills_from_before() -> None:
    found = cache()
    token = found.token()
    found.drop()
    found.fill(token, [(b"k", OLD)])
    assert read(found) is None


def test_it_evicts_what_was_not_used_for_longest() -> None:
    found = cache(limit_bytes=3 * 253)
    found.fill(found.token(), [(b"a", Entry(b"1a", 1)), (b"b", Entry(b"1b", 1)), (b"c", Entry(b"1c", 1))])
    read(found, b"a")
    found.fill(found.token(), [(b"d", Entry(b"1d", 1))])
    assert [found.peek(key) is not None for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert found.counts.evictions == 1


def test_without_room_it_holds_nothing_and_still_answers() -> None:
    found = cache(limit_bytes=0)
    found.fill(found.token(), [(b"k", OLD)])
    assert (read(found), len(found), found.byte_count) == (None, 0, 0)


@given(
    st.integers(0, 3000),
    st.lists(st.tuples(st.sampled_from("fad"), st.binary(min_size=1, max_size=2), st.binary(max_size=500))),
)
def test_its_bytes_are_those_of_its_entries(limit: int, steps: list[tuple[str, bytes, bytes]]) -> None:
    found = Cache(limit, 0)
    for kind, key, value in steps:
        if kind == "f":
            found.fill(found.token(), [(key, Entry(value, 1))])
        elif kind == "a":
            found.begin_apply()
            found.apply([(key, Entry(value or None, 2))])
        else:
            found.drop()
        entries = found._entries
        assert found.byte_count == sum(250 + len(k) + len(e.value or b"") for k, e in entries.items())
        assert found.byte_count <= limit


@pytest.mark.parametrize("count", [0, 1, 5])
def test_hits_and_misses_add_up(count: int) -> None:
    found = cache()
    found.fill(found.token(), [(b"%d" % n, OLD) for n in range(count)])
    entries, missing = found.get_many([b"%d" % n for n in range(7)])
    assert missing == list(range(count, 7))
    assert [entry is None for entry in entries] == [n >= count for n in range(7)]
    assert (found.counts.hits, found.counts.misses, found.counts.fills) == (count, 7 - count, count)
