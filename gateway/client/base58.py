"""Base58 in Bitcoin's alphabet: how the chain writes hashes, keys and contract ids."""

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def encode(raw: bytes) -> str:
    """Returns the text of `raw`; each leading zero byte becomes a leading `1`."""
    number = int.from_bytes(raw, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(ALPHABET[digit])
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode(text: str) -> bytes:
    """Returns the bytes of `text`.

    Raises:
        ValueError: a character is not of the alphabet.
    """
    number = 0
    for character in text:
        if character not in _VALUES:
            raise ValueError(f"{character!r} is not a character of base58")
        number = number * 58 + _VALUES[character]
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
