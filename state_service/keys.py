"""The only place that builds or parses a byte key of the store.

journal key  = version:u64 commit_id        JOURNAL and COMMITS; big-endian, so that byte order is version order
state key    = the caller's key as it is    STATE
receipt key  = transaction hash             RECEIPTS
grave key    = version:u64 state_key        GRAVES
meta keys    = the constants below          META
segment key  = "history/" first_version:u64 META
"""

from state_service.errors import CorruptionError

META_SCHEMA = b"schema"
"""Version of everything this package writes: see `recovery.SCHEMA_VERSION`."""
META_EPOCH = b"epoch"
"""Epoch of the newest writer."""
META_HEAD = b"head"
"""Place of the head of the main chain."""
META_FINAL = b"final"
"""Place of the newest final commit."""
META_BASE = b"base"
"""Place of the newest folded commit: STATE holds exactly its state, and possibly more (see META_FLOOR)."""
META_FLOOR = b"floor"
"""Version up to which folding may have begun: no view below it can be read."""

META_SEGMENTS = b"history/"
"""Prefix of the keys of segments of history; the first version of the segment follows."""

VERSION_BYTES = 8


def journal_key(version: int, commit_id: bytes) -> bytes:
    """Returns the key of a commit in JOURNAL and COMMITS."""
    return version.to_bytes(VERSION_BYTES) + commit_id


def version_bound(version: int) -> bytes:
    """Returns the smallest key of a version in JOURNAL, COMMITS and GRAVES."""
    return version.to_bytes(VERSION_BYTES)


def parse_journal_key(key: bytes) -> tuple[int, bytes]:
    """Returns version and commit id of a key in JOURNAL or COMMITS.

    Raises:
        CorruptionError: the key is too short to be one.
    """
    if len(key) <= VERSION_BYTES:
        raise CorruptionError(f"journal key {key.hex()}", "shorter than a version and a commit id")
    return int.from_bytes(key[:VERSION_BYTES]), key[VERSION_BYTES:]


def segment_key(first_version: int) -> bytes:
    """Returns the key of a segment of history in META."""
    return META_SEGMENTS + first_version.to_bytes(VERSION_BYTES)


def parse_segment_key(key: bytes) -> int:
    """Returns the first version of a segment of history."""
    return int.from_bytes(key[len(META_SEGMENTS) :])


def grave_key(version: int, key: bytes) -> bytes:
    """Returns the key that marks a folded deletion for collection."""
    return version.to_bytes(VERSION_BYTES) + key


def parse_grave_key(key: bytes) -> tuple[int, bytes]:
    """Returns version and state key of a grave."""
    return int.from_bytes(key[:VERSION_BYTES]), key[VERSION_BYTES:]


def prefix_end(prefix: bytes) -> bytes | None:
    """Returns the smallest key greater than every key with this prefix; None when there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None
