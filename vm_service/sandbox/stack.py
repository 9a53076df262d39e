"""Tells whether a thread's stack has ever come near its end.

A script that meets V8's own stack limit gets an ordinary error, which an iterator or a helper may swallow. The pages of
the stack cannot be swallowed: they stay resident once they were touched.
"""

from __future__ import annotations

import ctypes
from typing import Final

PAGE_BYTES: Final = 4096
WATCHED_PAGES: Final = 64
"""Pages that are looked at: no frame leaves so many out."""

NEAR_END_BYTES: Final = 28 << 20
"""Depth of the watched pages. V8 refuses a call at 30,000 kB, less the frame of the call and its arguments, which take
half a megabyte at most; counted calls end at half of this depth."""

_ATTRIBUTE_WORDS: Final = 8  # `pthread_attr_t`: 56 bytes on 64-bit glibc and musl


class ThreadStack:
    """The stack of one thread."""

    def __init__(self, low: int, size_bytes: int) -> None:
        """Watches a stack of `size_bytes` bytes that begins at the address `low` and grows down to it."""
        self._libc = ctypes.CDLL(None)
        self._start = ctypes.c_void_p(low + size_bytes - NEAR_END_BYTES - WATCHED_PAGES * PAGE_BYTES)
        self._length = ctypes.c_size_t(WATCHED_PAGES * PAGE_BYTES)
        self._resident = ctypes.create_string_buffer(WATCHED_PAGES)

    @classmethod
    def of_this_thread(cls) -> ThreadStack:
        """Returns the stack of the calling thread."""
        libc = ctypes.CDLL(None)
        libc.pthread_self.restype = ctypes.c_void_p
        attributes = (ctypes.c_ulong * _ATTRIBUTE_WORDS)()
        low, size = ctypes.c_void_p(), ctypes.c_size_t()
        libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), ctypes.byref(attributes))
        libc.pthread_attr_getstack(ctypes.byref(attributes), ctypes.byref(low), ctypes.byref(size))
        libc.pthread_attr_destroy(ctypes.byref(attributes))
        return cls(low.value or 0, size.value)

    def was_near_end(self) -> bool:
        """Whether the thread has ever called so deep that V8 may have refused a call."""
        if self._libc.mincore(self._start, self._length, self._resident) != 0:
            return True  # not mapped as it was when the thread began: nothing is known
        return any(page & 1 for page in self._resident.raw)
