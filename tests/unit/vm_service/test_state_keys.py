"""Stored keys and values: one form for each cell, readable by everybody who inspects."""

from hypothesis import given
from hypothesis import strategies as st

from gateway import state_names
from vm_service import state_keys as keys
from vm_service.state_keys import StoredValue

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="-@"), min_size=1, max_size=64)
CELLS = st.one_of(
    st.tuples(st.just("b"), NAMES, NAMES),
    st.tuples(st.just("l"), NAMES, NAMES),
    st.tuples(st.just("m"), NAMES, NAMES, NAMES),
    st.tuples(st.just("c"), NAMES),
)
BUILDERS = {"b": keys.plain_key, "l": keys.listing_key, "m": keys.field_key, "c": keys.contract_key}


def _key(cell: tuple[str, ...]) -> str:
    return BUILDERS[cell[0]](*cell[1:])


@given(CELLS, CELLS)
def test_two_cells_never_share_a_key(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (_key(one) == _key(other)) == (one == other)


@given(CELLS)
def test_the_gateway_takes_keys_apart_as_they_were_built(cell: tuple[str, ...]) -> None:
    kind, parts = state_names.split(_key(cell).encode())

    assert (kind.value, *parts) == cell


@given(st.sampled_from("sj"), st.text(), NAMES)
def test_values_are_read_as_they_were_written(letter: str, data: str, payer: str) -> None:
    value = StoredValue(letter, data, payer)

    assert StoredValue.decode(value.encode()) == value


def test_what_a_contract_sees_of_each_type() -> None:
    stored = ["stext@x", "i-5@", "bt@x", "bf@", 'j{"a":"@"}@x', "f10.50@x", "f3.00@", "f7@"]

    assert [StoredValue.decode(text).visible for text in stored] == [
        "text",
        "-5",
        "true",
        "false",
        '{"a":"@"}',
        "10.5",
        "3",
        "7",
    ]


def test_listings_name_fields_in_order() -> None:
    listing = keys.append_field(keys.append_field(None, "b"), "a")

    assert keys.listed_fields(listing) == ["b", "a"]
    assert keys.listed_fields(None) == []
