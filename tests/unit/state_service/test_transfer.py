"""JSON lines: readable where they can be, exact always."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state_service.model import Entry
from state_service.transfer import MalformedLineError, decode_lines, encode_line


@given(st.binary(min_size=1, max_size=30), st.binary(max_size=30) | st.text(max_size=10).map(str.encode))
def test_a_line_comes_back_as_it_went_in(key: bytes, value: bytes) -> None:
    line = encode_line(key, Entry(value, 3))
    assert "\n" not in line
    assert list(decode_lines([line, "\n"])) == [(key, value)]


def test_text_stays_readable() -> None:
    assert json.loads(encode_line(b"token/alice", Entry(b"12.50", 7))) == {
        "key": "token/alice",
        "value": "12.50",
        "version": 7,
    }
    assert json.loads(encode_line(b"k", Entry(b"\xff\0", 1)))["value"] == {"base64": "/wA="}
    assert json.loads(encode_line(b"k", Entry(b"", 1)))["value"] == ""


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "1",
        '{"key": "a"}',
        '{"key": 1, "value": ""}',
        '{"key": "a", "value": {"base64": "?"}}',
        '{"key": {}}',
    ],
)
def test_a_bad_line_is_named_by_its_number(line: str) -> None:
    with pytest.raises(MalformedLineError, match="line 2"):
        list(decode_lines([encode_line(b"k", Entry(b"", 1)), line]))
