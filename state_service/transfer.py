"""Entries as JSON lines: what `v8vm store export` writes and `import` reads.

    line  = {"key": text | {"base64": text}, "value": text | {"base64": text}, "version": integer}

A key or value that is printable UTF-8 is written as it is, any other as base64, so that a file can be read and edited.
The version is for people; import ignores it: imported entries are ordinary writes of a new version.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator

from chassis.errors import MalformedRequestError
from state_service.model import Entry


class MalformedLineError(MalformedRequestError):
    """A line cannot be read; the message has its number and the reason."""


def encode_line(key: bytes, entry: Entry) -> str:
    """Returns one line, without its end. REQUIRES: the entry has a value."""
    assert entry.value is not None, "absent keys are not exported"
    return json.dumps(
        {"key": _encode(key), "value": _encode(entry.value), "version": entry.version}, ensure_ascii=False
    )


def decode_lines(lines: Iterable[str]) -> Iterator[tuple[bytes, bytes]]:
    """Yields key and value of each line; empty lines are passed over.

    Raises:
        MalformedLineError: a line is not what `encode_line` writes.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            yield _decode(fields["key"]), _decode(fields["value"])
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedLineError(f"line {number}: {error}") from error


def _encode(data: bytes) -> str | dict[str, str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and (text or not data):
        return text
    return {"base64": base64.b64encode(data).decode()}


def _decode(field: object) -> bytes:
    if isinstance(field, str):
        return field.encode()
    if isinstance(field, dict) and isinstance(encoded := field.get("base64"), str):
        try:
            return base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise ValueError(f"not base64: {encoded[:40]!r}") from error
    raise ValueError('expected a text or {"base64": text}')
