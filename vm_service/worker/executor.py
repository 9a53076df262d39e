"""Runs batches: view, prefetch, kernel, compile stage. Used alike by worker processes and by the conformance runner.

One batch, in order:

1. `open_view` on the store, reading along the keys that the batch will probably want (`prefetch.py`);
2. `begin`: the kernel runs the transactions; a state key it has not seen is read by a host call, pinned to the view.
   When the store has moved on so far that it has forgotten the view, the batch starts anew on the newest one, with the
   keys it asked for read along;
3. `needs`: the kernel wants sources compiled; they are compiled and installed, and the batch is resumed;
4. the caller commits the effects, or not; `settle` or `drop` tells the kernel's read cache, with the next batch.

    with Executor(state) as executor:
        result = executor.run(batch)
        executor.settle(result, state.commit(...))

INVARIANTS
* The kernel's read cache is right for exactly one view, `_known`; None: it must be dropped.
* Each `run` is followed by `settle` or `drop` before the next.
* No clock and no randomness: what a batch gives depends on its view, its block context and its transactions.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from chassis.errors import RemoteError
from vm_service import base58, host
from vm_service.compiler.pipeline import TracedImage
from vm_service.errors import BatchTooLongError, ResultsTooLargeError
from vm_service.model import Answer, Batch, BatchResult, BlockContext, Committed, Limits, Mode, Need, PlaceWish, View
from vm_service.sandbox.load_vm import HostError, Sandbox
from vm_service.sandbox.monitor import TransactionWatch
from vm_service.worker import selftest
from vm_service.worker.compile_stage import CompileStage, Shared
from vm_service.worker.contention import Contention
from vm_service.worker.hotset import HotSet
from vm_service.worker.prefetch import AccessPredictor, Call, SequenceReader
from vm_service.worker.snapshot_store import Snapshot
from vm_service.worker.state_reader import FirstExecution, OpenedView, StateReader, read_sources


class SeenError(Exception):
    """Transactions of a batch were executed before; it must run without them.

    Attributes:
        seen: their first executions, by hash.
    """

    def __init__(self, seen: Mapping[bytes, FirstExecution]) -> None:
        """Creates the error."""
        super().__init__(f"{len(seen)} transactions were executed before")
        self.seen = seen


VIEW_GONE = "VERSION_UNAVAILABLE"
"""The store's reason for refusing a read at a view that is too old."""

MAX_STARTS = 3
"""Starts of a batch on the newest view: after the first, the keys it asks for come with the view."""

TRACE_GRANTS = 4
"""Times of a transaction that a traced one may take: each error that it makes carries its frames."""

MAX_CACHED = 100_000
"""Keys remembered as told to the kernel: as many as its read cache holds."""

log = logging.getLogger(__name__)


class Executor:
    """A sandbox and a compiler isolate that run one batch at a time.

    Attributes:
        ran_s: effort of the last run, in seconds: processor time, and waits for the state service.
        seen_s: effort of items of the last run that were seen to run, by their place; quick ones are not seen.
    """

    def __init__(
        self,
        state: StateReader,
        *,
        limits: Limits | None = None,
        announce: Callable[[int], None] | None = None,
        snapshot: Snapshot | None = None,
        pinned: Collection[str] = (),
        shared: Shared | None = None,
    ) -> None:
        """Brings both isolates up.

        Args:
            state: where state is read.
            limits: what a batch is granted on this machine.
            announce: called before each transaction or call of a careful batch with its place, on V8's thread.
            snapshot: the one that this process has adopted.
            pinned: contracts whose images are never dropped.
            shared: images that others keep.
        """
        self.limits = limits or Limits()
        self._state = state
        self._known: View | None = None
        self._cached: set[str] = set()  # keys that the kernel was told, and may know still
        self._batch: Batch | None = None
        self._view = View()
        self._asked: list[str] = []  # keys read while the present batch ran
        self._predictor = AccessPredictor()
        self._contention = Contention()
        self._sequences = SequenceReader()
        self._announce = announce
        self._watch: TransactionWatch | None = None
        self._settled: dict[str, int | None] | None = None
        self._met_bug = False
        self._started_at = 0.0
        self.ran_s = 0.0
        self.seen_s: dict[int, float] = {}
        self.hot = HotSet(self.limits.image_bytes, pinned)
        self.stage = CompileStage(self.limits, shared)
        self._traced: dict[str, TracedImage] = {}
        self._sandbox = Sandbox(
            {**host.TABLE, "state.get": self._read_state, "announce": self.tell},
            heap_bytes=self.limits.heap_bytes,
            flags=self.limits.flags,
        )
        self.from_snapshot = self._sandbox.from_snapshot
        if self.from_snapshot and snapshot is not None:
            self.hot.bring(snapshot.contracts, snapshot.sizes)

    # -- a batch -------------------------------------------------------------------------------------------------

    def run(
        self, batch: Batch, *, wanted: Sequence[str] = (), opened: Callable[[View], None] | None = None
    ) -> BatchResult:
        """Runs a batch on a view of the store, again if it has to be; keeps nothing by itself.

        A batch whose time is over ends before a request: its result then holds the items before that one only.

        Args:
            batch: what to run and where.
            wanted: keys known to be read, beside those that are guessed.
            opened: called when the view is open, before anything runs; what it raises ends the batch.

        Raises:
            HostError: the store failed while the kernel waited for it.
            IsolateError: this machine stopped the batch; the executor takes no more work.
            ServiceError: the store cannot be reached.
            SeenError: a transaction was executed before; nothing ran.
            BatchTooLongError: its time was over in the middle of a request.
            ResultsTooLargeError: the results are more than one batch may have.
        """
        self._asked = []
        starts = 0
        while True:
            starts += 1
            try:
                return self._start(batch, [*wanted, *self._asked], opened)
            except HostError as error:
                if starts == MAX_STARTS or not _view_is_gone(batch, error):
                    raise
                log.info("view_gone", extra={"version": self._view.version, "keys_asked": len(self._asked)})

    def _start(self, batch: Batch, wanted: Sequence[str], opened: Callable[[View], None] | None) -> BatchResult:
        wish, expected = self._wish(batch)
        keys = [*wanted, *expected]
        view = self._state.open_view(self._known, keys, batch.at, batch.hashes, wish)
        if opened is not None:
            opened(view.view)
        if view.seen:
            raise SeenError(view.seen)
        self._batch, self._view = batch, view.view
        self._started_at, self.seen_s = time.monotonic(), {}
        began_s = self._effort_s()
        self._known = None  # until settled: a failure in between leaves the kernel's cache uncertain
        block = batch.block(view.view, view.place)
        answer = self._ask(self._begin(batch, block, view, keys))
        while answer.state == "needs":
            answer = self._ask(
                {"op": "resume", "compiled": {need.need_id: self._compile(need) for need in answer.needs}}
            )
        if answer.state == "full":
            self._forget(view.view)
            raise ResultsTooLargeError(answer.ran)
        self.hot.use(answer.used)
        for item in answer.results:
            if item.bug:
                self._met_bug = True
                log.error("kernel_bug", extra={"bug": item.bug})
        self.ran_s = self._effort_s() - began_s
        result = BatchResult(view.view, block, answer.results, answer.reads, answer.writes, view.place)
        self._check_end(batch, result)
        return result

    def _check_end(self, batch: Batch, result: BatchResult) -> None:
        done, count = len(result.results), len(batch.transactions) or len(batch.calls)
        if done < count and (batch.patience is None or done not in batch.patience.stops):
            self.drop(result)
            raise BatchTooLongError(done, count, time.monotonic() - self._started_at)

    def _effort_s(self) -> float:
        """Returns a clock of this process that a busy machine does not make faster."""
        return time.process_time() + self._sandbox.host_clock.seconds()

    def _look(self) -> None:
        """Tells the kernel when the time of the batch is over."""
        patience = self._batch.patience if self._batch is not None else None
        if patience is None:
            return
        ran_s = time.monotonic() - self._started_at
        if ran_s >= patience.soft_s:
            self._sandbox.set_due(2 if ran_s >= patience.hard_s else 1)

    def _wish(self, batch: Batch) -> tuple[PlaceWish | None, Sequence[str]]:
        """Returns the wish for a place with the cells that the batch will probably contend for, and keys to read."""
        current = self._contention.current(self._cached)
        keys = self._predictor.predict(_calls_of(batch), current)
        if batch.place is None:
            return None, keys
        cells = self._contention.cells(self._predictor.predict(_calls_of(batch), ()))
        return replace(batch.place, cells=cells.union(batch.place.cells)), keys

    def contended(self, result: BatchResult) -> Collection[int]:
        """Returns the cells of a batch that others may want to write as well."""
        return self._contention.cells([*result.reads, *result.writes])

    def settle(self, result: BatchResult, commit_id: bytes, committed: Committed) -> None:
        """The effects of the last batch were committed; the kernel is told with the next one."""
        self._settled = {"version": committed.version}
        self._cached.update(result.writes)
        self._contention.wrote(result.writes)
        self._batch = None
        self._make_room()
        if committed.parent_version == result.view.version:
            self._known = View(committed.version, commit_id)
        else:  # others committed in between: what they changed is asked for when the next view is opened
            self._known = result.view

    def drop(self, result: BatchResult) -> None:
        """The effects of the last batch are void; the kernel is told with the next one."""
        self._forget(result.view)

    def _forget(self, view: View) -> None:
        self._settled = {"version": None}
        self._batch = None
        self._make_room()
        self._known = view

    def _ask(self, payload: Mapping[str, object]) -> Answer:
        grants = TRACE_GRANTS if self._batch is not None and self._batch.traced else 1
        seconds = grants * self.limits.transaction_ms / 1000
        sandbox = self._sandbox
        watch = TransactionWatch(
            seconds, sandbox.progress, sandbox.host_clock, effort_s=self._effort_s, on_look=self._look
        )
        self._watch = watch
        try:
            answer = self._sandbox.ask(payload, Answer, watch=watch)
        finally:
            self.seen_s.update(watch.seen_s)
        self._watch = None  # after a stop it stays, and tells how long the transaction ran
        return answer

    def _begin(self, batch: Batch, block: BlockContext, opened: OpenedView, keys: Sequence[str]) -> dict[str, object]:
        changed = opened.changed
        if changed is None:
            self._cached.clear()
        else:
            self._cached.difference_update(changed)
            self._contention.others_wrote(changed)
        self._cached.update(keys)
        settled, self._settled = self._settled, None
        return {
            "op": "begin",
            "settled": settled,
            "mode": batch.mode.value,
            "block": _kernel_block(block),
            "changed": changed,
            "entries": dict(zip(keys, opened.entries, strict=True)),
            "txs": batch.transactions,
            "calls": batch.calls,
            "careful": batch.careful,
            "trace": batch.trace,
            "traced": batch.traced,
            "stops": () if batch.patience is None else batch.patience.stops,
        }

    # -- what the kernel asks for --------------------------------------------------------------------------------

    def _read_state(self, payload: Mapping[str, Sequence[str]]) -> dict[str, object]:
        """Host function `state.get`: reads keys at the pinned view, and what the rest of the batch may want too."""
        keys = payload["keys"]
        self._asked.extend(keys)
        more = self._foresee(keys)
        entries = self._state.get_many([*keys, *more], self._view)
        self._cached.update(keys, more)
        return {"entries": entries[: len(keys)], "more": dict(zip(more, entries[len(keys) :], strict=True))}

    def _foresee(self, missed: Sequence[str]) -> list[str]:
        """Learns from keys that nobody foresaw; returns others that the rest of the batch will probably miss too."""
        if self._batch is None:
            return []
        at = max(self._sandbox.progress(), 1) - 1
        calls = tuple(_calls_of(self._batch, at, at + 1))
        fresh = [self._predictor.learn(calls, key) for key in missed]
        # Even those that the kernel was told before: it may have forgotten them, and a trip within a run is free.
        ahead = [next_key for key in missed for next_key in self._sequences.foresee(key)]
        if not any(fresh):
            return ahead
        self._cached.update(missed, ahead)  # as good as told: they are read with what is returned here
        return ahead + self._predictor.predict(_calls_of(self._batch, at), self._cached)

    def tell(self, index: int) -> None:
        """Announces what comes next; also the host function `announce`."""
        if self._announce is not None:
            self._announce(index)

    def _compile(self, need: Need) -> dict[str, object]:
        if need.traced:
            return self._compile_traced(need)
        compiled = self.stage.compile(need)
        if compiled.error is not None:
            return {"error": compiled.error}
        self._sandbox.install(compiled.key, compiled.image, compiled.meta)
        self.hot.add(compiled.key, len(compiled.image))
        return {"key": compiled.key, "code_bytes": compiled.code_bytes}

    def _compile_traced(self, need: Need) -> dict[str, object]:
        traced = self.stage.compile_traced(need.source)
        if traced.error is not None:
            return {"error": traced.error}
        self._sandbox.install(traced.key, traced.image, traced.meta)
        self._traced[traced.key] = traced
        return {"key": traced.key, "code_bytes": 0}

    def take_traced(self) -> Mapping[str, TracedImage]:
        """Returns the images that the last traced run has used, and removes them from the sandbox."""
        taken, self._traced = self._traced, {}
        for key in taken:
            self._sandbox.remove(key)
        return taken

    def _make_room(self) -> None:
        for key in self.hot.surplus():
            self._sandbox.remove(key)
        if len(self._cached) > MAX_CACHED:
            self._cached.clear()

    # -- end -----------------------------------------------------------------------------------------------------

    def rehearse(self) -> str:
        """Runs the self-test, which warms the kernel; returns the digest of its results. REQUIRES: no batch has run."""
        state, self._state = self._state, selftest.SeedReader()
        try:
            result = self.run(selftest.batch())
            self.drop(result)
        finally:
            self._state = state
            self._known = None
            self._cached.clear()
        return selftest.digest(result)

    def warm(self, contracts: Sequence[str]) -> None:
        """Puts the images of contracts in place, as far as the store knows them and this runtime accepts them.

        Raises:
            ServiceError: the store cannot be reached.
        """
        held = set(self.hot.hot())
        for name, source in read_sources(self._state, [name for name in contracts if name not in held]).items():
            compiled = self.stage.compile(Need("", source))
            if compiled.error is None:
                self._sandbox.install(compiled.key, compiled.image, compiled.meta)
                self.hot.bring({name: compiled.key}, {compiled.key: len(compiled.image)})

    def heap_bytes(self) -> int:
        """Returns the V8 heap in use."""
        return self._sandbox.heap_bytes()

    def collect_garbage(self) -> None:
        """Lets V8 free what it can."""
        self._sandbox.isolate.collect_garbage()

    def progress(self) -> int:
        """Returns how many transactions of the running batch have begun; callable from any thread."""
        return self._sandbox.progress()

    @property
    def condemned(self) -> bool:
        """Whether an isolate was stopped, failed, or met its heap limit at the very end of a batch.

        An executor with a condemned isolate takes no more work. One whose kernel met a bug has given an answer that
        counts, but what the bug has left behind is not known.
        """
        return self._met_bug or self._sandbox.isolate.condemned or self.stage.condemned

    def running_s(self) -> float:
        """Returns for how many seconds the present transaction has been running; callable from any thread."""
        watch = self._watch
        return watch.running_s() if watch is not None else 0.0

    def close(self) -> None:
        """Closes both isolates; harmless when repeated."""
        self._sandbox.close()
        self.stage.close()

    def __enter__(self) -> "Executor":
        """Returns itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes both isolates."""
        self.close()


def _kernel_block(block: BlockContext) -> dict[str, object]:
    return {
        "number": block.number,
        "parent_hash": None if block.parent_hash is None else base58.encode(block.parent_hash),
        "witness": block.witness,
        "time": None if block.time_ns is None else str(block.time_ns),
        "ahead": str(block.ahead_ns),
    }


def _view_is_gone(batch: Batch, error: HostError) -> bool:
    """Whether a batch failed only because the store forgot its view; one that names its view has no other."""
    cause = error.__cause__
    return batch.at is None and isinstance(cause, RemoteError) and cause.reason == VIEW_GONE


def _calls_of(batch: Batch, start: int = 0, end: int | None = None) -> Iterable[Call]:
    """Returns the calls that the items of a batch make directly, from one place to another."""
    if batch.mode is Mode.BARE:
        return ()
    if batch.mode is Mode.CALL:
        return ((call["publisher"], call) for call in batch.calls[start:end])
    return ((item["publisher"], action) for item in batch.transactions[start:end] for action in item["actions"])
