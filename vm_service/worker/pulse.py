"""Tells the manager that a batch is running and how long its present transaction has been at it.

A thread of its own, since the main thread waits for V8 or for the store. It sleeps while the worker is idle. A worker
whose pulse stops is dead or wedged, whatever the reason; the manager kills it.
"""

import threading
from collections.abc import Callable

from vm_service.worker.channel import Beat, WorkerChannel

BEAT_SECONDS = 0.2
"""A tenth of the default time of a transaction."""


class Pulse:
    """Beats while a batch runs."""

    def __init__(self, channel: WorkerChannel, running_s: Callable[[], float]) -> None:
        """Starts the thread.

        Args:
            channel: where to.
            running_s: how long the present transaction has been running; called from the thread.
        """
        self._channel = channel
        self._running_s = running_s
        self._work_id = 0
        self._busy = threading.Event()
        self._idle = threading.Event()
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def begin(self, work_id: int) -> None:
        """A batch begins."""
        self._work_id = work_id
        self._idle.clear()
        self._busy.set()

    def end(self) -> None:
        """The batch has ended."""
        self._busy.clear()
        self._idle.set()

    def _beat(self) -> None:
        while True:
            self._busy.wait()
            if self._idle.wait(BEAT_SECONDS):
                continue
            try:
                self._channel.send(Beat(self._work_id, int(self._running_s() * 1000)))
            except OSError:
                return  # the manager is gone; the main thread finds out by itself
