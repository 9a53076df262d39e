"""Blocks as a consensus module asks for them: again, on branches, after folding and restarts, with anything spoiled."""

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from chassis.errors import RemoteError, from_rpc_error
from iost.chain.v1 import block_pb2, transaction_pb2
from iost.state.v1 import admin_service_pb2 as admin_pb
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.state.v1 import state_service_pb2 as state_pb
from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.vm_world import SECOND_NS, VmWorld, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

ALICE, BOBBY, CAROL, DAVID = "user00000", "user00001", "user00002", "user00003"
RETAINED = 2
IDS = itertools.count(1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmWorld]:
    flags = {"retained_versions": RETAINED, "flush_age_ms": 1}
    folder = tmp_path_factory.mktemp("blocks")
    with running(folder, users=4, worker_count_min=1, worker_count_max=1, state_flags=flags) as world:
        yield world


def new_id() -> bytes:
    return next(IDS).to_bytes(32)


def header_on(parent: state_pb.OpenViewResponse) -> block_pb2.BlockHeader:
    """Makes a right header on a parent."""
    return block_pb2.BlockHeader(
        number=parent.header.number + 1,
        parent_hash=parent.block_hash or b"unknown",
        witness="witness",
        time_ns=max(time.time_ns(), parent.header.time_ns + 1),
    )


def view(world: VmWorld, block_id: bytes = b"") -> state_pb.OpenViewResponse:
    return world.store.OpenView(state_pb.OpenViewRequest(at=state_pb.View(block_id=block_id)))


def transfers(world: VmWorld, count: int = 1) -> list[transaction_pb2.Transaction]:
    return [world.signer.transfer(ALICE, BOBBY, "0.5") for _ in range(count)]


def block(
    world: VmWorld, made: list[transaction_pb2.Transaction], parent_id: bytes = b"", **fields: Any
) -> pb.ExecuteBlockRequest:
    """Makes a request on the head, or on another block, which it names."""
    parent = view(world, parent_id)
    values = {"block_id": new_id(), "parent_id": parent.block_id, "header": header_on(parent), **fields}
    return pb.ExecuteBlockRequest(transactions=made, **values)


def execute(world: VmWorld, request: pb.ExecuteBlockRequest) -> pb.ExecuteBlockResponse:
    return world.execution.ExecuteBlock(request, timeout=30)


def refused(call: Callable[[], object]) -> RemoteError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return from_rpc_error(caught.value)


def claim_of(request: pb.ExecuteBlockRequest, response: pb.ExecuteBlockResponse) -> pb.ValidateBlockRequest:
    """Makes the claim that another node sees: the transactions that are part of the block, with their receipts."""
    part = [outcome.verdict == pb.VERDICT_EXECUTED for outcome in response.outcomes]
    return pb.ValidateBlockRequest(
        block_id=response.block_id,
        parent_id=request.parent_id,
        header=request.header,
        transactions=itertools.compress(request.transactions, part),
        receipts=[outcome.receipt for outcome in itertools.compress(response.outcomes, part)],
        commitment=response.commitment,
    )


def serialized(message: pb.ExecuteBlockResponse) -> bytes:
    return message.SerializeToString(deterministic=True)


# -- the first answer again ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """A block that was executed."""

    request: pb.ExecuteBlockRequest
    response: pb.ExecuteBlockResponse


def mixed(world: VmWorld) -> list[transaction_pb2.Transaction]:
    """Makes transactions of every verdict in a block: executed, failed, refused, repeated, executed before."""
    before = world.signer.transfer(CAROL, DAVID, "0.25")
    world.execute(before)
    first, second = transfers(world, 2)
    failing = world.signer.transfer(BOBBY, CAROL, "99999999")
    unsigned = world.signer.transfer(ALICE, BOBBY, sign=False)
    return [unsigned, first, first, before, failing, unsigned, second]


def execute_mixed(world: VmWorld, parent_id: bytes = b"", **fields: Any) -> Made:
    request = block(world, mixed(world), parent_id, **fields)
    response = execute(world, request)
    assert [outcome.verdict for outcome in response.outcomes] == [
        pb.VERDICT_REFUSED,
        pb.VERDICT_EXECUTED,
        pb.VERDICT_DUPLICATE,
        pb.VERDICT_DUPLICATE,
        pb.VERDICT_EXECUTED,
        pb.VERDICT_REFUSED,
        pb.VERDICT_EXECUTED,
    ]
    assert response.outcomes[1].events
    return Made(request, response)


def on_main(world: VmWorld, **fields: Any) -> Made:
    return execute_mixed(world, **fields)


def on_a_branch(world: VmWorld, **fields: Any) -> Made:
    world.execute(world.signer.transfer(CAROL, DAVID, "0.25"))
    fork = world.head()
    execute(world, block(world, transfers(world)))  # the head
    parent = block(world, transfers(world), fork.block_id)
    execute(world, parent)
    content = [world.signer.transfer(ALICE, CAROL, "0.5", sign=False), *transfers(world, 2)]
    made = block(world, content, parent.block_id, **fields)
    response = execute(world, made)
    assert response.version == fork.version + 2 == world.head().version + 1
    assert world.head().block_id != response.block_id
    return Made(made, response)


def on_the_final_chain(world: VmWorld, **fields: Any) -> Made:
    made = execute_mixed(world, **fields)
    world.store.FinalizeBlock(state_pb.FinalizeBlockRequest(block_id=made.response.block_id))
    return made


def folded(world: VmWorld, **fields: Any) -> Made:
    made = on_the_final_chain(world, **fields)
    for _ in range(RETAINED + 1):
        execute(world, block(world, []))
    world.store.FinalizeBlock(state_pb.FinalizeBlockRequest(block_id=world.head().block_id))

    wait_until(lambda: refused_view(world, made.response.block_id))
    return made


def refused_view(world: VmWorld, block_id: bytes) -> bool:
    """Tells whether a block can no longer be read at: it is folded, and so is one above it."""
    try:
        view(world, block_id)
    except grpc.RpcError as error:
        return from_rpc_error(error).reason == "VERSION_UNAVAILABLE"
    return False


def after_a_restart(world: VmWorld, **fields: Any) -> Made:
    made = on_a_branch(world, **fields)
    world.restart_state()
    return made


KINDS = [on_main, on_a_branch, on_the_final_chain, folded, after_a_restart]


@pytest.mark.parametrize("derived", [False, True], ids=["named", "derived"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_known_block_is_answered_byte_for_byte(world: VmWorld, kind: Callable[..., Made], derived: bool) -> None:
    made = kind(world, **({"block_id": b""} if derived else {}))
    before = live_ids(world)
    again = execute(world, made.request)
    assert serialized(again) == serialized(made.response)
    claim = claim_of(made.request, made.response)
    answer = world.execution.ValidateBlock(claim)
    assert answer == pb.ValidateBlockResponse(valid=True)
    claim.commit = True
    assert world.execution.ValidateBlock(claim).version == made.response.version
    if not derived:  # without a parent the id is enough
        made.request.parent_id = claim.parent_id = b""
        assert serialized(execute(world, made.request)) == serialized(made.response)
        assert world.execution.ValidateBlock(claim).valid
    assert live_ids(world) <= before  # nothing was committed; some may have been folded


def live_ids(world: VmWorld) -> set[bytes]:
    """Returns the ids of the live blocks."""
    return {item.block_id for item in world.admin.ListBlocks(admin_pb.ListBlocksRequest(page_size=1000)).blocks}


def test_gas_of_a_block_is_that_of_its_transactions(world: VmWorld) -> None:
    made = execute_mixed(world)
    part = [item.receipt for item in made.response.outcomes if item.verdict == pb.VERDICT_EXECUTED]
    assert made.response.gas_usage == sum(receipt.gas_usage for receipt in part)
    assert len(part) == 3


def test_a_block_that_was_validated_and_committed_is_answered_as_if_executed(world: VmWorld) -> None:
    original = on_main(world)
    claim = claim_of(original.request, original.response)
    claim.block_id, claim.commit = new_id(), True
    assert world.execution.ValidateBlock(claim).valid
    request = pb.ExecuteBlockRequest(
        block_id=claim.block_id, parent_id=claim.parent_id, header=claim.header, transactions=claim.transactions
    )
    response = execute(world, request)
    assert [item.receipt for item in response.outcomes] == list(claim.receipts)
    assert (response.commitment, response.build_id) == (claim.commitment, original.response.build_id)


# -- another block under a known id --------------------------------------------------------------------------------


def other(world: VmWorld) -> transaction_pb2.Transaction:
    return world.signer.transfer(DAVID, ALICE, "0.125")


def swap(message: Any) -> None:
    first, second = message.transactions[-2], message.transactions[-1]
    kept = [*message.transactions[:-2], second, first]
    del message.transactions[:]
    message.transactions.extend(kept)


SPOILS: list[tuple[str, Callable[[VmWorld, Any], object]]] = [
    ("header.number", lambda _, m: setattr(m.header, "number", m.header.number + 1)),
    ("header.parent_hash", lambda _, m: setattr(m.header, "parent_hash", b"foreign")),
    ("header.witness", lambda _, m: setattr(m.header, "witness", "somebody")),
    ("header.time_ns", lambda _, m: setattr(m.header, "time_ns", m.header.time_ns - 1)),
    ("parent_id", lambda _, m: setattr(m, "parent_id", b"p" * 32)),
    ("tx_hash", lambda w, m: m.transactions[0].CopyFrom(other(w))),
    ("tx_hash", lambda _, m: m.transactions[-1].publisher_signatures.pop()),
    ("tx_hash", lambda _, m: swap(m)),
    ("tx_hash", lambda _, m: m.transactions.pop(0)),
    ("transactions", lambda _, m: m.transactions.pop()),
    ("transactions", lambda w, m: m.transactions.append(other(w))),
    ("transactions", lambda _, m: m.ClearField("transactions")),
]


@pytest.fixture(scope="module")
def known(world: VmWorld) -> Made:
    return on_a_branch(world)


@pytest.mark.parametrize(("field", "spoil"), SPOILS)
def test_a_known_id_with_other_content_is_refused_and_never_valid(
    world: VmWorld, known: Made, field: str, spoil: Callable[[VmWorld, Any], object]
) -> None:
    request = pb.ExecuteBlockRequest()
    request.CopyFrom(known.request)
    spoil(world, request)
    error = refused(lambda: execute(world, request))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BLOCK_DIFFERS")
    assert error.metadata["field"] == field
    assert error.metadata["expected"] != error.metadata["actual"]
    assert error.metadata["block_id"] == known.response.block_id.hex()

    claim = claim_of(known.request, known.response)
    spoil(world, claim)
    claim.commit = True
    answer = world.execution.ValidateBlock(claim)
    assert (answer.valid, answer.difference.field, answer.version) == (False, field, 0)
    assert answer.difference.expected != answer.difference.actual


CLAIM_SPOILS: list[tuple[str, int, Callable[[pb.ValidateBlockRequest], object]]] = [
    ("gas_usage", 0, lambda c: setattr(c.receipts[0], "gas_usage", 7)),
    ("status.code", 1, lambda c: setattr(c.receipts[1].status, "code", 5)),
    ("status.message", 1, lambda c: setattr(c.receipts[1].status, "message", "?")),
    ("returns", 0, lambda c: c.receipts[0].returns.append("x")),
    ("receipts", 0, lambda c: c.receipts[0].receipts.add(func_name="f", content="c")),
    ("ram_usages", 0, lambda c: c.receipts[0].ram_usages.add(payer="p", bytes=1)),
    ("tx_hash", 0, lambda c: setattr(c.receipts[0], "tx_hash", b"t" * 32)),
    ("receipts", -1, lambda c: c.receipts.pop()),
    ("receipts", -1, lambda c: c.ClearField("receipts")),
    ("commitment", -1, lambda c: setattr(c, "commitment", bytes(32))),
]


@pytest.mark.parametrize(("field", "index", "spoil"), CLAIM_SPOILS)
def test_a_claim_about_a_known_block_is_compared_whole(
    world: VmWorld, known: Made, field: str, index: int, spoil: Callable[[pb.ValidateBlockRequest], object]
) -> None:
    claim = claim_of(known.request, known.response)
    spoil(claim)
    answer = world.execution.ValidateBlock(claim)
    assert not answer.valid
    assert (answer.difference.field, answer.difference.transaction_index) == (field, index)


def test_the_id_of_a_commit_outside_blocks_is_no_block_of_another_content(world: VmWorld) -> None:
    world.execute(world.signer.transfer(ALICE, BOBBY, "0.5"))
    head = world.head()
    request = block(world, transfers(world), head.parent_id, block_id=head.block_id)
    assert refused(lambda: execute(world, request)).reason == "BLOCK_DIFFERS"


def test_derived_ids_cover_parent_header_and_transactions(world: VmWorld) -> None:
    parent, made = view(world), transfers(world)
    header, later = header_on(parent), header_on(parent)
    later.time_ns = header.time_ns + 1
    contents = [(header, []), (header, made), (later, [])]
    parents = [
        execute(world, block(world, content, parent.block_id, block_id=b"", header=one)).block_id
        for one, content in contents
    ]
    assert len(set(parents)) == 3
    above = block_pb2.BlockHeader(number=header.number + 1, time_ns=later.time_ns + 1)
    twins = [execute(world, block(world, [], one, block_id=b"", header=above)).block_id for one in parents]
    assert len(set(twins)) == 3


def test_a_repeated_request_without_parent_and_id_finds_its_block(world: VmWorld) -> None:
    parent = view(world)
    request = pb.ExecuteBlockRequest(header=header_on(parent), transactions=mixed(world))
    request.header.CopyFrom(header_on(view(world)))  # `mixed` committed something
    first = execute(world, request)
    assert serialized(execute(world, request)) == serialized(first)
    for _ in range(3):  # as well when others built on it
        execute(world, block(world, []))
        assert serialized(execute(world, request)) == serialized(first)
    claim = claim_of(request, first)
    claim.block_id = b""
    request.transactions.append(other(world))  # another block, which does not fit the head
    assert refused(lambda: execute(world, request)).reason == "BLOCK_REFUSED"


def test_a_repeated_request_finds_its_block_after_the_head_went_back(world: VmWorld) -> None:
    parent = view(world)
    header = header_on(parent)
    request = pb.ExecuteBlockRequest(header=header, transactions=transfers(world))
    twin = execute(world, block(world, [], parent.block_id))  # the head
    branch = execute(world, block(world, request.transactions, parent.block_id, block_id=b"", header=header))
    world.store.DiscardBlock(state_pb.DiscardBlockRequest(block_id=twin.block_id))
    assert world.head().block_id == parent.block_id
    assert serialized(execute(world, request)) == serialized(branch)


def test_transactions_with_a_header_are_a_block_without_an_id(world: VmWorld) -> None:
    made, parent = transfers(world, 2), view(world)
    header = header_on(parent)
    first = world.execute(*made, header=header)
    assert world.execute(*made, header=header).outcomes == first.outcomes
    head = world.head()
    assert (head.version, head.parent_id, head.number) == (first.version, parent.block_id, header.number)
    answer = execute(world, pb.ExecuteBlockRequest(header=header, transactions=made))
    assert (answer.block_id, answer.outcomes) == (head.block_id, first.outcomes)
    gap = header_on(view(world))
    gap.number += 1
    early = header_on(view(world))
    early.time_ns = head.time_ns
    for wrong, field in ((gap, "header.number"), (early, "header.time_ns")):
        request = pb.ExecuteTransactionsRequest(transactions=transfers(world), header=wrong)
        error = refused(functools.partial(world.execution.ExecuteTransactions, request))
        assert (error.reason, error.metadata["field"]) == ("BLOCK_REFUSED", field)
        request.dry_run = True  # nothing is kept: any header is taken
        assert world.execution.ExecuteTransactions(request).outcomes[0].verdict == pb.VERDICT_EXECUTED


def test_a_transaction_above_the_fork_on_the_main_chain_is_none_of_the_branch(world: VmWorld) -> None:
    fork, made = view(world), transfers(world)
    execute(world, block(world, made, fork.block_id))  # the head
    branch = execute(world, block(world, [], fork.block_id))
    above = execute(world, block(world, made, branch.block_id))
    assert [outcome.verdict for outcome in above.outcomes] == [pb.VERDICT_EXECUTED]
    top = execute(world, block(world, made, above.block_id))
    assert [outcome.verdict for outcome in top.outcomes] == [pb.VERDICT_DUPLICATE]
    assert (top.gas_usage, top.outcomes[0].receipt) == (0, above.outcomes[0].receipt)


# -- headers against the parent --------------------------------------------------------------------------------------

HEADERS: list[tuple[str, Callable[[block_pb2.BlockHeader], object]]] = [
    ("header.number", lambda h: setattr(h, "number", h.number + 1)),
    ("header.number", lambda h: setattr(h, "number", h.number - 1)),
    ("header.number", lambda h: setattr(h, "number", 0)),
    ("header.time_ns", lambda h: setattr(h, "time_ns", h.time_ns - 3600 * SECOND_NS)),
    ("header.time_ns", lambda h: setattr(h, "time_ns", h.time_ns + 86_400 * SECOND_NS)),
    ("header.parent_hash", lambda h: setattr(h, "parent_hash", b"f" * 32)),
    ("header.parent_hash", lambda h: setattr(h, "parent_hash", b"")),
]


@pytest.mark.parametrize("on_head", [True, False], ids=["head", "named"])
@pytest.mark.parametrize(("field", "spoil"), HEADERS)
def test_a_header_that_does_not_fit_the_parent_is_refused(
    world: VmWorld, on_head: bool, field: str, spoil: Callable[[block_pb2.BlockHeader], object]
) -> None:
    parent = execute(world, block(world, []))  # with an id, so that its hash is known
    request = block(world, transfers(world), block_id=b"")
    if on_head:
        request.parent_id = b""
    spoil(request.header)
    error = refused(lambda: execute(world, request))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BLOCK_REFUSED")
    assert error.metadata["field"] == field
    number = error.metadata["actual"]
    assert number in error.message
    assert error.metadata["expected"].removeprefix("after ").removeprefix("at most ") != number
    claim = pb.ValidateBlockRequest(
        parent_id=request.parent_id, header=request.header, transactions=request.transactions, commit=False
    )
    answer = world.execution.ValidateBlock(claim)
    assert (answer.valid, answer.difference.field, answer.difference.transaction_index) == (False, field, -1)
    assert world.head().block_id == parent.block_id


def test_the_bounds_ahead_of_the_clock_are_two(world: VmWorld) -> None:
    """Between 1 s (generating) and 3 s (validating) ahead a block is valid, but nobody here makes it."""
    parent = view(world)
    request = block(world, [], block_id=b"")
    request.header.time_ns = time.time_ns() + 2 * SECOND_NS
    error = refused(lambda: execute(world, request))
    assert "1000 ms ahead" in error.message
    claim = pb.ValidateBlockRequest(parent_id=parent.block_id, header=request.header)
    assert world.execution.ValidateBlock(claim).valid


def test_the_hash_of_a_parent_is_checked_once_it_is_known(world: VmWorld) -> None:
    nameless = execute(world, block(world, [], block_id=b""))
    child = block(world, [], block_id=b"")
    child.header.parent_hash = b"anything"
    assert execute(world, child).version == nameless.version + 1  # not known: not checked
    record = state_pb.RecordBlockHashRequest(block_id=nameless.block_id, block_hash=b"h" * 32)
    world.store.RecordBlockHash(record)
    second = block(world, transfers(world), nameless.block_id, block_id=b"")
    assert second.header.parent_hash == b"h" * 32
    second.header.parent_hash = b"anything"
    assert refused(lambda: execute(world, second)).metadata["expected"] == (b"h" * 32).hex()
    second.header.parent_hash = b"h" * 32
    execute(world, second)
    # A recorded hash counts more than the id that the caller gave.
    named = execute(world, block(world, []))
    world.store.RecordBlockHash(state_pb.RecordBlockHashRequest(block_id=named.block_id, block_hash=b"r" * 32))
    third = block(world, [])
    third.header.parent_hash = named.block_id
    assert refused(lambda: execute(world, third)).reason == "BLOCK_REFUSED"


# -- reads at a branch -------------------------------------------------------------------------------------------------


def test_calls_and_receipts_at_a_block_are_those_of_its_chain(world: VmWorld) -> None:
    fork = view(world)
    main = block(world, [world.signer.transfer(CAROL, DAVID, "1")], fork.block_id)
    branch = block(world, [world.signer.transfer(CAROL, DAVID, "2")], fork.block_id)
    hashes = [execute(world, request).outcomes[0].tx_hash for request in (main, branch)]
    asked = [pb.ContractCall(contract="token.iost", action_name="balanceOf", data=f'["iost", "{DAVID}"]')]

    def balance(**at: Any) -> float:
        response = world.execution.CallContracts(pb.CallContractsRequest(calls=asked, **at))
        return float(response.outcomes[0].returns.strip('[]"'))

    before = balance(block_id=fork.block_id)
    assert [round(balance(block_id=request.block_id) - before, 8) for request in (main, branch)] == [1, 2]
    assert balance(version=fork.version + 1) == before + 1  # the main chain
    assert balance(version=fork.version, block_id=branch.block_id) == before + 2  # the block id wins
    error = refused(lambda: balance(block_id=b"none"))
    assert error.reason == "BLOCK_NOT_FOUND"
    for at, known in ((main.block_id, 0), (branch.block_id, 1)):
        request = inspection_pb.BatchGetReceiptsRequest(tx_hashes=hashes, block_id=at)
        receipts = world.inspection.BatchGetReceipts(request).receipts
        assert [receipt.HasField("receipt") for receipt in receipts] == [known == 0, known == 1]


# -- a worker that is lost ---------------------------------------------------------------------------------------------


def test_a_block_whose_worker_was_lost_after_its_commit_is_answered_whole(world: VmWorld) -> None:
    request = pb.ExecuteBlockRequest(header=header_on(view(world)))
    request.transactions.extend(mixed(world))
    request.header.CopyFrom(header_on(view(world)))
    world.restart_vm(failpoints="worker.after_commit=panic@1")
    try:
        response = execute(world, request)  # the worker ends, another one answers
    finally:
        world.restart_vm(failpoints="")
    assert response.version == world.head().version
    assert serialized(execute(world, request)) == serialized(response)
    assert sum(outcome.verdict == pb.VERDICT_EXECUTED for outcome in response.outcomes) == 3
    assert all(outcome.events for outcome in response.outcomes[1:2])
