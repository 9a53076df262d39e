"""Reading protobuf's wire format without decoding messages: just enough to split, join and peek.

A message is a sequence of fields; a field is a tag (number and kind, a varint), then a varint, 8 bytes, a length with
that many bytes, or 4 bytes. Two serialized messages written one after the other are one message with the repeated
fields of both: that is why requests can be joined without being decoded.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes are not a serialized message."""


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    """Reads a varint; returns it and the position behind it."""
    value = shift = 0
    try:
        while True:
            byte = raw[position]
            position += 1
            if byte < 0x80:
                return value | byte << shift, position
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise WireError("a varint is longer than 10 bytes")
    except IndexError:
        raise WireError("the message ends within a varint") from None


def fields(raw: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Walks over the fields of a message.

    Yields:
        Field number, start of the field (its tag), start of its content, and end. The content of a text, byte string or
        message field begins behind its length.

    Raises:
        WireError: the bytes are not a message.
    """
    position, size = 0, len(raw)
    while position < size:
        start = position
        tag, position = _varint(raw, position)
        kind, content = tag & 7, position
        if kind == _LENGTH:
            length, content = _varint(raw, position)
            position = content + length
        elif kind == _VARINT:
            _, position = _varint(raw, position)
        elif kind == _FIXED64:
            position += 8
        elif kind == _FIXED32:
            position += 4
        else:
            raise WireError(f"unknown kind of field {kind}")
        if position > size:
            raise WireError("the message ends within a field")
        yield tag >> 3, start, content, position


def single(raw: bytes, number: int) -> bool:
    """Tells whether a message is one text, byte string or message field of this number (below 16) and nothing else."""
    if len(raw) < 2 or raw[0] != number << 3 | _LENGTH:
        return False
    try:
        length, content = _varint(raw, 1)
    except WireError:
        return False
    return content + length == len(raw)


def split(raw: bytes, number: int) -> tuple[list[bytes], bytes]:
    """Takes a message apart into the fields of one number, each as a message of its own, and all the rest together."""
    items: list[bytes] = []
    rest: list[bytes] = []
    for found, start, _, end in fields(raw):
        (items if found == number else rest).append(raw[start:end])
    return items, b"".join(rest)


def first(raw: bytes, *path: int) -> bytes:
    """Returns the content of the first field reached by a path of numbers through nested messages; empty: none."""
    for number in path:
        for found, _, content, end in fields(raw):
            if found == number:
                raw = raw[content:end]
                break
        else:
            return b""
    return raw
