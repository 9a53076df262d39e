"""JSON as contracts read it: numbers keep all their digits, and values that JSON lacks are refused.

Arguments of calls are hashed and paid for as text, so this module writes and checks texts; it never turns a number
into a float on the way.
"""

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

MAX_SHOWN_CHARS = 60
"""Longest part of a text in a message: enough to recognise it, short enough for one line."""


def encode(value: object) -> str:
    """Writes a value as compact JSON; `int` and `Decimal` are exact, `float` is written as Python shows it.

    Raises:
        TypeError: a value cannot be written as JSON.
        ValueError: a number is NaN, infinite or beyond the range of a number, or the value is nested too deeply.
    """
    try:
        return _encode(value)
    except RecursionError:
        raise ValueError("the value is nested too deeply or contains itself") from None


def _encode(value: object) -> str:
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_name(name)}:{_encode(item)}' for name, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_encode, value))}]"
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as JSON")


def _number(value: int | float | Decimal) -> str:
    # The methods of the plain types: an enumeration or another subclass may print otherwise.
    if isinstance(value, Decimal):
        text = Decimal.__str__(value)
    else:
        text = int.__repr__(value) if isinstance(value, int) else float.__repr__(value)
    return _finite(text)


def _name(name: object) -> str:
    """Writes the name of a member; numbers, booleans and None become text, as in `json`."""
    return json.dumps(name if isinstance(name, str) else _encode(name), ensure_ascii=False)


def parse(text: str) -> Any:  # noqa: ANN401 - JSON has any shape
    """Reads JSON strictly.

    Raises:
        ValueError: the text is no JSON, is nested too deeply, or holds a number that is none; in one line.
    """
    return _parse(
        text, parse_int=lambda digits: int(_finite(digits)), parse_float=lambda digits: float(_finite(digits))
    )


def check_array(text: str) -> str:
    """Returns a text unchanged if it is the JSON array of a call's arguments.

    Raises:
        ValueError: it is not, or it holds a number that is none. The message is one line.
    """
    # Numbers are only looked at: a float would round them, and Python bounds the digits of an int.
    values = _parse(text, parse_int=_finite, parse_float=_finite)
    if not isinstance(values, list):
        raise ValueError("they must be a JSON array, for example '[\"alice\", 5]'")
    return text


def shown(text: str) -> str:
    """Returns a text for a message: quoted, and cut when it is long."""
    return repr(text) if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]!r}... ({len(text)} characters)"


def _parse(text: str, **readers: Any) -> Any:  # noqa: ANN401
    try:
        text.encode()
        return json.loads(text, parse_constant=_refuse_constant, **readers)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("not UTF-8 text") from None


def _finite(text: str) -> str:
    """Returns the text of a number that a contract can read.

    Raises:
        ValueError: it would be infinite there, or is not a number.
    """
    if not math.isfinite(float(text)):
        raise ValueError(f"{shown(text)} is no number that a contract can read; the largest is about 1.8e308")
    return text


def _whole(text: str) -> int:
    return int(_finite(text))


def _float(text: str) -> float:
    return float(_finite(text))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
