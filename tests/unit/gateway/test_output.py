"""Texts for people: ids cut in the middle, gas with two decimals, similar names."""

import pytest

from gateway.cli.hints import did_you_mean
from gateway.cli.output import gas_text
from gateway.cli.texts import cut_ids, visible
from gateway.client import base58

HASH = base58.encode(bytes(range(1, 33)))
SHORT = f"{HASH[:6]}…{HASH[-6:]}"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (HASH, SHORT),
        (f"Contract{HASH}", f"Contract{SHORT}"),
        (f"m-Contract{HASH}-balances-alice", f"m-Contract{SHORT}-balances-alice"),
        (f"m-token.iost-TBContract{HASH}-iost", f"m-token.iost-TBContract{SHORT}-iost"),
        (f"{HASH} Contract{HASH}/add", f"{SHORT} Contract{SHORT}/add"),
        ("0123456789abcdef" * 4, "012345…abcdef"),
        (base58.encode(b"\2" * 33), f"{base58.encode(bytes([2] * 33))[:6]}…{base58.encode(bytes([2] * 33))[-6:]}"),
        ("token.iost", "token.iost"),
        ("x" * 39, "x" * 39),
        ("x" * 60, "x" * 60),
        ("0" * 44, "0" * 44),
        ("word " * 20, "word " * 20),
    ],
)
def test_only_ids_are_cut(text: str, cut: str) -> None:
    assert cut_ids(text) == cut


@pytest.mark.parametrize(
    ("hundredths", "text"),
    [(0, "0.00"), (7, "0.07"), (3012340, "30123.40"), (400_000_000, "4000000.00"), (-5, "-0.05")],
)
def test_gas_has_two_decimals(hundredths: int, text: str) -> None:
    assert gas_text(hundredths) == text


def test_control_characters_are_made_visible() -> None:
    assert visible("a\tb\nc ä€") == "a\tb\nc ä€"
    assert visible("\x1b[2J\x07\x9b1m\u2028") == "\\x1b[2J\\x07\\x9b1m\\u2028"


def test_similar_names_are_told() -> None:
    assert did_you_mean("transferr", ["transfer", "issue"]) == "did you mean transfer?"
    assert did_you_mean("BALANCEOF", ["balanceOf"]) == "did you mean balanceOf?"
    assert did_you_mean("cuont", ["count", "x"], prefix="b-c-") == "did you mean b-c-count?"
    assert did_you_mean("nothing", ["transfer", "issue"]) == ""
    assert did_you_mean("x", []) == ""
