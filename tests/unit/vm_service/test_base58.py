"""Base58 text of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vm_service import base58


@given(st.binary(max_size=80))
def test_text_reads_back_as_the_same_bytes(data: bytes) -> None:
    assert base58.decode(base58.encode(data)) == data


def test_known_texts() -> None:
    assert base58.encode(b"Hello World!") == "2NEpo7TZRRrLZSi2U"
    assert base58.encode(bytes.fromhex("0000287fb4cd")) == "11233QC4"
    assert base58.encode(b"") == ""


def test_a_foreign_character_is_refused() -> None:
    with pytest.raises(ValueError, match="'0' is no base58"):
        base58.decode("10")
