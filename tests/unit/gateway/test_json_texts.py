"""JSON of arguments: exact numbers, and values that a contract cannot read are refused."""

import json
import math
from decimal import Decimal
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.client import action, json_texts
from gateway.client.calls import call_request


class Colour(IntEnum):
    RED = 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.10"), "1.10"),
        (Decimal("0.30000000000000000001"), "0.30000000000000000001"),
        (Decimal("12345678901234567890.5"), "12345678901234567890.5"),
        (12345678901234567890123, "12345678901234567890123"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (-0.0, "-0.0"),
        (True, "true"),
        (None, "null"),
        (Colour.RED, "7"),
        ("ä\n", '"ä\\n"'),
        ({"a": [1, (2,)], 3: {}}, '{"a":[1,[2]],"3":{}}'),
    ],
)
def test_the_client_writes_values_exactly(value: object, text: str) -> None:
    assert json_texts.encode(value) == text
    assert action("c", "m", value, "x").data == f'[{text},"x"]'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Decimal("nan"), Decimal("-inf"), Decimal("1e400")])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"a": [value]}])
def test_the_client_refuses_numbers_that_json_lacks(value: object, wrap) -> None:
    with pytest.raises(ValueError, match="no number that a contract can read"):
        action("c", "m", wrap(value))


def test_the_client_refuses_other_values() -> None:
    with pytest.raises(ValueError, match="no number"):
        action("c", "m", 10**400)
    with pytest.raises(TypeError, match="bytes"):
        action("c", "m", b"x")
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested too deeply"):
        action("c", "m", endless)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_other_values_are_written_as_by_the_standard_library(value: object) -> None:
    assert json_texts.encode(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    "text",
    [
        "[1.10]",
        "[0.30000000000000000001]",
        "[12345678901234567890.5]",
        " [ 1e5 ,\t-0 ] ",
        '["\\u00e4"]',
        "[]",
        "[9e307]",
    ],
)
def test_a_typed_array_stays_as_it_is(text: str) -> None:
    assert json_texts.check_array(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1e400]", "'1e400' is no number that a contract can read"),
        ("[-1e400]", "'-1e400' is no number"),
        (f"[1{'0' * 400}]", "is no number"),
        ("[NaN]", "NaN is not JSON"),
        ("[Infinity]", "Infinity is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("{}", "must be a JSON array"),
        ("", "Expecting value"),
        ("[1,]", "Expecting value"),
        ("[\udcff]", "not UTF-8"),
    ],
)
def test_a_text_that_is_no_array_of_arguments_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        json_texts.check_array(text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


def test_a_call_takes_its_arguments_as_values_or_as_text() -> None:
    def data_of(*args: object, data: str | None = None) -> str:
        request = call_request(
            "c", "m", args, data=data, publisher="", gas_limit=0, version=0, block_id=b"", trace=False
        )
        return request.calls[0].data

    assert data_of(Decimal("1.10")) == "[1.10]"
    assert data_of(data="[ 1.10 ]") == "[ 1.10 ]"
    with pytest.raises(ValueError, match="both"):
        data_of(1, data="[1]")
