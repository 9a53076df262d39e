"""Stored keys and values: Python's twin of kernel/20_keys.js and kernel/26_values.js. Grammar: docs/state-keys.md.

key   = kind ( length ":" component )* last       kind = "b" | "m" | "l" | "c"
value = letter data "@" payer                     letter = "s" | "i" | "b" | "j" | "f"
"""

from dataclasses import dataclass


def plain_key(contract: str, key: str) -> str:
    """Returns the stored key of `storage.put(key, ...)`."""
    return f"b{len(contract)}:{contract}{key}"


def field_key(contract: str, key: str, field: str) -> str:
    """Returns the stored key of a map field."""
    return f"m{len(contract)}:{contract}{len(key)}:{key}{field}"


def listing_key(contract: str, key: str) -> str:
    """Returns the stored key of the list of a map's fields."""
    return f"l{len(contract)}:{contract}{key}"


def contract_key(contract: str) -> str:
    """Returns the stored key of a contract record."""
    return f"c{contract}"


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A value with its type and who pays its RAM."""

    letter: str
    """`s` text, `i` integer, `b` boolean (`t` or `f`), `j` JSON, `f` decimal."""
    data: str
    """Its text."""
    payer: str = ""
    """Account or contract that pays; empty: nobody."""

    def encode(self) -> str:
        """Returns the stored text."""
        return f"{self.letter}{self.data}@{self.payer}"

    @classmethod
    def decode(cls, stored: str) -> "StoredValue":
        """Takes a stored text apart.

        Raises:
            ValueError: it is none.
        """
        data, separator, payer = stored[1:].rpartition("@")
        if not separator or stored[0] not in "sibjf":
            raise ValueError(f"{stored[:40]!r} is no stored value")
        return cls(stored[0], data, payer)

    @property
    def visible(self) -> str:
        """What a contract reads."""
        if self.letter == "b":
            return {"t": "true", "f": "false"}[self.data]
        return self.data.rstrip("0").rstrip(".") if self.letter == "f" and "." in self.data else self.data


def append_field(listing: str | None, field: str) -> str:
    """Returns a listing with a further field; listings are `@f1@f2...`, paid by nobody."""
    names = "" if listing is None else StoredValue.decode(listing).data
    return StoredValue("s", f"{names}@{field}").encode()


def listed_fields(listing: str | None) -> list[str]:
    """Returns the fields that a listing names."""
    return [] if listing is None else StoredValue.decode(listing).data.split("@")[1:]
