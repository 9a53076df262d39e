"""Base58 as IOST writes hashes and keys: Bitcoin's alphabet, a leading `1` for each leading zero byte."""

from functools import lru_cache

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_PAIRS = [high + low for high in ALPHABET for low in ALPHABET]
_CHUNK_LETTERS = 10
_CHUNK = 58**_CHUNK_LETTERS  # fits a machine word: few divisions of the large number, many of small ones


def encode(data: bytes) -> str:
    """Returns the text of bytes."""
    number = int.from_bytes(data)
    parts: list[str] = []
    while number:
        number, chunk = divmod(number, _CHUNK)
        for _ in range(_CHUNK_LETTERS // 2):
            chunk, pair = divmod(chunk, 3364)
            parts.append(_PAIRS[pair])
    digits = "".join(reversed(parts)).lstrip("1")
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


@lru_cache(4096)
def encode_key(key: bytes) -> str:
    """Returns the text of a public key: the same few are met again and again."""
    return encode(key)


def decode(text: str) -> bytes:
    """Returns the bytes of a text.

    Raises:
        ValueError: a character is not of the alphabet.
    """
    number = 0
    for letter in text:
        if letter not in _VALUES:
            raise ValueError(f"{letter!r} is no base58 character")
        number = number * 58 + _VALUES[letter]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
