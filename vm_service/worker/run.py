"""Runs the transactions of a batch until each has its outcome: execute, look for earlier executions, commit.

A commit can meet three things, and each has one answer: others changed what was read, or overtook the batch, so it runs
again on the newest state, with a place that none comes before once it has lost twice; the worker was lost with the
reply, so the next one finds the commit by its id; a transaction was executed before, so it leaves the batch and is
answered by its first execution.
"""

import hashlib
import math
import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from iost.vm.v1 import execution_service_pb2 as execution_pb
from vm_service import convert
from vm_service.errors import WriteConflictError
from vm_service.model import Batch, BatchResult, BlockContext, Committed, Mode, Patience, Place, PlaceWish, View
from vm_service.worker import channel, tracing
from vm_service.worker.blocks import Claim
from vm_service.worker.executor import Executor, SeenError
from vm_service.worker.intake import Item
from vm_service.worker.state_client import StateClient
from vm_service.worker.state_reader import CommitRequest, ConflictError, FirstExecution

Outcome = execution_pb.TransactionOutcome

HASTY_RUNS = 2
"""Runs that a batch may lose to others; then it asks for a place that none can come before."""

MARGIN = 1.5
"""Times the measured run that the next run of a batch is expected to take when its place was lost."""

SHARED_S = 0.5
"""Seconds after which a batch ends before the next request of another caller: ten times what an ordinary one takes."""

LEAST_EXPECTED_MS = 50
"""Least time expected of a batch that lost its place: less is not worth a run."""

Judge = Callable[[Sequence[Outcome], Committed], bool]
"""Decides, from outcomes and what a commit would give, whether to commit."""


@dataclass(slots=True)
class Run:
    """Transactions on their way to outcomes."""

    items: Sequence[Item]
    """All transactions of the batch, in order."""
    settled: dict[int, Outcome] = field(default_factory=dict)
    """Outcomes known so far, by place."""
    stopped: dict[int, channel.Exclusion] = field(default_factory=dict)
    """Transactions left out because they ended two workers, by place."""
    own: FirstExecution | None = None
    """A transaction that a lost worker committed; its commit answers the batch unless there is another one."""
    places: list[int] = field(default_factory=list)
    """Places of those that the executor runs, in order: what is left after refusals, duplicates and exclusions."""
    starts: Sequence[int] = ()
    """Places of the first transactions of all requests but the first."""

    @property
    def transactions(self) -> list[Mapping[str, object]]:
        """The transactions that the executor runs, in kernel form."""
        return [self.items[place].kernel for place in self.places]

    @property
    def hashes(self) -> list[bytes]:
        """Their hashes."""
        return [self.items[place].tx_hash for place in self.places]

    @property
    def stops(self) -> list[int]:
        """Numbers, as the executor counts, of the transactions before which the batch may end."""
        at = {bisect_left(self.places, start) for start in self.starts}
        return sorted(at - {0, len(self.places)})

    def end_before(self, number: int) -> None:
        """Ends the run before the request of a transaction, numbered as the executor counts."""
        end = next(start for start in reversed(self.starts) if bisect_left(self.places, start) <= number)
        self.items = self.items[:end]
        self.places = self.places[:number]
        self.settled = {place: outcome for place, outcome in self.settled.items() if place < end}

    def leave_out(self, outcomes: Mapping[int, Outcome]) -> None:
        """Sets the outcomes of transactions that need not run, by place."""
        self.settled.update(outcomes)
        self.places = [place for place in self.places if place not in outcomes]

    def outcomes(self, ran: Sequence[Outcome]) -> list[Outcome]:
        """Returns the outcomes of all transactions, in order; `ran`: of those that the executor ran."""
        found = {**self.settled, **dict(zip(self.places, ran, strict=True))}
        first: dict[bytes, Outcome] = {}
        ordered = []
        for place, item in enumerate(self.items):
            outcome = found.get(place)
            if outcome is None:  # the same transaction stands earlier in the batch
                outcome = _repeat(first[item.tx_hash])
            first.setdefault(item.tx_hash, outcome)
            ordered.append(outcome)
        return ordered


def _repeat(first: Outcome) -> Outcome:
    if first.verdict != execution_pb.VERDICT_EXECUTED:
        return first
    return Outcome(
        tx_hash=first.tx_hash,
        verdict=execution_pb.VERDICT_DUPLICATE,
        receipt=first.receipt,
        events=first.events,
        version=first.version,
    )


@dataclass(frozen=True, slots=True)
class Target:
    """Where a batch is committed."""

    mode: Mode
    """What it is run for."""
    block: Callable[[View, Place | None], BlockContext]
    """Block context on a view, with the place of the batch if it asked for one."""
    claim: Claim | None = None
    """The block that it is; None: no block, its commit id is made from its content."""
    judge: Judge | None = None
    """Decides whether to commit; None: commit."""
    careful: bool = False
    """The batch lost a worker before."""
    own_commit_ids: Collection[bytes] = ()
    """Ids under which lost workers may have committed the batch."""
    trace: bool = False
    """Lines and columns of failures are wanted."""
    placed: bool = False
    """It brings neither number nor time: both come with its place."""
    hard_s: float | None = None
    """Seconds that it may take; None, for a block: as long as it takes."""
    expected_ms: int = 0
    """How long it is expected to run."""
    least_time_ns: int = 0
    """Least time of its block, when that comes with its place."""
    deadline: float = math.inf
    """Monotonic seconds after which it is not run again."""


@dataclass(slots=True)
class Race:
    """What a batch learns from runs that were void."""

    expected_ms: int
    """How long the next run is expected to take."""
    lost: int = 0
    """Runs lost to others' commits."""
    wanted: Sequence[str] = ()
    """Keys to read along with the next view."""
    cells: set[int] = field(default_factory=set)
    """Cells for which it contends."""

    def wish(self, target: Target) -> PlaceWish | None:
        """Returns the place to ask for; None: none is needed."""
        if target.mode is not Mode.EXECUTE or not target.placed:
            return None
        return PlaceWish(self.expected_ms, self.lost >= HASTY_RUNS, self.cells, target.least_time_ns)

    def learn(self, conflict: ConflictError, ran_s: float, cells: Collection[int]) -> None:
        """Takes note of a void run."""
        self.wanted = conflict.keys
        self.cells.update(cells)
        if conflict.late:
            measured = int(ran_s * MARGIN * 1000)
            self.expected_ms = max(2 * self.expected_ms, measured, LEAST_EXPECTED_MS)
        else:
            self.lost += 1


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    outcomes: Sequence[Outcome]
    """One for each transaction, in order."""
    version: int
    """Version that holds the effects, or that was read."""
    commitment: bytes = b""
    """State commitment of that version; empty when nothing was to be kept."""
    committed: bool = False
    """Whether there was a commit, now or before."""


def _batch(run: Run, target: Target, wish: PlaceWish | None = None) -> Batch:
    """Returns the batch for the executor.

    Earlier executions of its transactions are looked for when the view is opened: whoever commits one of them later
    changes a key that is read here, at least the publisher's gas, so that nothing is executed twice. A trace is asked
    for after the fact: that the transaction was executed before does not answer it.
    """
    return Batch(
        target.mode,
        target.block,
        run.transactions,
        at=None if target.claim is None else target.claim.at,
        careful=target.careful,
        hashes=() if target.trace else run.hashes,
        place=wish,
        patience=None if target.hard_s is None else Patience(SHARED_S, target.hard_s, run.stops),
    )


class Runner:
    """Runs batches on one executor and one store.

    Attributes:
        conflict_count: runs of the last batch that were void because others changed what it read.
        wait_count: views of the last batch that were opened later because of others' places.
        wait_ms: time that the last of them took.
        running: the batch that runs.
    """

    def __init__(self, executor: Executor, store: StateClient, committing: Callable[[bytes], None]) -> None:
        """Takes both over; `committing` is told the id of a batch before its commit, unless it is that of a block."""
        self._executor = executor
        self._store = store
        self._committing = committing
        self.conflict_count = self.wait_count = self.wait_ms = 0
        self.running: Run | None = None
        self._opened_at = 0.0
        self._ran_s = 0.0

    def run(self, run: Run, target: Target) -> Ending:
        """Runs and commits until every transaction has its outcome.

        When the time of the batch is over, requests at its end are left out of `run` and of the outcomes.

        Raises:
            WriteConflictError: its deadline passed while others kept changing what the batch reads.
            KnownBlockError: the block was committed before.
            BlockRefusedError: the header of the block does not fit its parent.
            BatchTooLongError: its time was over in the middle of a request.
            ServiceError: the store failed.
            HostError, IsolateError: as `Executor.run`.
        """
        self.running, self.conflict_count, self.wait_count, self.wait_ms = run, 0, 0, 0
        self._ran_s = 0.0
        try:
            return self._race(run, target)
        finally:
            self._store.give_back_place()

    def _race(self, run: Run, target: Target) -> Ending:
        race = Race(target.expected_ms)
        while True:
            try:
                result = self._execute(run, target, race)
            except SeenError as error:
                _leave_out(run, error.seen, target.own_commit_ids)
                continue
            try:
                return self._finish(run, target, result)
            except ConflictError as conflict:
                self._executor.drop(result)
                self.conflict_count += 1
                race.learn(conflict, self._ran_s, self._executor.contended(result))
            if time.monotonic() >= target.deadline:
                raise WriteConflictError(self.conflict_count)

    def _execute(self, run: Run, target: Target, race: Race) -> BatchResult:
        def opened(view: View) -> None:
            self._opened_at = time.monotonic()
            if target.claim is not None:
                target.claim.check(view)

        began = time.monotonic()
        result = self._executor.run(_batch(run, target, race.wish(target)), wanted=race.wanted, opened=opened)
        self._ran_s = time.monotonic() - self._opened_at
        if len(result.results) < len(run.places):
            run.end_before(len(result.results))
        if result.place is not None and result.place.waited:
            self.wait_count += 1
            self.wait_ms = int((self._opened_at - began) * 1000)
        return result

    def _finish(self, run: Run, target: Target, result: BatchResult) -> Ending:
        """Turns results into outcomes and commits them if they are to be kept."""
        details = target.claim is None  # nothing that receipts do not hold is part of a block
        ran = [
            convert.to_outcome(tx_hash, item, details=details)
            for tx_hash, item in zip(run.hashes, result.results, strict=True)
        ]
        executed = [outcome for outcome in ran if outcome.verdict == execution_pb.VERDICT_EXECUTED]
        if target.mode is not Mode.EXECUTE or not (executed or target.claim):
            self._executor.drop(result)
            if target.trace:
                tracing.add_places(self._executor, _batch(run, target), result, ran)
            return _uncommitted(run, target, result.view, run.outcomes(ran))
        outcomes = run.outcomes(ran)
        commit = _commit_request(target, result, outcomes, executed)
        if target.careful:
            self._executor.tell(channel.NOBODY)  # a worker that ends from here on was not ended by an item
        if target.claim is None:  # a block is known by its id
            self._committing(commit.commit_id)
        if target.judge is not None:
            preview = self._commit(target, result, commit, validate_only=True)
            if not target.judge(outcomes, preview):
                self._executor.drop(result)
                return Ending(outcomes, result.view.version, preview.commitment)
        committed = self._commit(target, result, commit)
        self._executor.settle(result, commit.commit_id, committed)
        return Ending(outcomes, committed.version, committed.commitment, committed=True)

    def _commit(
        self, target: Target, result: BatchResult, request: CommitRequest, *, validate_only: bool = False
    ) -> Committed:
        """Commits, or only tries to.

        Raises:
            KnownBlockError: a twin of the block was committed since it was looked for.
            ConflictError: what was read has changed.
            RemoteError: the store failed.
        """
        committed = self._store.commit(request, validate_only=validate_only)
        if target.claim is not None and committed.duplicate:
            self._executor.drop(result)
            target.claim.check_known(request.commit_id)
            raise ConflictError(())  # the twin was dropped again meanwhile
        return committed


def _uncommitted(run: Run, target: Target, view: View, outcomes: Sequence[Outcome]) -> Ending:
    """Returns the ending of a batch that has nothing to commit: it was not asked to, or nothing of it runs any more."""
    if target.mode is not Mode.EXECUTE:
        return Ending(outcomes, view.version)
    if run.own is not None:
        return Ending(outcomes, run.own.version, run.own.commitment, committed=True)
    return Ending(outcomes, view.version, view.commitment)


def _leave_out(run: Run, repeated: Mapping[bytes, FirstExecution], own_commit_ids: Collection[bytes]) -> None:
    """Answers transactions that were executed before.

    A batch whose worker was lost after the commit meets its own transactions: it executed them. Those that another
    commit holds are duplicates.
    """
    known: dict[int, Outcome] = {}
    for place in run.places:
        tx_hash = run.items[place].tx_hash
        first = repeated.get(tx_hash)
        if first is None:
            continue
        own = bool(first.block_id) and first.block_id in own_commit_ids
        known[place] = Outcome(
            tx_hash=tx_hash,
            verdict=execution_pb.VERDICT_EXECUTED if own else execution_pb.VERDICT_DUPLICATE,
            receipt=first.receipt,
            events=first.events,
            version=first.version,
        )
        run.own = first if own else run.own
    run.leave_out(known)


def _commit_request(
    target: Target, result: BatchResult, outcomes: Sequence[Outcome], executed: Sequence[Outcome]
) -> CommitRequest:
    header = convert.to_header(result.block).SerializeToString(deterministic=True)
    claim = target.claim
    return CommitRequest(
        commit_id=claim.block_id if claim else content_id(header, [outcome.tx_hash for outcome in executed]),
        parent_id=claim.parent_id if claim else b"",
        reads=result.reads,
        writes=result.writes,
        transactions=[convert.to_record(outcome) for outcome in executed],
        header=header,
        answer=claim.answer(outcomes) if claim else b"",
        named=claim.named if claim else False,
        newest_id=result.view.block_id if claim and not claim.parent_id else b"",
        place_id=result.place.place_id if result.place is not None else 0,
        reruns=target.placed,
    )


def content_id(header: bytes, hashes: Sequence[bytes]) -> bytes:
    """Returns the commit id of a batch that has no name: a hash over its header and its transactions."""
    sha = hashlib.sha256(len(header).to_bytes(4, "big") + header)
    for tx_hash in hashes:
        sha.update(tx_hash)
    return sha.digest()
