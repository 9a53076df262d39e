"""Watches that the event loop keeps turning: everything in a service waits for whatever holds it.

A thread gives the loop something to do and measures how long that takes. The time is a metric; a loop that does not
come back is reported while it is stuck, with the place in the code where it is, so that the log says what a restart by
the liveness probe would otherwise hide.
"""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType

CHECK_S = 0.25
"""Seconds between two measurements: fine enough for a graph, and four wake-ups of an idle process a second."""

STALL_S = 1.0
"""Seconds after which a turn is reported: five times what the longest step of ours took on a busy machine."""

MAX_FRAMES = 12
"""Innermost calls shown."""

log = logging.getLogger(__name__)


class StallWatch:
    """Watches the running event loop from a thread, as a context manager on the loop's thread."""

    def __init__(self, observe: Callable[[float], None] | None = None, *, stall_s: float = STALL_S) -> None:
        """Prepares.

        Args:
            observe: takes each measured time, in seconds; called on the loop.
            stall_s: seconds after which a turn is reported.
        """
        self._observe = observe
        self._stall_s = stall_s
        self._turned = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "StallWatch":
        """Begins to watch. REQUIRES: a running event loop."""
        loop, thread_id = asyncio.get_running_loop(), threading.get_ident()
        self._thread = threading.Thread(target=self._watch, args=(loop, thread_id), name="stall-watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""
        self._ended.set()
        self._turned.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        while not self._ended.wait(CHECK_S):
            self._turned.clear()
            if self._ended.is_set():
                return  # what the end set may just have been cleared
            asked_at = time.monotonic()
            loop.call_soon_threadsafe(self._on_turn, asked_at)
            if self._turned.wait(self._stall_s):
                continue
            log.error("event_loop_stalled", extra={"seconds": self._stall_s, "at": _calls(thread_id)})
            self._turned.wait()
            log.warning("event_loop_resumed", extra={"seconds": round(time.monotonic() - asked_at, 3)})

    def _on_turn(self, asked_at: float) -> None:
        self._turned.set()
        if self._observe is not None:
            self._observe(time.monotonic() - asked_at)


def _calls(thread_id: int) -> list[str]:
    """Returns where a thread is, innermost call first."""
    frame = sys._current_frames().get(thread_id)
    found = traceback.extract_stack(frame)[-MAX_FRAMES:] if frame is not None else []
    return [f"{call.name} ({call.filename}:{call.lineno})" for call in reversed(found)]
