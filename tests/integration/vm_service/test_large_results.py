"""Transactions with large results beside small ones: each caller gets an answer of its own, and nobody is blamed."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from chassis.errors import from_rpc_error
from iost.chain.v1 import block_pb2
from iost.chain.v1.transaction_pb2 import Transaction
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.support.vm_world import VmWorld, running
from vm_service.transactions import contract_id

pytestmark = pytest.mark.timeout(120)

SOURCE = """class Shout {
    init() {}
    shout(count) { const text = 'x'.repeat(60000); for (let i = 0; i < count; i++) blockchain.event(text); }
}
module.exports = Shout;
"""
ABI = {"lang": "javascript", "version": "1.0.0", "abi": [{"name": "shout", "args": ["number"], "amountLimit": []}]}
EVENTS = 62
"""Of 60,000 bytes each: nearly what the largest gas limit pays for. Five such transactions are too many for a batch."""


@pytest.fixture(scope="module")
def shouting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VmWorld, str]]:
    with running(tmp_path_factory.mktemp("large"), users=8, worker_count_min=1, worker_count_max=1) as world:
        published = world.execute(world.signer.publish(world.users[0], SOURCE, ABI)).outcomes[0]
        contract = contract_id(published.tx_hash)
        world.execute(
            world.signer.transaction(world.users[0], (contract, "shout", (1,)))
        )  # known to be quick from here on
        yield world, contract


@pytest.fixture(autouse=True)
def no_worker_lost(shouting: tuple[VmWorld, str]) -> Iterator[None]:
    yield
    assert shouting[0].workers.ListWorkers(worker_pb.ListWorkersRequest()).restart_count == 0


def mixed(world: VmWorld, contract: str, count: int) -> Sequence[Transaction]:
    """Honest transfers, with so many shouts between the first and the last of them."""
    shouts = [world.signer.transaction(world.users[0], (contract, "shout", (EVENTS,))) for _ in range(count)]
    first, last = (world.signer.transfer(world.users[place], world.users[7]) for place in (1, 2))
    return [first, *shouts, last]


def test_callers_that_share_a_batch_with_large_results_get_their_own_answers(shouting: tuple[VmWorld, str]) -> None:
    world, contract = shouting
    before = world.balance(world.users[7])
    made = mixed(world, contract, 10)

    with ThreadPoolExecutor(len(made)) as callers:
        answers = list(callers.map(world.execute, made))

    assert [answer.outcomes[0].verdict for answer in answers] == [pb.VERDICT_EXECUTED] * len(made)
    assert [len(answer.outcomes[0].events) for answer in answers] == [1, *[EVENTS] * 10, 1]
    assert world.balance(world.users[7]) == before + 2 * 10**8


def test_a_request_of_too_large_results_is_refused_whole_with_a_reason(shouting: tuple[VmWorld, str]) -> None:
    world, contract = shouting
    before = world.head().version
    made = mixed(world, contract, 14)
    head = world.head()
    header = block_pb2.BlockHeader(number=head.number + 1, time_ns=head.time_ns + 1)

    for fields in ({}, {"dry_run": True}, {"header": header}):
        with pytest.raises(grpc.RpcError) as caught:
            world.execute(*made, **fields)
        error = from_rpc_error(caught.value)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESULTS_TOO_LARGE")
        assert error.metadata["item_count"] == "6"  # the first transfer and five shouts

    assert world.head().version == before
    outcomes = world.execute(made[0], made[-1]).outcomes
    assert [outcome.verdict for outcome in outcomes] == [pb.VERDICT_EXECUTED] * 2
