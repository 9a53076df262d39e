"""What a commit's header says: the one place in the core where the store reads bytes of a caller.

Blocks are ordered by number and time, so the store must know both. A commit without a header counts as number
`version - 1` at time 0, and so does one whose header an earlier release took without reading it.
"""

from typing import NamedTuple

from google.protobuf.message import DecodeError

from iost.chain.v1.block_pb2 import BlockHeader


class BlockTime(NamedTuple):
    """Number and time of a block."""

    number: int
    """Height of the block; 0 is genesis."""
    time_ns: int
    """Nanoseconds since 1970."""


def parse(header: bytes, version: int) -> BlockHeader:
    """Returns the header of a commit of a version; what stands for it when there is none."""
    try:
        found = BlockHeader.FromString(header) if header else None
    except DecodeError:
        found = None
    return found or BlockHeader(number=max(version - 1, 0))


def block_time(header: bytes, version: int) -> BlockTime:
    """Returns number and time of a commit of a version."""
    found = parse(header, version)
    return BlockTime(found.number, found.time_ns)


def following(number: int, time_ns: int, version: int, now_ns: int) -> bytes:
    """Returns the header of a commit that brings none, on a parent of this number, time and version."""
    return BlockHeader(number=number + 1 if version else 0, time_ns=max(now_ns, time_ns + 1)).SerializeToString()
