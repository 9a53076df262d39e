"""Amounts as an attacker writes them, and what the interface makes of them."""

import re
from random import Random
from typing import Final

INT64_MAX: Final = 2**63 - 1
PLAIN: Final = re.compile(r"([0-9]+[.])?[0-9]+")

ODD: Final = (
    "", "0", "0.00", "00.10", "007", "-1", "--1", "+1", "1e3", "1E3", "1e-7", " 1", "1 ", ".5", "1.", "1..2", "1.2.3",
    "0x10", "NaN", "Infinity", "1_000", "1,5", "\uff11", "\u0663", "1\u0000", "0.000000001", "0.0000000000000000001",
    "5.0000000000000000000000001", "9223372036854775807", "9223372036854775808", "92233720368.54775807",
    "92233720368.54775808", "9.223372036854775807", "9.223372036854775808", "99999999999999999999", "1" + "0" * 40,
)  # fmt: skip
"""Texts at or beyond the edge of what an amount may be, for any number of decimals."""

ORDINARY: Final = (
    "1", "2", "3", "5", "0.5", "1.5", "2.99999999", "3.00000001", "4.99999999", "5.00000001", "10",
    "12.345678901234567",
)  # fmt: skip
"""Texts around the limits of the relay's methods."""

MADE: Final = {
    ("Int64", "5"): "5",
    ("Int64", "1e3"): "1000",
    ("Int64", "0.5"): None,
    ("Int64", "-1"): "-1",
    ("Float64", "0.5"): "0.5",
    ("Float64", "1e-7"): "1e-7",
    ("Float64", "NaN"): "NaN",
    ("BigNumber", "1.5"): "1.5",
    ("BigNumber", "1e2"): "100",
    ("BigNumber", "0x10"): "16",
    ("BigNumber", "1e-9"): "1e-9",
    ("toJSON", "2"): "2",
    ("toJSON", "1."): "1.",
    ("toString", "3"): {},
}
"""Objects of the language, by kind and text: as what each arrives at another contract; None: making it fails."""


def parse(text: object, decimals: int) -> int | None:
    """Returns an amount in smallest units, or None when the interface refuses it; zero is refused."""
    if not isinstance(text, str) or not text.isascii() or PLAIN.fullmatch(text) is None:
        return None
    whole, _, fraction = text.partition(".")
    if int(whole + fraction[: decimals + 1]) > INT64_MAX:  # the first digit that is cut off still counts
        return None
    value = int(whole + fraction[:decimals].ljust(decimals, "0"))
    return value if 0 < value <= INT64_MAX else None


def canonical(value: int, decimals: int) -> str:
    """Returns the text of an amount as receipts show it."""
    digits = str(value).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def some(random: Random, near: int, decimals: int) -> str:
    """Returns an amount: ordinary, odd, or next to `near` (smallest units)."""
    kind = random.random()
    if kind < 0.5:
        return random.choice(ORDINARY)
    if kind < 0.75:
        return random.choice(ODD)
    return canonical(max(0, near + random.choice((-1, 0, 0, 1))), decimals)
