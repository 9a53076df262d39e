"""Messages as plain values for JSON: field names as in the interface, hashes in base58, other bytes in hexadecimal."""

from typing import cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gateway.client import base58

_BASE58_FIELDS = frozenset({"tx_hash", "tx_hashes", "public_key", "parent_hash"})


def to_plain(message: Message) -> dict[str, object]:
    """Returns all fields of a message, those with default values included; an unset message is None."""
    plain: dict[str, object] = {}
    for field in cast("list[FieldDescriptor]", message.DESCRIPTOR.fields):
        value = getattr(message, field.name)
        if field.is_repeated:
            plain[field.name] = [_value(field, item) for item in value]
        elif field.has_presence and not message.HasField(field.name):
            plain[field.name] = None
        else:
            plain[field.name] = _value(field, value)
    return plain


def _value(field: FieldDescriptor, value: object) -> object:
    if isinstance(value, Message):
        return to_plain(value)
    if isinstance(value, bytes):
        return base58.encode(value) if field.name in _BASE58_FIELDS else value.hex()
    if field.enum_type is not None and isinstance(value, int):
        # A newer service may know values that this program does not.
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    return value
