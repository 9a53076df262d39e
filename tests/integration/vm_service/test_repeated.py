"""Answers for transactions that were committed before: by a lost worker of the same batch, or by another batch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.vm_world import VmWorld, running

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmWorld]:
    """Every worker is lost after its first commit, before it answers."""
    folder: Path = tmp_path_factory.mktemp("repeated")
    with running(
        folder, users=4, worker_count_min=1, worker_count_max=1, failpoints="worker.after_commit=panic@1"
    ) as made:
        yield made


def check_complete(world: VmWorld, response: pb.ExecuteTransactionsResponse) -> None:
    head = world.head()
    assert (response.version, response.commitment) == (head.version, head.commitment)
    for outcome in response.outcomes:
        assert outcome.receipt.status.code == 1
        assert outcome.receipt.tx_hash == outcome.tx_hash
        assert [event.contract for event in outcome.events] == ["token.iost"]


def test_what_a_lost_worker_committed_is_answered_as_executed_and_whole(world: VmWorld) -> None:
    alice, bob, carol, dave = world.users
    before = world.head().version
    response = world.execute(world.signer.transfer(alice, bob), world.signer.transfer(carol, dave))
    assert [outcome.verdict for outcome in response.outcomes] == [pb.VERDICT_EXECUTED] * 2
    assert response.version == before + 1
    check_complete(world, response)


def test_what_another_batch_committed_is_a_duplicate_also_after_the_loss_of_a_worker(world: VmWorld) -> None:
    alice, bob, carol, dave = world.users
    old, new = world.signer.transfer(alice, bob), world.signer.transfer(carol, dave)
    first = world.execute(old)
    again = world.execute(old, new, new)
    assert [outcome.verdict for outcome in again.outcomes] == [
        pb.VERDICT_DUPLICATE,
        pb.VERDICT_EXECUTED,
        pb.VERDICT_DUPLICATE,
    ]
    assert [outcome.version for outcome in again.outcomes] == [first.version, again.version, again.version]
    assert again.version == first.version + 1
    assert again.outcomes[0].receipt == first.outcomes[0].receipt
    assert list(again.outcomes[0].events) == list(first.outcomes[0].events)
    check_complete(world, again)


def test_a_request_of_duplicates_alone_is_answered_with_the_state_that_was_read(world: VmWorld) -> None:
    alice, bob, *_ = world.users
    made = world.signer.transfer(alice, bob)
    first = world.execute(made)
    world.execute(world.signer.transfer(bob, alice))
    again = world.execute(made)
    (outcome,) = again.outcomes
    assert (outcome.verdict, outcome.version) == (pb.VERDICT_DUPLICATE, first.version)
    check_complete(world, again)
