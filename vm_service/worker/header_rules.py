"""Rules that the header of a block must keep against its parent.

number       the parent's + 1
time_ns      after the parent's, and at most a bound ahead of the clock of this service
parent_hash  the parent's hash, where that is known; not checked where it is not
"""

from dataclasses import dataclass

from iost.chain.v1 import block_pb2
from vm_service.errors import BlockRefusedError
from vm_service.model import View

_MS = 10**6
"""Nanoseconds in a millisecond."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far the time of a block may lie ahead of the clock, in milliseconds."""

    generate_ms: int
    """For blocks that are made here."""
    validate_ms: int
    """For blocks that others made."""


def check(header: block_pb2.BlockHeader, parent: View, *, now_ns: int, ahead_ms: int) -> None:
    """Holds a header against the parent and the clock.

    Args:
        header: header of the block.
        parent: its parent.
        now_ns: the clock.
        ahead_ms: how far the time may lie ahead of the clock.

    Raises:
        BlockRefusedError: the header breaks a rule; names the first field that does.
    """
    number = (parent.number or 0) + 1
    if header.number != number:
        raise BlockRefusedError(
            "header.number",
            f"{number}",
            f"{header.number}",
            f"header.number is {header.number}, the parent's + 1 is {number}",
        )
    if header.time_ns <= parent.time_ns:
        raise BlockRefusedError(
            "header.time_ns",
            f"after {parent.time_ns}",
            f"{header.time_ns}",
            f"header.time_ns is {header.time_ns}, which is not after the parent's {parent.time_ns}",
        )
    latest = now_ns + ahead_ms * _MS
    if header.time_ns > latest:
        raise BlockRefusedError(
            "header.time_ns",
            f"at most {latest}",
            f"{header.time_ns}",
            f"header.time_ns is {header.time_ns}, which is more than {ahead_ms} ms ahead of this service's {now_ns}",
        )
    if parent.block_hash not in (b"", header.parent_hash):
        expected, actual = parent.block_hash.hex(), header.parent_hash.hex()
        raise BlockRefusedError(
            "header.parent_hash", expected, actual, f"header.parent_hash is {actual}, the parent's hash is {expected}"
        )
