"""Claims about blocks: ids, what is asked of the store, and the first answer made again."""

from collections.abc import Callable, Sequence

import pytest

from iost.chain.v1.block_pb2 import BlockHeader
from iost.chain.v1.receipt_pb2 import Event, Receipt
from iost.state.v1 import state_service_pb2 as state_pb
from iost.vm.v1 import execution_service_pb2 as execution_pb
from vm_service.model import Batch, BatchResult, Committed, Mode, View
from vm_service.worker import blocks
from vm_service.worker.blocks import Claim, KnownBlockError, derived_id
from vm_service.worker.run import Run, Runner, Target
from vm_service.worker.state_reader import CommitRequest

HEADER = BlockHeader(number=5, parent_hash=b"ph", witness="w", time_ns=50)
HASHES = [b"1" * 32, b"2" * 32]


class FakeStore:
    """Blocks by id, and what was asked for."""

    def __init__(self, *known: state_pb.GetBlockContentResponse) -> None:
        self.known = {item.block.block_id: item for item in known}
        self.asked: list[bytes] = []

    def block(self, block_id: bytes) -> state_pb.GetBlockContentResponse | None:
        self.asked.append(block_id)
        return self.known.get(block_id)

    def block_view(self, block_id: bytes) -> View | None:
        found = self.known.get(block_id)
        if found is None:
            return None
        block = found.block
        return View(block.version, block.block_id, number=block.header.number, parent_id=block.parent_id)


def stored(block_id: bytes, parent_id: bytes = b"p", number: int = 5) -> state_pb.GetBlockContentResponse:
    header = BlockHeader(number=number, parent_hash=b"ph", witness="w", time_ns=50)
    block = state_pb.GetBlockResponse(version=number + 1, block_id=block_id, parent_id=parent_id, header=header)
    return state_pb.GetBlockContentResponse(block=block)


def claim(store: FakeStore, parent_id: bytes = b"", block_id: bytes = b"") -> Claim:
    return Claim(
        store,  # type: ignore[arg-type]
        HEADER,
        HASHES,
        parent_id=parent_id,
        block_id=block_id,
        ahead_ms=0,
        build_id="build 1",
    )


def view(number: int, block_id: bytes, parent_id: bytes) -> View:
    return View(number + 1, block_id, number=number, time_ns=number * 10 - 1, parent_id=parent_id)


def test_a_derived_id_covers_every_part_and_where_one_ends() -> None:
    parts: list[tuple[bytes, BlockHeader, list[bytes]]] = [
        (b"", HEADER, HASHES),
        (b"p", HEADER, HASHES),
        (b"p", HEADER, HASHES[::-1]),
        (b"p", HEADER, HASHES[:1]),
        (b"p", HEADER, []),
        *(
            (b"p", BlockHeader(**{**fields}), HASHES)
            for fields in ({}, {"number": 5}, {"witness": "w"}, {"time_ns": 5})
        ),  # type: ignore[arg-type]
    ]
    assert len({derived_id(*part) for part in parts}) == len(parts)
    assert {len(derived_id(*part)) for part in parts} == {32}


def test_an_id_that_is_certain_is_looked_up_before_anything_is_opened() -> None:
    for parent_id, block_id in ((b"", b"given"), (b"p", b""), (b"p", b"given")):
        wanted = block_id or derived_id(parent_id, HEADER, HASHES)
        store = FakeStore(stored(wanted))
        with pytest.raises(KnownBlockError) as caught:
            claim(store, parent_id, block_id).look_up()
        assert caught.value.stored.block.block_id == wanted


def test_without_parent_and_id_the_id_follows_from_the_head() -> None:
    store = FakeStore()
    asked = claim(store)
    asked.look_up()
    assert store.asked == []
    for head in (b"h1", b"h2"):  # the head moved between two runs
        asked.check(view(4, head, b"p"))
        assert asked.block_id == derived_id(head, HEADER, HASHES)


@pytest.mark.parametrize("above", [0, 1, 2, blocks.MAX_ANCESTORS])
def test_a_repeated_request_finds_its_block_below_the_head(above: int) -> None:
    own = derived_id(b"p", HEADER, HASHES)
    chain = [stored(own)]
    for number in range(6, 6 + above):
        chain.append(stored(b"b%d" % number, chain[-1].block.block_id, number))
    head = chain[-1].block
    with pytest.raises(KnownBlockError) as caught:
        claim(FakeStore(*chain)).check(view(head.header.number, head.block_id, head.parent_id))
    assert caught.value.stored.block.block_id == own


def test_a_block_of_that_number_with_other_content_is_not_ones_own() -> None:
    store = FakeStore(stored(b"other"))
    with pytest.raises(blocks.header_rules.BlockRefusedError):
        claim(store).check(view(5, b"other", b"p"))
    assert b"other" not in store.asked


# -- the first answer --------------------------------------------------------------------------------------------------


def outcome(
    verdict: "execution_pb.Verdict.ValueType", name: bytes, message: str = ""
) -> execution_pb.TransactionOutcome:
    return execution_pb.TransactionOutcome(
        tx_hash=name,
        verdict=verdict,
        message=message,
        receipt=Receipt(tx_hash=name, gas_usage=7) if not message else None,
        events=[Event(data="e")] if verdict == execution_pb.VERDICT_EXECUTED else (),
    )


REFUSED = outcome(execution_pb.VERDICT_REFUSED, b"r", "no")
DUPLICATE = outcome(execution_pb.VERDICT_DUPLICATE, b"d")
ONE, TWO = (outcome(execution_pb.VERDICT_EXECUTED, name) for name in (b"1", b"2"))


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        [ONE],
        [REFUSED],
        [REFUSED, ONE, DUPLICATE, DUPLICATE, TWO],
        [ONE, TWO, REFUSED],
        [outcome(execution_pb.VERDICT_TIMEOUT, b"t", "stopped after 2000 ms"), DUPLICATE],
    ],
)
def test_outcomes_come_back_whole_from_records_and_answer(outcomes: list[execution_pb.TransactionOutcome]) -> None:
    kept = stored(b"x")
    kept.answer = claim(FakeStore()).answer(outcomes)
    kept.transactions.extend(
        state_pb.TransactionRecord(tx_hash=item.tx_hash, receipt=item.receipt, events=item.events)
        for item in outcomes
        if item.verdict == execution_pb.VERDICT_EXECUTED
    )
    assert blocks.first_outcomes(kept) == outcomes
    assert blocks.first_build_id(kept) == "build 1"


def test_the_answer_does_not_repeat_what_the_records_hold() -> None:
    executed = [outcome(execution_pb.VERDICT_EXECUTED, b"%32d" % number) for number in range(1000)]
    assert len(claim(FakeStore()).answer(executed)) < 20


def test_a_block_of_an_earlier_release_consists_of_its_records() -> None:
    kept = stored(b"x")
    kept.transactions.extend(state_pb.TransactionRecord(tx_hash=tx_hash) for tx_hash in HASHES)
    asked = claim(FakeStore(), b"p", b"x")
    assert asked.difference(kept) is None
    assert [item.verdict for item in blocks.first_outcomes(kept)] == [execution_pb.VERDICT_EXECUTED] * 2
    assert blocks.first_build_id(kept) == ""
    del kept.transactions[1]
    found = asked.difference(kept)
    assert found is not None
    assert (found.field, found.expected, found.actual) == ("transactions", "1 transactions", "2 transactions")


# -- twins: the same id, asked for at two VM services at once ----------------------------------------------------------


class FakeExecutor:
    """Runs by answering no result; counts what became of each."""

    def __init__(self) -> None:
        self.runs = self.dropped = self.settled = 0

    def run(self, batch: Batch, *, wanted: object, opened: Callable[[View], None]) -> BatchResult:
        self.runs += 1
        at = view(4, b"p", b"g")
        opened(at)
        return BatchResult(at, batch.block(at, None), [], {}, {})

    def drop(self, result: BatchResult) -> None:
        self.dropped += 1

    def settle(self, result: BatchResult, commit_id: bytes, committed: Committed) -> None:
        self.settled += 1

    def contended(self, result: BatchResult) -> Sequence[int]:
        return ()


class TwinStore(FakeStore):
    """A store in which a twin of the block is committed after it was looked for; the first one is dropped again."""

    def __init__(self, dropped: int) -> None:
        super().__init__()
        self.dropped = dropped
        self.commits: list[CommitRequest] = []

    def commit(self, request: CommitRequest, *, validate_only: bool = False) -> Committed:
        self.commits.append(request)
        if len(self.commits) > self.dropped:
            self.known[request.commit_id] = stored(request.commit_id)
        return Committed(6, b"c", 5, duplicate=True)

    def give_back_place(self) -> None:
        pass


@pytest.mark.parametrize("judged", [False, True])
@pytest.mark.parametrize("dropped", [0, 1])
def test_a_twin_that_was_committed_meanwhile_is_answered_and_leaves_no_trace_here(judged: bool, dropped: int) -> None:
    executor, store = FakeExecutor(), TwinStore(dropped)
    asked = claim(store, b"p", b"x")
    asked.look_up()
    target = Target(Mode.EXECUTE, asked.context, asked, (lambda *_: True) if judged else None)
    with pytest.raises(KnownBlockError) as caught:
        Runner(executor, store, committing=lambda _: None).run(Run([]), target)  # type: ignore[arg-type]
    assert caught.value.stored.block.block_id == b"x"
    assert (executor.runs, executor.settled) == (1 + dropped, 0)
    assert executor.dropped >= executor.runs
    assert {(item.commit_id, item.parent_id, item.newest_id, item.named) for item in store.commits} == {
        (b"x", b"p", b"", True)
    }
