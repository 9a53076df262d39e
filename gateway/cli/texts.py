"""Texts of the chain for a terminal: ids are cut in the middle, control characters are made visible."""

import re

KEPT_CHARS = 6
"""Characters kept at each end of an id: 36 bits each, enough to tell ids of one screen apart."""

_ID = re.compile(r"(Contract|(?<![0-9A-Za-z]))([1-9A-HJ-NP-Za-km-z]{40,46}|[0-9a-f]{64})(?![0-9A-Za-z])")
"""32 or 33 bytes in base58, behind `Contract` or alone, or 32 bytes in hexadecimal. Keys of maps such as
`TBContract...` have letters before a contract id.
"""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that a contract may store and that a terminal would obey; tab and newline are harmless."""


def visible(text: str) -> str:
    """Writes control characters as escapes, so that a contract cannot send commands to the terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def cut_ids(text: str) -> str:
    """Cuts every id in a text in the middle: `Contract7skXab…9dQa12`."""
    return _ID.sub(lambda found: f"{found[1]}{found[2][:KEPT_CHARS]}…{found[2][-KEPT_CHARS:]}", text)
