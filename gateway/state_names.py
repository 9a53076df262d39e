"""Logical names of state, as IOST shows them, and the stored keys behind them (grammar: docs/state-keys.md).

    b-CONTRACT-KEY          <->  b<n>:CONTRACT KEY           basic value
    m-CONTRACT-KEY-FIELD    <->  m<n>:CONTRACT <n>:KEY FIELD map field
    m-CONTRACT-KEY          <->  l<n>:CONTRACT KEY           names of a map's fields
    c-CONTRACT              <->  cCONTRACT                   contract record

(without the blanks). In a stored key every part but the last has its length in front, so that no two cells share a
key; in a logical name the parts are separated by `-`, which contract ids and keys cannot contain.
"""

from enum import Enum

from chassis.errors import MalformedRequestError


class Kind(Enum):
    """First letter of a stored key."""

    BASIC = "b"
    FIELD = "m"
    LISTING = "l"
    CONTRACT = "c"


def stored_key(name: str) -> bytes:
    """Returns the stored key of a logical name.

    Raises:
        MalformedRequestError: it is not a logical name.
    """
    match name.split("-", 3):
        case ["b", contract, *key] if key and contract:
            return join(Kind.BASIC, contract, "-".join(key))
        case ["m", contract, key] if contract and key:
            return join(Kind.LISTING, contract, key)
        case ["m", contract, key, field] if contract and key:
            return join(Kind.FIELD, contract, key, field)
        case ["c", *contract] if contract and contract[0]:
            return join(Kind.CONTRACT, "-".join(contract))
    raise MalformedRequestError(
        f"{name[:80]!r} is not a name of state: b-CONTRACT-KEY, m-CONTRACT-KEY, m-CONTRACT-KEY-FIELD or c-CONTRACT",
        field="names",
    )


def stored_prefix(prefix: str) -> bytes:
    """Returns the stored prefix that holds exactly the cells whose logical names start with a prefix.

    `m-CONTRACT-` and the start of a key gives listings (one for each map); with a whole key and a further `-`, fields.

    Raises:
        MalformedRequestError: the contract is not complete (`b-CONTRACT-...`), or it is no prefix of a logical name.
    """
    match prefix.split("-", 3):
        case ["b", contract, *key] if key and contract:
            return join(Kind.BASIC, contract, "-".join(key))
        case ["m", contract, key] if contract:
            return join(Kind.LISTING, contract, key)
        case ["m", contract, key, field] if contract and key:
            return join(Kind.FIELD, contract, key, field)
        case ["c", *contract] if contract:
            return join(Kind.CONTRACT, "-".join(contract))
    raise MalformedRequestError(
        f"{prefix[:80]!r} is not a prefix of state names: b-CONTRACT-..., m-CONTRACT-..., m-CONTRACT-KEY-... or c-...",
        field="prefix",
    )


def join(kind: Kind, *parts: str) -> bytes:
    """Builds a stored key from its parts."""
    *head, last = parts
    return (kind.value + "".join(f"{len(part)}:{part}" for part in head) + last).encode()


def split(key: bytes) -> tuple[Kind, list[str]]:
    """Takes a stored key apart.

    Raises:
        ValueError: it is not a stored key of this grammar.
    """
    text = key.decode()
    kind, rest = Kind(text[0]), text[1:]
    parts: list[str] = []
    for _ in range({Kind.CONTRACT: 0, Kind.BASIC: 1, Kind.LISTING: 1, Kind.FIELD: 2}[kind]):
        length, _, rest = rest.partition(":")
        parts.append(rest[: int(length)])
        rest = rest[int(length) :]
    return kind, [*parts, rest]


def logical_name(key: bytes) -> str:
    """Returns the logical name of a stored key; a key of another grammar is shown as hexadecimal after `?-`."""
    try:
        kind, parts = split(key)
    except (ValueError, IndexError):
        return f"?-{key.hex()}"
    letter = "m" if kind is Kind.LISTING else kind.value
    return "-".join((letter, *parts))
