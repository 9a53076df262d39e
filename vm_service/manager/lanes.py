"""Lanes: queues of requests of one kind, and how many of their batches may run at once.

A lane that is *guarded* holds requests that may run long: unknown contracts, and what costs its caller nothing. All
guarded lanes together leave a worker to the others, and each may fill only a part of the queue.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from vm_service import forms
from vm_service.manager.shares import Shares
from vm_service.worker import channel

CALM_BATCHES = 50
"""Batches without a conflict after which one more may commit at the same time."""

MAX_HOLD_S = 0.05
"""Longest time for which a contended lane is held back: several ordinary batches."""

HOLD_DECAY = 0.9
"""What is left of that time after a batch that did not wait."""

LEAST_HOLD_S = 0.001
"""Shortest time for which it is worth it."""

GATHER_BYTES = 4 << 20
"""Most bytes of a gathered batch: 500 ordinary transactions have 200 kB, and a worker holds them in a dozen forms."""

ITEM_S = 0.005
"""Seconds that one more item of a request counts when requests take turns: ten times what a transfer takes."""

QUEUE_SHARE = 4
"""A lane of reads or trials may fill one part in so many of the queue: the rest is for commits and blocks."""


@dataclass(slots=True)
class Job:
    """A request that waits for its answer."""

    kind: channel.Kind
    request: bytes
    shape: forms.Shape
    answer: asyncio.Future[bytes]
    deadline: float | None = None
    """Monotonic seconds at which its caller gives up."""
    since: float = field(default_factory=time.monotonic)
    alone: bool = False
    """It shares no batch any more: one that it shared took too long."""


class Lane:
    """A queue of jobs and how many of its batches may run at once.

    Attributes:
        name: what its worker time is charged to when lanes take turns.
        limit: most batches at a time; None: as many as there are workers.
        share: part of the queue that it may fill.
        running: batches that run.
        queued: items that wait.
    """

    def __init__(self, name: str, limit: int | None, *, share: float = 1.0) -> None:
        """Creates an empty lane."""
        self.name = name
        self.limit = limit
        self.share = share
        self.running = 0
        self.queued = 0
        self.jobs: deque[Job] = deque()

    def add(self, job: Job) -> None:
        """Lets a job wait."""
        self.jobs.append(job)
        self.queued += job.shape.item_count

    def ready(self, now: float) -> bool:
        """Tells whether a batch could start, given a worker; `now`: monotonic seconds."""
        return bool(self.jobs) and (self.limit is None or self.running < self.limit)

    def gather(self, max_items: int) -> list[Job]:
        """Takes the jobs of the next batch, in order: the first, and those that may share a batch with it."""
        batch = self._gather(max_items)
        self.queued -= sum(job.shape.item_count for job in batch)
        return batch

    def sort(self) -> None:
        """Brings the jobs into the order of their arrival."""
        self.jobs = deque(sorted(self.jobs, key=lambda job: job.since))

    def take_all(self) -> list[Job]:
        """Takes every job that waits."""
        jobs, self.jobs, self.queued = list(self.jobs), deque(), 0
        return jobs

    def _gather(self, max_items: int) -> list[Job]:
        first = self.jobs.popleft()
        batch, count, size = [first], first.shape.item_count, len(first.request)
        while self.jobs and not first.shape.alone:
            following = self.jobs[0]
            count += following.shape.item_count
            size += len(following.request)
            full = count > max_items or size > GATHER_BYTES
            same = following.kind == first.kind and following.shape.group == first.shape.group
            if following.shape.alone or not same or full:
                break
            batch.append(self.jobs.popleft())
        return batch


class CommitLane(Lane):
    """A lane that adapts to contention.

    Its limit follows additive increase, multiplicative decrease. Its batches wait for others' commits before they are
    gathered rather than after: each that waited with its view holds the following ones back longer, so that the callers
    who come meanwhile share them.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        """Creates the lane; `most` tells the largest limit that makes sense now."""
        super().__init__("commits", 1)
        self._most = most
        self._calm = 0
        self._hold_s = 0.0
        self.held_until = 0.0
        """Monotonic seconds before which no batch starts."""

    def ready(self, now: float) -> bool:
        """As of every lane, once it is no longer held back."""
        return super().ready(now) and now >= self.held_until

    def learn(self, figures: channel.Figures) -> None:
        """Adapts to the runs that a batch lost and the time that it waited for others."""
        waited_s = figures.wait_ms / 1000
        self._hold_s = min(MAX_HOLD_S, self._hold_s + waited_s / 2) if waited_s else self._hold_s * HOLD_DECAY
        self.held_until = time.monotonic() + self._hold_s if self._hold_s >= LEAST_HOLD_S else 0.0
        limit = self.limit or 1
        if figures.conflict_count or figures.wait_count:
            self.limit, self._calm = max(1, limit // 2), 0
            return
        self._calm += 1
        if self._calm >= CALM_BATCHES and limit < self._most():
            self.limit, self._calm = limit + 1, 0


class GuardedLanes:
    """Lanes whose requests share no batch and never take all workers when there are several."""

    def __init__(self, worker_count: Callable[[], int], *names: str) -> None:
        """Creates lanes of these names; `worker_count` tells how many workers take work."""
        self._worker_count = worker_count
        self.lanes = [GuardedLane(name, self.has_room) for name in names]

    def has_room(self) -> bool:
        """Whether one more of their batches may run."""
        return sum(lane.running for lane in self.lanes) < max(1, self._worker_count() - 1)


class GuardedLane(Lane):
    """A lane whose requests may run long. The account that used least worker time lately goes next."""

    def __init__(self, name: str, has_room: Callable[[], bool]) -> None:
        """Creates an empty lane; `has_room` tells whether one more batch of such lanes may run."""
        super().__init__(name, None, share=1 / QUEUE_SHARE)
        self._has_room = has_room
        self.shares: Shares[str] = Shares()

    def ready(self, now: float) -> bool:
        """As of every lane, as long as a worker is left to the others."""
        return super().ready(now) and self._has_room()

    def _gather(self, max_items: int) -> list[Job]:
        """Takes the next job: what its account used counts, and what its own items may use."""
        spent = {account: self.shares.spent_s(account) for account in {job.shape.account for job in self.jobs}}
        job = min(self.jobs, key=lambda job: (spent[job.shape.account] + job.shape.item_count * ITEM_S, job.since))
        self.jobs.remove(job)
        return [job]
