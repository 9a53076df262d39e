"""Stored values as people read them (grammar: docs/state-keys.md).

A value is UTF-8 text: a letter for its type, the data, `@`, and who pays the RAM. The last `@` separates, since data
may hold more of them. Listings are text (`s`) and contract records JSON (`j`).
"""

from gateway.state_names import Kind, logical_name, split
from iost.gateway.v1 import inspection_service_pb2 as pb
from iost.state.v1.state_service_pb2 import Entry

_TYPES: dict[str, "pb.ValueType.ValueType"] = {
    "s": pb.VALUE_TYPE_STRING,
    "i": pb.VALUE_TYPE_INTEGER,
    "b": pb.VALUE_TYPE_BOOLEAN,
    "j": pb.VALUE_TYPE_JSON,
    "f": pb.VALUE_TYPE_DECIMAL,
}

_SPECIAL: "dict[Kind | None, pb.ValueType.ValueType]" = {
    Kind.LISTING: pb.VALUE_TYPE_FIELD_LIST,
    Kind.CONTRACT: pb.VALUE_TYPE_CONTRACT,
}
"""Cells whose key says more about them than their letter."""

_BOOLEANS = {"t": "true", "f": "false"}


def to_value(key: bytes, raw: bytes) -> pb.StateValue:
    """Decodes the value of a stored key. Never fails: what has no known form is shown as text of unspecified type."""
    text = raw.decode(errors="backslashreplace")
    letter, (data, separator, payer) = text[:1], text[1:].rpartition("@")
    if letter not in _TYPES or not separator:
        return pb.StateValue(text=text)
    if letter == "b":
        data = _BOOLEANS.get(data, data)
    return pb.StateValue(type=_SPECIAL.get(_kind(key), _TYPES[letter]), text=data, payer=payer)


def to_entry(entry: Entry) -> pb.StateEntry:
    """Turns an entry of the store into one of the gateway."""
    value = to_value(entry.key, entry.value) if entry.HasField("value") else None
    return pb.StateEntry(name=logical_name(entry.key), value=value, version=entry.version)


def _kind(key: bytes) -> Kind | None:
    try:
        return split(key)[0]
    except (ValueError, IndexError):
        return None
