"""Watches decide when a running task has had its time; the caller's thread asks them while V8 runs on its own."""

import time
from collections.abc import Callable
from typing import Protocol

POLL_SECONDS = 0.05
"""How often a running batch is looked at: a transaction may run this much longer than granted. Most batches are done
before the first look."""


class Watch(Protocol):
    """Decides when to cancel a running task; asked every `interval_s`."""

    interval_s: float

    def expired(self) -> bool:
        """Whether to cancel the task now."""
        ...


class Deadline:
    """Ends a task after a fixed time."""

    def __init__(self, seconds: float) -> None:
        """Starts the clock."""
        self.interval_s = seconds
        self._end = time.monotonic() + seconds

    def expired(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._end


class HostClock:
    """Adds up the time that V8 waited for the host: a slow store must not count against a contract."""

    def __init__(self) -> None:
        """Starts at zero."""
        self._total = 0.0
        self._entered = 0.0

    def enter(self) -> None:
        """V8 asked the host for something."""
        self._entered = time.monotonic()

    def leave(self) -> None:
        """The host answered."""
        self._total += time.monotonic() - self._entered
        self._entered = 0.0

    def seconds(self) -> float:
        """Time waited so far, a wait in progress included."""
        entered = self._entered
        return self._total + (time.monotonic() - entered if entered else 0.0)


class TransactionWatch:
    """Grants each transaction of a batch its own time, net of host calls.

    The kernel counts the transactions it has begun (`Mailbox.progress`); when the count moves, the clock starts anew.

    Attributes:
        seen_s: effort of transactions, in seconds, by their place: of those only that were seen twice, and at least so
            much.
    """

    def __init__(
        self,
        grant_s: float,
        progress: Callable[[], int],
        host: HostClock,
        *,
        effort_s: Callable[[], float] = time.monotonic,
        on_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepares; the clock of the first transaction starts when it is seen to have begun.

        Args:
            grant_s: seconds for one transaction.
            progress: how many transactions have begun.
            host: time spent outside of V8.
            effort_s: a clock that stands still while this process gets no processor.
            on_look: called at each look.
        """
        self.interval_s = min(POLL_SECONDS, grant_s / 4)
        self.seen_s: dict[int, float] = {}
        self._grant_s = grant_s
        self._progress = progress
        self._host = host
        self._effort_s = effort_s
        self._on_look = on_look
        self._restart(0)

    def _restart(self, seen: int) -> None:
        self._seen = seen
        self._since = time.monotonic()
        self._host_since = self._host.seconds()
        self._effort_since = self._effort_s()

    def running_s(self) -> float:
        """How long the present transaction has been running inside V8; 0 before the first has begun."""
        if self._progress() == 0:
            return 0.0
        return time.monotonic() - self._since - (self._host.seconds() - self._host_since)

    def expired(self) -> bool:
        """Whether the present transaction has had its time."""
        self._on_look()
        if (seen := self._progress()) != self._seen:
            self._restart(seen)
        elif seen:
            self.seen_s[seen - 1] = self._effort_s() - self._effort_since
        return self.running_s() >= self._grant_s
