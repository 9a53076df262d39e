"""Logical names and stored keys of state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import MalformedRequestError
from gateway import amounts
from gateway.state_names import Kind, join, logical_name, stored_key, stored_prefix
from gateway.state_values import to_entry, to_value
from iost.gateway.v1 import inspection_service_pb2 as pb
from iost.state.v1.state_service_pb2 import Entry

parts = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="-@"), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("b-ContractX-k", b"b9:ContractXk"),
        ("m-token.iost-TBalice-iost", b"m10:token.iost7:TBaliceiost"),
        ("m-ContractX-users", b"l9:ContractXusers"),
        ("c-token.iost", b"ctoken.iost"),
        ("b-gas.iost-alicegs", b"b8:gas.iostalicegs"),
    ],
)
def test_names_and_keys(name: str, key: bytes) -> None:
    assert stored_key(name) == key
    assert logical_name(key) == name


@given(parts, parts, parts)
def test_names_survive_the_way_there_and_back(contract: str, key: str, field: str) -> None:
    for name in (f"b-{contract}-{key}", f"m-{contract}-{key}", f"m-{contract}-{key}-{field}", f"c-{contract}"):
        assert logical_name(stored_key(name)) == name


@given(st.tuples(parts, parts, parts), st.tuples(parts, parts, parts))
def test_no_two_cells_share_a_key(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (join(Kind.FIELD, *one) == join(Kind.FIELD, *other)) == (one == other)


@pytest.mark.parametrize("name", ["", "b", "b-", "b--k", "b-c", "m-c", "m--k", "x-c-k", "c-", "balance", "m-c--f"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(MalformedRequestError):
        stored_key(name)


@given(parts, parts, parts, st.integers(0, 12))
def test_a_prefix_of_a_name_finds_its_key(contract: str, key: str, field: str, length: int) -> None:
    for fixed, last in (
        (f"b-{contract}-", key),
        (f"m-{contract}-", key),
        (f"m-{contract}-{key}-", field),
        ("c-", contract),
    ):
        assert stored_key(fixed + last).startswith(stored_prefix(fixed + last[:length]))


@pytest.mark.parametrize("prefix", ["", "b", "b-", "b-Contr", "m-c", "x-", "m--"])
def test_what_is_no_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(MalformedRequestError):
        stored_prefix(prefix)


@pytest.mark.parametrize(
    ("raw", "kind", "text", "payer"),
    [
        (b"shello@alice", pb.VALUE_TYPE_STRING, "hello", "alice"),
        (b"sa@b@c", pb.VALUE_TYPE_STRING, "a@b", "c"),
        (b"s@", pb.VALUE_TYPE_STRING, "", ""),
        (b"i-12@ContractX", pb.VALUE_TYPE_INTEGER, "-12", "ContractX"),
        (b"bt@", pb.VALUE_TYPE_BOOLEAN, "true", ""),
        (b'j{"a":"x@y"}@z', pb.VALUE_TYPE_JSON, '{"a":"x@y"}', "z"),
        (b"f1.50@a", pb.VALUE_TYPE_DECIMAL, "1.50", "a"),
        (b"whatever", pb.VALUE_TYPE_UNSPECIFIED, "whatever", ""),
        (b"\xff\xfe", pb.VALUE_TYPE_UNSPECIFIED, "\\xff\\xfe", ""),
    ],
)
def test_values(raw: bytes, kind: int, text: str, payer: str) -> None:
    value = to_value(b"b1:ck", raw)
    assert (value.type, value.text, value.payer) == (kind, text, payer)


def test_an_absent_cell_has_no_value() -> None:
    entry = to_entry(Entry(key=b"b1:ck", version=4))
    assert not entry.HasField("value")
    assert (entry.name, entry.version) == ("b-c-k", 4)


@pytest.mark.parametrize("key", [b"", b"z1:ck", b"bx:ck", b"b", b"\xff", b"m1:c"])
def test_foreign_keys_are_shown_and_do_not_break(key: bytes) -> None:
    assert to_entry(Entry(key=key, value=b"v")).HasField("value")


@given(st.integers(-(2**70), 2**70), st.integers(0, 18))
def test_amounts_survive_the_way_there_and_back(units: int, decimals: int) -> None:
    text = amounts.to_text(units, decimals)
    assert amounts.to_units(text.removeprefix("-"), decimals) == abs(units)
    assert text.startswith("-") == (units < 0)
    assert not ("." in text and text.endswith("0"))


@pytest.mark.parametrize(
    ("text", "decimals"), [("", 2), (".5", 2), ("1.234", 2), ("1e3", 2), ("-1", 2), ("x", 2), ("1.0", 0)]
)
def test_what_is_no_amount_is_refused(text: str, decimals: int) -> None:
    with pytest.raises(ValueError, match="amount"):
        amounts.to_units(text, decimals)
