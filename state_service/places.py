"""Places: number and time of commits that bring none, handed out before the commit is executed.

    open ──► (waits) ──► handed out ──► commit arrives ──► its turn ──► attached          the usual way
                             └──► given back, overtaken, expired, its holder left          the commit is void

A place fixes number and time of a batch while its view is opened. Commits become versions in the order of their
places, so number and time increase with the version. The commit itself compares both with its parent
(`Committer`), so a place that is lost costs a second run and never breaks the order.

ORDER    ... place 7 (commit arrived), place 8, place 9 (ahead) ...
         A new place comes last, but before places that are *ahead*: those of batches that are expected to run long.
         Their time lies as far ahead of the clock as the run is expected to take, and their number leaves a gap.
WAITING  A commit waits for earlier places, and a claim waits for places whose cells meet its own. Both wait for a
         place no longer than `place_patience_ms` after it was due: then it is overtaken, which voids it.

INVARIANTS
  1. `_order` is sorted by number and by time, both strictly.
  2. A place leaves `_order` when its commit is attached, or when it is void. A commit that has arrived is not voided
     by others: its own call ends it.
  3. Nothing is put before a place whose commit has arrived.
  4. Each wait is bounded by `place_wait_ms`.
All changes happen on the event loop without waiting, so each is atomic.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from chassis.errors import DrainingError
from state_service.config import StateConfig
from state_service.errors import HolderUnknownError, PlaceLostError
from state_service.headers import BlockTime

_NS_PER_MS = 10**6


def follows(later: BlockTime, earlier: BlockTime) -> bool:
    """Whether both number and time increase."""
    return later.number > earlier.number and later.time_ns > earlier.time_ns


@dataclass(frozen=True, slots=True)
class PlaceWish:
    """A place as the caller asks for it."""

    holder_id: int
    """Holder whose end gives the place back; it has one place at a time."""
    expected_ms: int = 0
    """How long the run is expected to take."""
    first: bool = False
    """Wait until every earlier place has passed, and let no place come in between."""
    cells: frozenset[int] = frozenset()
    """Numbers that stand for the contended cells of the batch."""
    least_time_ns: int = 0
    """Least time of the place, as far as the clocks of caller and store may differ."""


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class HeldPlace:
    """A place, or the claim to one that still waits."""

    place_id: int
    wish: PlaceWish
    moment: BlockTime = field(default_factory=lambda: BlockTime(0, 0))
    """Number and time; set when it is handed out."""
    ahead: bool = False
    """Its time lies ahead of the clock; others may be put before it until its commit arrives."""
    due: float = 0.0
    """Loop time at which its commit is expected; set when it is handed out."""
    arrived: bool = False
    """Its commit has arrived; the call of the commit ends the place."""
    handed: "asyncio.Future[None]" = field(default_factory=_future)
    """Done when it was handed out."""
    passed: "asyncio.Future[None]" = field(default_factory=_future)
    """Done when it left the order: attached or void."""
    gone: "asyncio.Future[None]" = field(default_factory=_future)
    """Done when its commit is readable, or when it is void."""
    timer: asyncio.TimerHandle | None = None
    waited: bool = False
    """Its claim waited for earlier places."""

    @property
    def yields(self) -> bool:
        """Whether later places are put before it."""
        return self.ahead and not self.arrived

    def hinders(self, claim: "HeldPlace") -> bool:
        """Whether a later claim must wait for it."""
        if self.gone.done() or self.yields:
            return False
        if self.wish.first and not self.handed.done():
            return True
        return claim.wish.first or not self.wish.cells.isdisjoint(claim.wish.cells)


@dataclass(slots=True)
class PlaceCounts:
    """What happened so far."""

    handed_out: int = 0
    used: int = 0
    given_back: int = 0
    """By callers that need them no longer, or whose commit was refused."""
    left: int = 0
    """Given back since the stream of their holder ended."""
    overtaken: int = 0
    expired: int = 0
    late: int = 0
    """Commits refused since their place was lost."""
    waits: int = 0
    """Claims and commits that waited for a place."""


class Places:
    """The places of one store, with their holders. REQUIRES: one event loop."""

    def __init__(
        self,
        config: StateConfig,
        newest: Callable[[], BlockTime],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Starts without holders.

        Args:
            config: Settings.
            newest: Returns the moment of the newest attached commit of the main chain.
            clock: Returns nanoseconds since 1970.
        """
        self.counts = PlaceCounts()
        self._newest = newest
        self.clock = clock
        self._shift_ns = config.clock_shift_ms * _NS_PER_MS
        self._patience_s = config.place_patience_ms / 1000
        self._wait_s = config.place_wait_ms / 1000
        self._limit_ms = config.place_limit_ms
        self._lead_ns = config.place_lead_ms * _NS_PER_MS
        self._order: list[HeldPlace] = []
        self._claims: dict[HeldPlace, None] = {}
        self._held: dict[int, HeldPlace] = {}
        self._holders: dict[int, HeldPlace | None] = {}
        self._next_id = 0
        self._closed: asyncio.Event = asyncio.Event()

    # Holders.

    def enter(self) -> int:
        """Returns the id of a new holder.

        Raises:
            DrainingError: the store is being closed.
        """
        if self._closed.is_set():
            raise DrainingError
        self._next_id += 1
        holder = self._next_id
        self._holders[holder] = None
        return holder

    def leave(self, holder_id: int) -> None:
        """Forgets a holder and gives its place back, unless its commit has arrived."""
        place = self._holders.pop(holder_id, None)
        if place is not None and self._void(place):
            self.counts.left += 1

    async def closed(self) -> None:
        """Waits until `close`."""
        await self._closed.wait()

    def close(self) -> None:
        """Ends the streams of holders: the store is being closed."""
        self._closed.set()

    @property
    def holder_count(self) -> int:
        """Holders whose stream is open."""
        return len(self._holders)

    @property
    def count(self) -> int:
        """Places handed out and not yet passed."""
        return len(self._order)

    # Claims.

    async def claim(self, wish: PlaceWish) -> HeldPlace:
        """Hands out a place, once no earlier place hinders it.

        Raises:
            HolderUnknownError: the stream of the holder has ended.
        """
        if wish.holder_id not in self._holders:
            raise HolderUnknownError(wish.holder_id)
        if (before := self._holders[wish.holder_id]) is not None:
            self.give_back(before.place_id)
        self._next_id += 1
        place = HeldPlace(self._next_id, wish)
        earlier = [other for other in self._claims if other.hinders(place)]
        self._claims[place] = None
        try:
            if earlier:
                place.waited = True
                await self._until_free(place, earlier)
            if wish.holder_id not in self._holders:
                raise HolderUnknownError(wish.holder_id)
        except BaseException:
            self._void(place)
            raise
        self._hand_out(place)
        return place

    async def _until_free(self, place: HeldPlace, earlier: list[HeldPlace]) -> None:
        self.counts.waits += 1
        deadline = asyncio.get_running_loop().time() + self._wait_s
        for other in earlier:
            while other.hinders(place):
                if await self._waited(other, other.gone, deadline):
                    continue
                if place.wish.first and self._is_overdue(other):
                    self._overtake(other)
                break

    def _hand_out(self, place: HeldPlace) -> None:
        expected_ms = min(place.wish.expected_ms, self._limit_ms)
        expected_s, loop = expected_ms / 1000, asyncio.get_running_loop()
        place.ahead = expected_s > self._patience_s and not place.wish.first
        now_ns = self._least_ns(place.wish)
        if place.ahead:
            at = len(self._order)
            before = self._moment_before(at)
            # A millisecond holds more than one commit only on faster disks than any measured.
            place.moment = BlockTime(
                before.number + 1 + expected_ms, max(now_ns + expected_ms * _NS_PER_MS, before.time_ns + 1)
            )
        else:
            at, place.moment = self._next_free(now_ns)
        self._order.insert(at, place)
        self._held[place.place_id] = place
        self._holders[place.wish.holder_id] = place
        place.due = loop.time() + expected_s
        place.handed.set_result(None)
        place.timer = loop.call_at(loop.time() + expected_s + self._limit_ms / 1000, self._expire, place)
        self.counts.handed_out += 1

    def _least_ns(self, wish: PlaceWish) -> int:
        """Returns the clock, or the time that a caller needs whose clock is ahead of this one."""
        now_ns = self.now_ns()
        return max(now_ns, min(wish.least_time_ns, now_ns + self._lead_ns))

    def _next_free(self, now_ns: int) -> tuple[int, BlockTime]:
        """Returns where in the order a place comes that is not ahead, and its moment."""
        at = len(self._order)
        while at and self._order[at - 1].yields:
            at -= 1
        while True:
            before = self._moment_before(at)
            moment = BlockTime(before.number + 1, max(now_ns, before.time_ns + 1))
            if at == len(self._order) or follows(self._order[at].moment, moment):
                return at, moment
            at += 1

    def _moment_before(self, at: int) -> BlockTime:
        newest = self._newest()
        if not at:
            return newest
        before = self._order[at - 1].moment
        return BlockTime(max(before.number, newest.number), max(before.time_ns, newest.time_ns))

    def now_ns(self) -> int:
        """Returns the clock that places are made from."""
        return self.clock() + self._shift_ns

    # Commits.

    async def turn(self, place_id: int) -> bool:
        """Waits until no earlier place is left.

        Returns:
            Whether it waited.

        Raises:
            PlaceLostError: the place was given back, overtaken or expired, or waited too long.
        """
        place = self._held.get(place_id)
        if place is None:
            raise self._late(place_id)
        place.arrived = True
        if place.timer is not None:
            place.timer.cancel()
        if self._order[:1] == [place]:
            return False
        self.counts.waits += 1
        deadline = asyncio.get_running_loop().time() + self._wait_s
        while not place.passed.done() and (before := self._order[0]) is not place:
            if await self._waited(before, before.passed, deadline):
                continue
            if not self._is_overdue(before):
                raise self._late(place_id)
            self._overtake(before)
        self.check(place_id)
        return True

    def check(self, place_id: int) -> None:
        """Raises when a place has passed.

        Raises:
            PlaceLostError: it was given back, overtaken or expired, or another commit used it.
        """
        place = self._held.get(place_id)
        if place is None or place.passed.done():
            raise self._late(place_id)

    def _late(self, place_id: int) -> PlaceLostError:
        self.counts.late += 1
        return PlaceLostError(place_id)

    def use(self, place_id: int) -> None:
        """Takes a place out of the order: its commit is attached. `end` follows when the commit is readable."""
        self._pass(self._held[place_id])
        self.counts.used += 1

    def end(self, place_id: int) -> None:
        """Ends the place of a commit, whatever became of the commit."""
        place = self._held.get(place_id)
        if place is None:
            return
        if place.passed.done():
            self._forget(place)
        else:
            place.arrived = False
            self.give_back(place_id)

    def give_back(self, place_id: int) -> None:
        """Voids a place that is not needed; harmless when it has passed, or when its commit has arrived."""
        place = self._held.get(place_id)
        if place is not None and self._void(place):
            self.counts.given_back += 1

    # Voiding.

    def _is_overdue(self, place: HeldPlace) -> bool:
        now = asyncio.get_running_loop().time()
        return place.handed.done() and not place.arrived and now >= place.due + self._patience_s

    def _overtake(self, place: HeldPlace) -> None:
        if self._void(place):
            self.counts.overtaken += 1

    def _expire(self, place: HeldPlace) -> None:
        if self._void(place):
            self.counts.expired += 1

    def _void(self, place: HeldPlace) -> bool:
        """Ends a place without a commit; False when its commit has arrived."""
        if place.arrived:
            return False
        if place.handed.done():
            self._pass(place)
        self._forget(place)
        return True

    def _pass(self, place: HeldPlace) -> None:
        self._order.remove(place)
        if place.timer is not None:
            place.timer.cancel()
        if self._holders.get(place.wish.holder_id) is place:
            self._holders[place.wish.holder_id] = None
        place.passed.set_result(None)

    def _forget(self, place: HeldPlace) -> None:
        self._held.pop(place.place_id, None)
        self._claims.pop(place, None)
        place.gone.set_result(None)

    async def _waited(self, place: HeldPlace, done: "asyncio.Future[None]", deadline: float) -> bool:
        """Waits for a place to be done, or handed out; False when that took longer than it may."""
        until, futures, now = deadline, {done}, asyncio.get_running_loop().time()
        if not place.handed.done():
            futures.add(place.handed)
        elif not place.arrived:
            until = min(deadline, place.due + self._patience_s)
        if until > now:
            await asyncio.wait(futures, timeout=until - now, return_when=asyncio.FIRST_COMPLETED)
        return any(future.done() for future in futures) or (place.arrived and deadline > now)
