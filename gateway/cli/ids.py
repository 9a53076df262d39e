"""Ids in text for people: a hash, a key or a contract id is cut in the middle where it would not fit."""

import re

KEPT_CHARS = 6
"""Characters kept at each end of an id: 36 bits each, enough to tell ids of one screen apart."""

_ID = re.compile(r"(?<![0-9A-Za-z])(Contract)?([1-9A-HJ-NP-Za-km-z]{40,46}|[0-9a-f]{64})(?![0-9A-Za-z])")
"""32 or 33 bytes in base58, behind `Contract` or alone, or 32 bytes in hexadecimal."""


def cut_ids(text: str) -> str:
    """Cuts every id in a text in the middle: `Contract7skXab…9dQa12`."""
    return _ID.sub(lambda found: f"{found[1] or ''}{found[2][:KEPT_CHARS]}…{found[2][-KEPT_CHARS:]}", text)
