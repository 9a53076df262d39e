"""How long folded versions stay recorded: by age and by size, but never fewer than `feed_versions`.

Versions are counted in segments: each folded version adds its size to the newest segment, which ends after a while or
when it is large. Records are removed by whole segments, the oldest first. So neither memory nor the disk keeps a time
or a size for every version: a day is at most 8,640 segments, whatever the load.

    segment key    = "history/" first:u64                                                        META
    segment value  = last:u64 time_ms:u64 byte_count:u64
"""

import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from state_service import keys
from state_service.errors import CorruptionError
from state_service.storage import EngineBatch, Space, StorageEngine

_SEGMENT_MS = 10_000
"""Time that a segment spans: a day has 8,640 of them, and history is kept at most so much too long."""

_SEGMENT_BYTES = 16 << 20
"""Size at which a segment ends before its time: small beside any useful size of history."""

_SUMMARY_BYTES = 150
"""What a version takes beside its record: its summary, and two keys."""

_PAGE = 1000
_VALUE = struct.Struct(">QQQ")


@dataclass(slots=True)
class Segment:
    """A range of recorded versions."""

    first: int
    """First version."""
    last: int
    """Last version."""
    time_ms: int
    """When the last version was folded, milliseconds since 1970."""
    byte_count: int
    """Size of the records, as they were before compression."""


@dataclass(slots=True)
class Retention:
    """Decides which recorded versions are due to be removed."""

    keep_ms: int
    """Versions folded longer ago are due."""
    keep_bytes: int
    """Size beyond which the oldest versions are due."""
    keep_versions: int
    """So many folded versions are never due."""
    byte_count: int = 0
    """Size of all recorded versions."""
    _segments: deque[Segment] = field(default_factory=deque)
    _unsaved: list[Segment] = field(default_factory=list)

    def load(self, segments: Iterable[Segment]) -> None:
        """Takes over the segments of a store."""
        for segment in segments:
            self._segments.append(segment)
            self.byte_count += segment.byte_count

    def adopt(self, first: int, last: int, now_ms: int) -> None:
        """Takes over versions that an earlier release recorded without a segment; their age counts from now on."""
        last = min(last, self._segments[0].first - 1) if self._segments else last
        if first <= last:
            segment = Segment(first, last, now_ms, 0)
            self._segments.appendleft(segment)
            self._unsaved.append(segment)

    def note(self, batch: EngineBatch, sizes: Iterable[tuple[int, int]], now_ms: int) -> None:
        """Counts folded versions, each with the size of its record, and adds what must be stored to a batch."""
        for version, size in sizes:
            if self._segments and version <= self._segments[-1].last:
                continue  # its fold was tried before
            segment = self._open_segment(version, now_ms)
            segment.last, segment.time_ms = version, now_ms
            segment.byte_count += size + _SUMMARY_BYTES
            self.byte_count += size + _SUMMARY_BYTES
        for segment in (*self._unsaved, *([self._segments[-1]] if self._segments else [])):
            _save(batch, segment)
        self._unsaved.clear()

    def _open_segment(self, version: int, now_ms: int) -> Segment:
        """Returns the segment that a version belongs to."""
        newest = self._segments[-1] if self._segments else None
        if newest is not None:
            same_time = now_ms // _SEGMENT_MS == newest.time_ms // _SEGMENT_MS
            if same_time and newest.byte_count < _SEGMENT_BYTES:
                return newest
            self._unsaved.append(newest)
        segment = Segment(version, version, now_ms, 0)
        self._segments.append(segment)
        return segment

    def due(self, base: int, now_ms: int) -> int:
        """Returns the newest version that is due to be removed; 0 when none is.

        Args:
            base: Newest folded version.
            now_ms: The clock, milliseconds since 1970.
        """
        newest, left = 0, self.byte_count
        for segment in self._segments:
            if now_ms - segment.time_ms < self.keep_ms and left <= self.keep_bytes:
                break
            newest = min(segment.last, base - self.keep_versions)
            left -= segment.byte_count
            if newest < segment.last:
                break
        return max(newest, 0)

    def forget(self, batch: EngineBatch, newest: int) -> None:
        """Forgets versions that were removed, up to the newest of them; adds what must be stored to a batch."""
        while self._segments and self._segments[0].first <= newest:
            segment = self._segments[0]
            batch.delete(Space.META, keys.segment_key(segment.first))
            if segment.last <= newest:
                self._segments.popleft()
                self.byte_count -= segment.byte_count
                continue
            left = segment.byte_count * (segment.last - newest) // (segment.last - segment.first + 1)
            self.byte_count -= segment.byte_count - left
            segment.first, segment.byte_count = newest + 1, left
            _save(batch, segment)


def _save(batch: EngineBatch, segment: Segment) -> None:
    value = _VALUE.pack(segment.last, segment.time_ms, segment.byte_count)
    batch.put(Space.META, keys.segment_key(segment.first), value)


async def read_segments(engine: StorageEngine) -> list[Segment]:
    """Reads the segments of a store, the oldest first.

    Raises:
        CorruptionError: one is too short.
    """
    found: list[Segment] = []
    start, end = keys.META_SEGMENTS, keys.prefix_end(keys.META_SEGMENTS)
    while page := await engine.scan(Space.META, start, end, _PAGE):
        for key, value in page:
            if len(value) != _VALUE.size:
                raise CorruptionError(f"meta key {key.hex()}", "record ends early")
            found.append(Segment(keys.parse_segment_key(key), *_VALUE.unpack(value)))
        start = page[-1][0] + b"\0"
    return found
