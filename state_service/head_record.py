"""The head record: a small synced file beside the database that tells how far the database must reach.

RocksDB cannot notice a log file that is gone, nor a folder that was put back to an earlier day: it opens "fine" with
acknowledged commits missing. So after every sync the engine writes RocksDB's own sequence number here, before anything
is acknowledged, and on start a database behind its head record is refused.

    file = slot slot                    two slots of 4096 bytes, written in turn: a torn write spoils one
    slot = magic:8 store_id:16 sequence:u64 crc:u32 zero*

INVARIANT: the slot with the larger sequence that has a right checksum is durable before the commit it covers is
acknowledged.
"""

import os
import struct
import zlib
from pathlib import Path

from state_service.errors import CorruptionError

_MAGIC = b"V8VMHEAD"
_SLOT = struct.Struct(">8s16sQ")
_CRC = struct.Struct(">I")
_SLOT_BYTES = 4096
"""One page each: a torn page write cannot reach the other slot."""


class HeadRecord:
    """The open head record of one store."""

    def __init__(self, path: Path, store_id: bytes) -> None:
        """Opens the file, or creates it with two empty slots."""
        self._store_id = store_id
        created = not path.exists()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if created:
            # Full size from the start: later writes change no metadata, so that fdatasync is one disk write.
            os.pwrite(self._descriptor, bytes(2 * _SLOT_BYTES), 0)
            os.fsync(self._descriptor)
            _sync_folder(path.parent)
        self._next_slot = 0

    def read(self) -> int:
        """Returns the sequence number that the database must reach; 0 for a new file.

        Raises:
            CorruptionError: both slots are damaged, or the file belongs to another store.
        """
        data = os.pread(self._descriptor, 2 * _SLOT_BYTES, 0)
        slots = [data[:_SLOT_BYTES], data[_SLOT_BYTES:]]
        found = [(self._sequence(slot), index) for index, slot in enumerate(slots)]
        if all(sequence is None for sequence, _ in found):
            raise CorruptionError("head record", "both slots are damaged")
        newest, index = max((sequence, index) for sequence, index in found if sequence is not None)
        self._next_slot = 1 - index
        return newest

    def _sequence(self, slot: bytes) -> int | None:
        """Returns the sequence of a slot; 0 for one never written, None for a damaged one."""
        if not any(slot):
            return 0
        if len(slot) < _SLOT_BYTES or zlib.crc32(slot[: _SLOT.size]) != _CRC.unpack_from(slot, _SLOT.size)[0]:
            return None
        magic, store_id, sequence = _SLOT.unpack_from(slot)
        if magic != _MAGIC or store_id != self._store_id:
            raise CorruptionError("head record", "belongs to another store")
        return int(sequence)

    def write(self, sequence: int) -> None:
        """Records durably that the database reaches a sequence number.

        Raises:
            OSError: the write or the sync failed; the record is uncertain.
        """
        head = _SLOT.pack(_MAGIC, self._store_id, sequence)
        os.pwrite(self._descriptor, head + _CRC.pack(zlib.crc32(head)), self._next_slot * _SLOT_BYTES)
        os.fdatasync(self._descriptor)
        self._next_slot = 1 - self._next_slot

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
