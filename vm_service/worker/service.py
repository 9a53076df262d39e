"""Answers the requests of a batch: protobuf in, protobuf out. One method for each kind of work."""

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence

from iost.chain.v1 import block_pb2, transaction_pb2
from iost.vm.v1 import compilation_service_pb2 as compilation_pb
from iost.vm.v1 import execution_service_pb2 as execution_pb
from vm_service import convert
from vm_service.errors import (
    BatchStoppedError,
    BatchTooLongError,
    BlockDiffersError,
    BlockRefusedError,
    NoGenesisError,
)
from vm_service.model import Batch, BlockContext, Committed, Mode, Need, Patience, Place, View
from vm_service.worker import blocks, channel, header_rules, tracing
from vm_service.worker.blocks import Claim, KnownBlockError
from vm_service.worker.executor import Executor
from vm_service.worker.intake import ASSUME_PAID, ASSUME_SIGNED, NOTHING, Intake
from vm_service.worker.run import Ending, Outcome, Run, Runner, Target
from vm_service.worker.state_client import StateClient

Method = Callable[[channel.Work], list[bytes]]

ITEM_S = 0.005
"""Seconds that a request may take for each item beside the time of one transaction: ten times those of a transfer."""

MAX_SLOW = 100
"""Slow items told of a batch: at the least time that is seen, more take longer than a batch may."""


class BatchService:
    """The requests of a worker, run on its executor and its store."""

    def __init__(
        self,
        executor: Executor,
        store: StateClient,
        intake: Intake,
        *,
        build_id: str,
        ahead: header_rules.Ahead,
        committing: Callable[[bytes], None],
    ) -> None:
        """Puts the parts together.

        Args:
            executor: where batches run.
            store: where state is read and committed.
            intake: checks transactions.
            build_id: names runtime, gas schedule and engine.
            ahead: how far the time of a block may lie ahead of the clock.
            committing: told the id of a batch before its commit, unless it is that of a block.
        """
        self._executor = executor
        self._store = store
        self._intake = intake
        self._build_id = build_id
        self._ahead = ahead
        self.runner = Runner(executor, store, committing)
        self.item_count = 0
        self._places: list[int] | None = None
        self._methods: Mapping[channel.Kind, Method] = {
            "execute": self._execute,
            "validate": self._validate,
            "call": self._call,
            "execute_block": self._execute_block,
            "validate_block": self._validate_block,
            "compile": self._compile,
        }

    def handle(self, work: channel.Work) -> list[bytes]:
        """Answers a batch: one serialised response for each request.

        Raises:
            NoGenesisError: the store is empty, and the work needs a chain.
            ServiceError: the call failed.
            HostError, IsolateError: as `Executor.run`.
        """
        self.runner.running = self._places = None
        self._executor.ran_s, self._executor.seen_s = 0.0, {}
        self.runner.conflict_count = self.runner.wait_count = self.runner.wait_ms = 0
        if work.kind != "compile" and not self._store.has_genesis():
            raise NoGenesisError
        return self._methods[work.kind](work)

    def item_at(self, index: int) -> tuple[int, bytes]:
        """Returns the place in the request, and the hash, of the item that the executor runs as number `index`."""
        if self._places is not None:
            return self._places[index], b""
        run = self.runner.running
        if run is None:
            return -1, b""
        place = run.places[index]
        return place, run.items[place].tx_hash

    def slow_items(self) -> list[tuple[int, int]]:
        """Returns the items of the last batch that were seen to run, by place, with milliseconds."""
        seen = list(self._executor.seen_s.items())[:MAX_SLOW]
        placed = [(self.item_at(number)[0], int(seconds * 1000)) for number, seconds in seen]
        return [(place, took_ms) for place, took_ms in placed if place >= 0]

    def _hard_s(self, count: int) -> float:
        """Returns the seconds that a request of so many items may take."""
        return self._executor.limits.transaction_ms / 1000 + count * ITEM_S

    # -- transactions --------------------------------------------------------------------------------------------

    def _execute(self, work: channel.Work) -> list[bytes]:
        """ExecuteTransactions: several requests, one batch."""
        requests = [execution_pb.ExecuteTransactionsRequest.FromString(raw) for raw in work.requests]
        first = requests[0]
        transactions = [transaction for request in requests for transaction in request.transactions]
        assumed = {name: True for name in (ASSUME_SIGNED, ASSUME_PAID) if getattr(first, name)}
        run = self._admit(transactions, work, signatures_checked=first.signatures_checked, assumed=assumed)
        run.starts = list(itertools.accumulate(len(request.transactions) for request in requests[:-1]))
        build_id = self._build_id
        given = first.HasField("header")
        if given and not first.dry_run:  # a block to which no id is given; it comes alone
            ending, build_id = self._settle_block(run, self._claim_of(first.header, run, self._ahead.generate_ms), work)
        else:
            target = Target(
                Mode.DRY if first.dry_run else Mode.EXECUTE,
                _given(first.header) if given else _open(ahead_ns=self._intake.ahead_ns),
                careful=work.careful,
                own_commit_ids=frozenset(work.own_commit_ids),
                trace=first.trace,
                placed=not given,
                hard_s=self._hard_s(len(transactions)),
                expected_ms=work.expected_ms,
                deadline=_deadline(work),
                least_time_ns=0 if given else self._intake.least_time_ns(run.items, time.time_ns()),
            )
            ending = self.runner.run(run, target)
        responses, at = [], 0
        for request in requests:
            end = at + len(request.transactions)
            if end > len(ending.outcomes):  # the time of the batch was over
                break
            response = execution_pb.ExecuteTransactionsResponse(
                outcomes=ending.outcomes[at:end],
                version=ending.version,
                commitment=ending.commitment,
                build_id=build_id,
            )
            responses.append(response.SerializeToString())
            at = end
        return responses

    def _validate(self, work: channel.Work) -> list[bytes]:
        """ValidateTransactions."""
        request = execution_pb.ValidateTransactionsRequest.FromString(work.requests[0])
        run = self._admit(request.transactions, work)
        block = _open(request.time_ns, self._intake.ahead_ns)
        hard_s = self._hard_s(len(request.transactions))
        target = Target(Mode.VALIDATE, block, careful=work.careful, trace=request.trace, hard_s=hard_s)
        ending = self.runner.run(run, target)
        response = execution_pb.ValidateTransactionsResponse(outcomes=ending.outcomes, version=ending.version)
        return [response.SerializeToString()]

    def _admit(
        self,
        transactions: Sequence[transaction_pb2.Transaction],
        work: channel.Work,
        *,
        signatures_checked: bool = False,
        assumed: Mapping[str, bool] = NOTHING,
        block: bool = False,
    ) -> Run:
        """Takes transactions in and answers those that need not run."""
        items = self._intake.admit(transactions, signatures_checked=signatures_checked, assumed=assumed, block=block)
        self.item_count += len(items)
        run = Run(items)
        by_index = {item.index: item for item in work.excluded if not item.tx_hash}
        by_hash = {item.tx_hash: item for item in work.excluded if item.tx_hash}
        met: set[bytes] = set()
        for place, item in enumerate(items):
            out = by_index.get(place) or by_hash.get(item.tx_hash)
            if item.refused is not None:
                run.settled[place] = convert.refusal(item.tx_hash, item.refused)
            elif out is not None:
                run.stopped[place] = out
                run.settled[place] = Outcome(tx_hash=item.tx_hash, verdict=_verdict(out), message=out.message)
            elif item.tx_hash not in met:
                run.places.append(place)
            met.add(item.tx_hash)
        return run

    # -- calls and sources ---------------------------------------------------------------------------------------

    def _call(self, work: channel.Work) -> list[bytes]:
        """CallContracts."""
        request = execution_pb.CallContractsRequest.FromString(work.requests[0])
        excluded = {item.index: item for item in work.excluded if not item.tx_hash}
        places = [place for place in range(len(request.calls)) if place not in excluded]
        hard_s = self._hard_s(len(request.calls))
        batch = Batch(
            Mode.CALL,
            _open(),
            calls=[convert.kernel_call(request.calls[place]) for place in places],
            at=View(request.version, request.block_id) if request.version or request.block_id else None,
            careful=work.careful,
            patience=Patience(hard_s, hard_s),
        )
        self.item_count += len(request.calls)
        self._places = places
        result = self._executor.run(batch)
        self._executor.drop(result)
        ran = [convert.to_call_outcome(item) for item in result.results]
        if request.trace:
            tracing.add_places(self._executor, batch, result, ran)
        outcomes = dict(zip(places, ran, strict=True))
        for place, out in excluded.items():
            outcomes[place] = execution_pb.CallOutcome(verdict=_verdict(out))
        ordered = [outcomes[place] for place in range(len(request.calls))]
        response = execution_pb.CallContractsResponse(outcomes=ordered, version=result.view.version)
        return [response.SerializeToString()]

    def _compile(self, work: channel.Work) -> list[bytes]:
        """CompileContracts."""
        request = compilation_pb.CompileContractsRequest.FromString(work.requests[0])
        excluded = {item.index: item for item in work.excluded}
        self.item_count += len(request.sources)
        response = compilation_pb.CompileContractsResponse()
        began, hard_s = time.monotonic(), self._hard_s(len(request.sources))
        for place, source in enumerate(request.sources):
            if (ran_s := time.monotonic() - began) > hard_s:
                raise BatchTooLongError(place, len(request.sources), ran_s)
            if place in excluded:
                response.outcomes.add(message=f"this machine stopped the compiler: {excluded[place].message}")
            else:
                response.outcomes.append(self._compile_one(source))
        return [response.SerializeToString()]

    def _compile_one(self, source: compilation_pb.ContractSource) -> compilation_pb.CompileOutcome:
        stage = self._executor.stage
        try:
            abi_json = source.abi_json or stage.generate_abi(source.source)
            contract = convert.contract_of_abi(abi_json)
        except ValueError as error:
            refused = compilation_pb.CompileOutcome(message=str(error))
            return self._inspected(source, refused)
        compiled = stage.compile(Need("", source.source, abi_json, validate=True))
        if compiled.error is not None:
            refused = compilation_pb.CompileOutcome(abi_json=abi_json, message=compiled.error)
            return self._inspected(source, refused)
        contract.source = source.source
        contract.code_hash = bytes.fromhex(compiled.key)
        accepted = compilation_pb.CompileOutcome(contract=contract, abi_json=abi_json, instrumented=compiled.reference)
        return self._inspected(source, accepted)

    def _inspected(
        self, source: compilation_pb.ContractSource, outcome: compilation_pb.CompileOutcome
    ) -> compilation_pb.CompileOutcome:
        """Adds places in the source, and mistakes that publishing accepts."""
        found = self._executor.stage.inspect(source.source, source.abi_json)
        if found.place is not None:
            outcome.place.CopyFrom(_place(source.source, *found.place))
        for problem in found.problems:
            outcome.problems.add(message=problem.message, place=_place(source.source, problem.line, problem.column))
        return outcome

    # -- blocks --------------------------------------------------------------------------------------------------

    def _execute_block(self, work: channel.Work) -> list[bytes]:
        """ExecuteBlock: one commit, named by the block."""
        request = execution_pb.ExecuteBlockRequest.FromString(work.requests[0])
        run, claim = self._claim(request, work, self._ahead.generate_ms)
        ending, build_id = self._settle_block(run, claim, work)
        response = execution_pb.ExecuteBlockResponse(
            block_id=claim.block_id,
            outcomes=ending.outcomes,
            gas_usage=sum(
                outcome.receipt.gas_usage
                for outcome in ending.outcomes
                if outcome.verdict == execution_pb.VERDICT_EXECUTED
            ),
            version=ending.version,
            commitment=ending.commitment,
            build_id=build_id,
        )
        return [response.SerializeToString()]

    def _settle_block(self, run: Run, claim: Claim, work: channel.Work) -> tuple[Ending, str]:
        """Executes and commits a block, or finds it as it was committed before.

        Returns:
            How it ended the first time, and the build id of that.

        Raises:
            BlockDiffersError: its id is known with other content.
            BlockRefusedError: its header does not fit its parent.
        """
        try:
            claim.look_up()
            target = Target(Mode.EXECUTE, claim.context, claim, careful=work.careful, deadline=_deadline(work))
            return self.runner.run(run, target), self._build_id
        except KnownBlockError as known:
            stored = known.stored
        claim.block_id = stored.block.block_id
        if (found := claim.difference(stored)) is not None:
            raise BlockDiffersError(claim.block_id, found.transaction_index, found.field, found.expected, found.actual)
        ending = Ending(blocks.first_outcomes(stored), stored.block.version, stored.block.commitment, committed=True)
        return ending, blocks.first_build_id(stored)

    def _validate_block(self, work: channel.Work) -> list[bytes]:
        """ValidateBlock: executes again, compares, commits on request; a known block is only compared."""
        request = execution_pb.ValidateBlockRequest.FromString(work.requests[0])
        run, claim = self._claim(request, work, self._ahead.validate_ms)
        version = 0
        try:
            claim.look_up()
            difference, version = self._judge_block(request, run, claim, work)
        except KnownBlockError as known:
            difference, version = claim.validated(known.stored, request), known.stored.block.version
        except BlockRefusedError as error:
            difference = convert.block_difference(-1, error.field, error.expected, error.actual)
        response = execution_pb.ValidateBlockResponse(valid=difference is None, difference=difference)
        if response.valid and request.commit:
            response.version = version
        return [response.SerializeToString()]

    def _judge_block(
        self, request: execution_pb.ValidateBlockRequest, run: Run, claim: Claim, work: channel.Work
    ) -> tuple[execution_pb.BlockDifference | None, int]:
        """Executes a block that others made; returns the first difference, and the version that it has or would have.

        Raises:
            BatchStoppedError: this machine stopped one of its transactions.
            KnownBlockError, BlockRefusedError: as `Runner.run`.
        """
        difference: execution_pb.BlockDifference | None = None

        def judge(outcomes: Sequence[Outcome], committed: Committed) -> bool:
            nonlocal difference
            difference = convert.first_difference(outcomes, request.receipts)
            if difference is None and request.commitment not in (b"", committed.commitment):
                difference = convert.block_difference(-1, "commitment", committed.commitment, request.commitment)
            return difference is None and request.commit

        for place, stopped in run.stopped.items():
            raise BatchStoppedError(execution_pb.Verdict.Name(_verdict(stopped)), place)
        target = Target(Mode.EXECUTE, claim.context, claim, judge, careful=work.careful, deadline=_deadline(work))
        ending = self.runner.run(run, target)
        return difference, ending.version

    def _claim(
        self,
        request: execution_pb.ExecuteBlockRequest | execution_pb.ValidateBlockRequest,
        work: channel.Work,
        ahead_ms: int,
    ) -> tuple[Run, Claim]:
        """Takes a block in."""
        run = self._admit(request.transactions, work, signatures_checked=request.signatures_checked, block=True)
        return run, self._claim_of(request.header, run, ahead_ms, request.parent_id, request.block_id)

    def _claim_of(
        self,
        header: block_pb2.BlockHeader,
        run: Run,
        ahead_ms: int,
        parent_id: bytes = b"",
        block_id: bytes = b"",
    ) -> Claim:
        return Claim(
            self._store,
            header,
            [item.tx_hash for item in run.items],
            parent_id=parent_id,
            block_id=block_id,
            ahead_ms=ahead_ms,
            build_id=self._build_id,
        )


def _given(header: block_pb2.BlockHeader) -> Callable[[View, Place | None], BlockContext]:
    """Returns the block context that the caller of a dry run brought.

    Block 0 is genesis, where no authority is checked and no gas is paid: only `v8vm genesis` makes it.
    """
    context = convert.block_context(header)

    def block(_view: View, _place: Place | None) -> BlockContext:
        if context.number == 0:
            why = "header.number is 0, the number of the genesis, which is committed already; from 1 on it is free"
            raise BlockRefusedError("header.number", "1 or more", "0", why)
        return context

    return block


def _open(time_ns: int = 0, ahead_ns: int = 0) -> Callable[[View, Place | None], BlockContext]:
    """Returns the block context of work that comes without one: that of its place, else the block after the view.

    Args:
        time_ns: time of the block; 0: the place's, else the clock, at least 1 ns after the view's block.
        ahead_ns: how far ahead of it a transaction may be that is only tried.
    """

    def block(view: View, place: Place | None) -> BlockContext:
        if place is not None:
            return BlockContext(place.number, view.block_id, "", place.time_ns, ahead_ns)
        number = view.version if view.number is None else view.number + 1
        at_ns = time_ns or max(time.time_ns(), view.time_ns + 1)
        return BlockContext(number, view.block_id, "", at_ns, ahead_ns)

    return block


def _deadline(work: channel.Work) -> float:
    """Returns the monotonic seconds after which a batch is not run again."""
    return time.monotonic() + work.timeout_ms / 1000 if work.timeout_ms else math.inf


def _place(source: str, line: int, column: int) -> compilation_pb.SourcePlace:
    shown, text = tracing.place_in_line(source, line, column)
    return compilation_pb.SourcePlace(line=line, column=shown, source_line=text)


def _verdict(exclusion: channel.Exclusion) -> "execution_pb.Verdict.ValueType":
    return execution_pb.Verdict.ValueType(exclusion.verdict)
