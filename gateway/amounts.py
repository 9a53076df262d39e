"""Exact amounts: whole numbers of a token's smallest unit as decimal text, and back. Never floating point."""


def to_text(units: int, decimal_count: int) -> str:
    """Writes an amount without superfluous zeros: 1250 with 2 decimals is `12.5`."""
    sign, digits = ("-", -units) if units < 0 else ("", units)
    if not decimal_count:
        return f"{sign}{digits}"
    whole, fraction = divmod(digits, 10**decimal_count)
    tail = f"{fraction:0{decimal_count}d}".rstrip("0")
    return f"{sign}{whole}.{tail}" if tail else f"{sign}{whole}"


def to_units(text: str, decimal_count: int) -> int:
    """Reads decimal text such as `12.5`.

    Raises:
        ValueError: it is not a plain decimal number, or has more decimals than the token.
    """
    whole, _, fraction = text.partition(".")
    if not (whole + fraction).isdecimal() or not whole or len(fraction) > decimal_count:
        raise ValueError(f"{text!r} is not an amount with at most {decimal_count} decimals")
    return int(whole + fraction.ljust(decimal_count, "0"))
