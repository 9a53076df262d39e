"""The VM entrance: gathering, lanes, refusal, draining."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from chassis.errors import DrainingError, MalformedRequestError, RemoteError, ServiceError
from iost.chain.v1 import block_pb2, transaction_pb2
from iost.vm.v1 import compilation_service_pb2 as compilation_pb
from iost.vm.v1 import execution_service_pb2 as execution_pb
from tests.support.waiting import until
from vm_service.errors import BatchTooLongError, PoolSaturatedError, ResultsTooLargeError
from vm_service.manager.early import EarlyTransactions
from vm_service.manager.entrance import Entrance
from vm_service.manager.lanes import CALM_BATCHES, CommitLane
from vm_service.manager.load import LoadMeter
from vm_service.worker import channel


def execute(count: int = 1, **fields: Any) -> bytes:
    transactions = [transaction_pb2.Transaction(time_ns=index) for index in range(count)]
    return execution_pb.ExecuteTransactionsRequest(transactions=transactions, **fields).SerializeToString()


def calling(*contracts: str, count: int = 1) -> bytes:
    """Asks for `count` transactions of which each calls its share of the contracts."""
    actions = [transaction_pb2.Action(contract=contract, action_name="a") for contract in contracts]
    share = len(actions) // count
    transactions = [
        transaction_pb2.Transaction(actions=actions[index * share : (index + 1) * share]) for index in range(count)
    ]
    return execution_pb.ExecuteTransactionsRequest(transactions=transactions).SerializeToString()


def published_by(publisher: str, number: int) -> bytes:
    """Asks for a transaction of an account that calls a contract of its own."""
    action = transaction_pb2.Action(contract=f"Contract{publisher}{number}", action_name="a")
    made = transaction_pb2.Transaction(publisher=publisher, actions=[action])
    return execution_pb.ExecuteTransactionsRequest(transactions=[made]).SerializeToString()


def large_transaction(size: int) -> transaction_pb2.Transaction:
    return transaction_pb2.Transaction(actions=[transaction_pb2.Action(data="x" * size)])


def large(kind: Any, **fields: Any) -> bytes:
    raw: bytes = kind(transactions=[large_transaction(1 << 20)] * 17, **fields).SerializeToString()
    return raw


def calls(count: int = 1) -> bytes:
    items = [execution_pb.ContractCall(contract="c", action_name="a")] * count
    return execution_pb.CallContractsRequest(calls=items).SerializeToString()


def source(**fields: Any) -> bytes:
    made = compilation_pb.ContractSource(**fields)
    return compilation_pb.CompileContractsRequest(sources=[made]).SerializeToString()


def block() -> bytes:
    return execution_pb.ExecuteBlockRequest(header=block_pb2.BlockHeader(number=1)).SerializeToString()


class World:
    """An entrance whose workers answer when told to."""

    def __init__(self, workers: int = 1, **settings: Any) -> None:
        self.free_count = workers
        self.size = workers
        self.batches: list[tuple[str, list[bytes]]] = []
        self.terms: list[dict[str, Any]] = []
        self._gates: list[asyncio.Future[channel.Done | channel.Failed]] = []
        values = {"queue_count": 100, "gather_count": 10, **settings}
        self.entrance = Entrance(retries=self, load=LoadMeter(workers), **values)  # type: ignore[arg-type]
        self.entrance.connect(self)  # type: ignore[arg-type]

    def take(self, _contracts: Collection[str]) -> Any:
        self.free_count -= 1
        return object()

    async def run(
        self,
        _pool: Any,
        worker: Any,
        kind: str,
        requests: list[bytes],
        _contracts: Collection[str],
        **terms: Any,
    ) -> channel.Done | channel.Failed:
        if worker is None:
            self.free_count -= 1
        self.terms.append(terms)
        self.batches.append((kind, requests))
        gate: asyncio.Future[channel.Done | channel.Failed] = asyncio.get_running_loop().create_future()
        self._gates.append(gate)
        try:
            return await gate
        finally:
            self.free_count += 1

    async def finish(self, index: int = 0, answered: int | None = None, **figures: Any) -> None:
        """Answers a running batch, or so many of its requests: each response repeats its request."""
        gate, (kind, requests) = self._gates[index], self.batches[index]
        told = channel.Figures(**{"used": _named(kind, requests), **figures})
        gate.set_result(channel.Done(1, requests[:answered], told))
        await self.settle()

    async def fail(self, index: int, error: ServiceError) -> None:
        """Answers a running batch with an error."""
        self._gates[index].set_result(channel.Failed(1, error.to_status().SerializeToString(), channel.Figures()))
        await self.settle()

    @staticmethod
    async def settle() -> None:
        for _ in range(8):
            await asyncio.sleep(0)


def _named(kind: str, requests: list[bytes]) -> list[str]:
    if kind == "call":
        asked = [execution_pb.CallContractsRequest.FromString(raw) for raw in requests]
        return [call.contract for request in asked for call in request.calls]
    sent = [execution_pb.ExecuteTransactionsRequest.FromString(raw) for raw in requests] if kind == "execute" else []
    return [action.contract for request in sent for item in request.transactions for action in item.actions]


async def test_nothing_waits_when_a_worker_is_free() -> None:
    world = World()
    request = execute()
    task = asyncio.create_task(world.entrance.submit("execute", request))
    await world.settle()
    assert world.batches == [("execute", [request])]
    await world.finish()
    assert await task == request


async def test_requests_that_wait_share_the_next_batch_in_their_order() -> None:
    world = World()
    requests = [execute(index + 1) for index in range(4)]
    tasks = [asyncio.create_task(world.entrance.submit("execute", request)) for request in requests]
    await world.settle()
    await world.finish()
    assert world.batches[1] == ("execute", requests[1:4])
    await world.finish(1)
    assert await asyncio.gather(*tasks) == requests


async def test_a_batch_takes_no_more_than_the_most_gathered() -> None:
    world = World(gather_count=5)
    tasks = [asyncio.create_task(world.entrance.submit("execute", execute(2))) for _ in range(5)]
    await world.settle()
    await world.finish()
    assert len(world.batches[1][1]) == 2
    await world.finish(1)
    await world.finish(2)
    await asyncio.gather(*tasks)


async def test_a_batch_takes_no_more_bytes_than_a_worker_can_hold() -> None:
    world = World()
    large = execution_pb.ExecuteTransactionsRequest(transactions=[large_transaction(3 << 20)]).SerializeToString()
    tasks = [asyncio.create_task(world.entrance.submit("execute", raw)) for raw in (execute(), large, large)]
    await world.settle()
    for place in range(3):
        await world.finish(place)
    await asyncio.gather(*tasks)
    assert [len(requests) for _, requests, *_ in world.batches] == [1, 1, 1]


async def test_requests_with_their_own_header_or_claims_never_share() -> None:
    world = World()
    header = block_pb2.BlockHeader(number=5)
    requests = [execute(), execute(), execute(header=header), execute(signatures_checked=True), execute()]
    tasks = [asyncio.create_task(world.entrance.submit("execute", request)) for request in requests]
    await world.settle()
    for index in range(5):
        await world.finish(index)
    await asyncio.gather(*tasks)
    assert [len(batch) for _, batch in world.batches] == [1, 1, 1, 1, 1]


async def test_a_dry_run_sees_the_effects_of_no_other_request() -> None:
    world = World(workers=2)
    requests = [execute(dry_run=True) for _ in range(4)]
    tasks = [asyncio.create_task(world.entrance.submit("execute", request)) for request in requests]
    await world.settle()
    for index in range(4):
        await world.finish(index)
    await asyncio.gather(*tasks)
    assert [len(batch) for _, batch in world.batches] == [1, 1, 1, 1]


def timed(time_ns: int, **fields: Any) -> bytes:
    made = [transaction_pb2.Transaction(time_ns=time_ns)]
    return execution_pb.ExecuteTransactionsRequest(transactions=made, **fields).SerializeToString()


async def test_a_transaction_ahead_of_the_clock_waits_outside_of_the_queue() -> None:
    now_ns = 1_700_000_000 * 10**9
    early = EarlyTransactions(30 * 10**9, 10, lambda: now_ns)
    world = World(queue_count=1, early=early)
    ahead = timed(now_ns + 10**6)
    waiting = asyncio.create_task(world.entrance.submit("execute", ahead))
    await world.settle()
    assert (world.batches, world.entrance.queued, early.count) == ([], 0, 1)

    soon = asyncio.create_task(world.entrance.submit("execute", timed(now_ns)))
    await world.settle()
    await world.finish()
    await soon
    now_ns += 10**6
    await until(lambda: len(world.batches) == 2)

    assert [batch for _, batch in world.batches] == [[timed(now_ns - 10**6)], [ahead]]
    await world.finish(1)
    assert await waiting == ahead


@pytest.mark.parametrize("fields", [{"dry_run": True}, {"header": block_pb2.BlockHeader(number=5)}])
async def test_what_is_only_tried_or_brings_its_block_does_not_wait(fields: dict[str, Any]) -> None:
    world = World(early=EarlyTransactions(30 * 10**9, 10, lambda: 0))
    task = asyncio.create_task(world.entrance.submit("execute", timed(10**9, **fields)))
    await world.settle()
    assert len(world.batches) == 1
    await world.finish()
    await task


async def test_draining_ends_the_wait_of_transactions_ahead_of_the_clock() -> None:
    world = World(early=EarlyTransactions(30 * 10**9, 10, lambda: 0))
    task = asyncio.create_task(world.entrance.submit("execute", timed(10**9)))
    await world.settle()
    await world.entrance.drain()
    with pytest.raises(DrainingError):
        await task


async def test_unknown_contracts_share_no_batch_and_leave_a_worker_to_the_others() -> None:
    world = World(workers=2)
    requests = [calling("ContractA"), calling("ContractB"), calling("token.iost"), calling("token.iost")]
    tasks = [asyncio.create_task(world.entrance.submit("execute", request)) for request in requests]
    await world.settle()
    assert [batch for _, batch in world.batches] == [requests[:1], requests[2:3]]
    await world.finish(1)
    assert world.batches[2] == ("execute", requests[3:])
    await world.finish(0)
    assert world.batches[3] == ("execute", requests[1:2])
    for index in (2, 3):
        await world.finish(index)
    await asyncio.gather(*tasks)


async def test_a_contract_that_was_quick_shares_batches_from_then_on() -> None:
    world = World()
    requests = [calling("ContractA") for _ in range(4)]
    tasks = [asyncio.create_task(world.entrance.submit("execute", request)) for request in requests]
    await world.settle()
    assert len(world.batches) == 1
    await world.finish(0)
    assert world.batches[1] == ("execute", requests[1:])
    await world.finish(1)
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("count", [1, 10])
async def test_a_request_is_judged_by_all_actions_of_all_its_transactions(count: int) -> None:
    world = World(gather_count=20)
    requests = [calling(*["token.iost"] * 9, name, count=count) for name in ("ContractA", "ContractA", "token.iost")]
    requests += [calling("token.iost")] * 2
    tasks = [asyncio.create_task(world.entrance.submit("execute", request)) for request in requests]
    await world.settle()
    world.entrance._pace.blame(frozenset({"ContractA"}), 10.0)
    await world.finish(0)
    assert world.batches[1][1] == requests[2:]
    await world.finish(1)
    assert world.batches[2][1] == requests[1:2]
    await world.finish(2)
    await asyncio.gather(*tasks)


async def test_blocks_run_one_at_a_time_beside_reads() -> None:
    world = World(workers=3)
    tasks = [asyncio.create_task(world.entrance.submit("execute_block", block())) for _ in range(2)]
    tasks.append(asyncio.create_task(world.entrance.submit("call", calls())))
    await world.settle()
    assert [kind for kind, _ in world.batches] == ["execute_block", "call"]
    await world.finish(0)
    assert [kind for kind, _ in world.batches] == ["execute_block", "call", "execute_block"]
    for index in (1, 2):
        await world.finish(index)
    await asyncio.gather(*tasks)


async def test_who_waits_longest_goes_first() -> None:
    world = World()
    tasks = [
        asyncio.create_task(world.entrance.submit("execute", execute())),
        asyncio.create_task(world.entrance.submit("call", calls())),
        asyncio.create_task(world.entrance.submit("execute", execute())),
    ]
    await world.settle()
    for index in range(3):
        await world.finish(index)
    await asyncio.gather(*tasks)
    assert [kind for kind, _ in world.batches] == ["execute", "call", "execute"]


async def test_a_lane_does_not_wait_for_the_whole_queue_of_another_one() -> None:
    world = World()
    reads = [asyncio.create_task(world.entrance.submit("call", calls())) for _ in range(4)]
    await world.settle()
    sent = asyncio.create_task(world.entrance.submit("execute", execute()))
    await world.settle()
    await asyncio.sleep(0.01)
    await world.finish(0)
    assert [kind for kind, _ in world.batches] == ["call", "execute"]
    for index in range(1, 5):
        await world.finish(index)
    await asyncio.gather(sent, *reads)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("call", calls()),
        ("compile", source(source="x")),
        ("execute", calling("ContractA")),
        ("execute", execution_pb.ExecuteTransactionsRequest.FromString(calling("ContractA"))),
    ],
)
async def test_what_may_run_long_leaves_a_worker_to_the_others(kind: Any, raw: Any) -> None:
    if not isinstance(raw, bytes):
        raw.dry_run = True
        raw = raw.SerializeToString()
    world = World(workers=3)
    trial = asyncio.create_task(world.entrance.submit("execute", calling("ContractB")))
    waiting = [asyncio.create_task(world.entrance.submit(kind, raw)) for _ in range(3)]
    await world.settle()
    assert (len(world.batches), world.free_count) == (2, 1)
    for index in range(4):
        await world.finish(index)
    await asyncio.gather(trial, *waiting)


async def test_reads_of_contracts_that_are_quick_when_read_use_all_workers() -> None:
    world = World(workers=2)
    first = asyncio.create_task(world.entrance.submit("call", calls()))
    await world.settle()
    await world.finish(0)
    tasks = [first, *(asyncio.create_task(world.entrance.submit("call", calls())) for _ in range(2))]
    await world.settle()
    assert (len(world.batches), world.free_count) == (3, 0)
    for index in (1, 2):
        await world.finish(index)
    await asyncio.gather(*tasks)


async def test_reads_do_not_decide_how_transactions_run() -> None:
    world = World()
    task = asyncio.create_task(world.entrance.submit("call", calls()))
    await world.settle()
    await world.finish(0, slow=[(0, 900)])
    await task
    assert not world.entrance._read_pace.is_quick([frozenset({"c"})])
    assert world.entrance._pace.expected_s(frozenset({"c"})) < 0.01


async def test_among_trials_the_publisher_that_used_least_time_goes_next() -> None:
    world = World()
    requests = [published_by("mallory", number) for number in range(3)]
    tasks = [asyncio.create_task(world.entrance.submit("execute", request)) for request in requests]
    await world.settle()
    requests.append(published_by("alice", 0))
    tasks.append(asyncio.create_task(world.entrance.submit("execute", requests[3])))
    await world.settle()
    await asyncio.sleep(0.05)
    await world.finish(0)
    assert world.batches[1][1] == requests[3:]
    for index in range(1, 4):
        await world.finish(index)
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(("kind", "raw"), [("call", calls(10)), ("execute", calling(*["ContractA"] * 10, count=10))])
async def test_reads_and_trials_fill_a_part_of_the_queue_only(kind: Any, raw: bytes) -> None:
    world = World(queue_count=80)
    tasks = [asyncio.create_task(world.entrance.submit(kind, raw)) for _ in range(3)]
    await world.settle()
    with pytest.raises(PoolSaturatedError):
        await world.entrance.submit(kind, raw)
    tasks.append(asyncio.create_task(world.entrance.submit("execute", execute(50))))
    await world.settle()
    for index in range(4):
        await world.finish(index)
    await asyncio.gather(*tasks)


async def test_requests_for_which_a_batch_had_no_time_share_the_next_one() -> None:
    world = World()
    requests = [calling("token.iost") for _ in range(4)]
    tasks = [asyncio.create_task(world.entrance.submit("execute", request)) for request in requests]
    await world.settle()
    await world.finish(0)
    await world.finish(1, answered=1)
    assert world.batches[2] == ("execute", requests[2:])
    await world.finish(2)
    assert await asyncio.gather(*tasks) == requests


@pytest.mark.parametrize(
    "error", [BatchTooLongError(1, 2, 5.0), ResultsTooLargeError(3)], ids=lambda error: str(error.reason)
)
async def test_requests_that_are_too_much_together_run_alone_and_one_that_is_alone_is_refused(
    error: ServiceError,
) -> None:
    world = World()
    requests = [calling("token.iost") for _ in range(3)]
    tasks = [asyncio.create_task(world.entrance.submit("execute", request)) for request in requests]
    await world.settle()
    await world.finish(0)
    await world.fail(1, error)
    assert world.batches[2] == ("execute", requests[1:2])
    await world.fail(2, error)
    assert world.batches[3] == ("execute", requests[2:])
    await world.finish(3)
    assert await tasks[0] == requests[0]
    assert await tasks[2] == requests[2]
    with pytest.raises(RemoteError) as raised:
        await tasks[1]
    assert raised.value.reason == error.reason


async def test_a_full_queue_refuses() -> None:
    world = World(queue_count=3)
    tasks = [asyncio.create_task(world.entrance.submit("execute", execute(count))) for count in (1, 3)]
    await world.settle()
    with pytest.raises(PoolSaturatedError):
        await world.entrance.submit("execute", execute(1))
    await world.finish(0)
    await world.finish(1)
    await asyncio.gather(*tasks)


async def test_draining_refuses_new_requests_and_finishes_old_ones() -> None:
    world = World()
    tasks = [asyncio.create_task(world.entrance.submit("execute", execute())) for _ in range(2)]
    await world.settle()
    draining = asyncio.create_task(world.entrance.drain())
    await world.settle()
    with pytest.raises(DrainingError):
        await world.entrance.submit("execute", execute())
    await world.finish(0)
    assert not draining.done()
    await world.finish(1)
    await asyncio.gather(*tasks)
    await draining


async def test_a_caller_that_left_is_not_run() -> None:
    world = World()
    first = asyncio.create_task(world.entrance.submit("execute", execute()))
    gone = asyncio.create_task(world.entrance.submit("execute", execute(2)))
    await world.settle()
    gone.cancel()
    await world.settle()
    await world.finish(0)
    await first
    assert len(world.batches) == 1
    assert world.entrance.queued == 0


@pytest.mark.parametrize(
    ("kind", "request_bytes", "field"),
    [
        ("execute", b"", "transactions"),
        ("execute", execute(10_001), "transactions"),
        ("execute", execute(header=block_pb2.BlockHeader(number=-1)), "header.number"),
        ("execute", b"\xff\xff\xff", ""),
        ("call", calls(1001), "calls"),
        ("call", execution_pb.CallContractsRequest(calls=[execution_pb.ContractCall()]).SerializeToString(), "calls["),
        ("execute_block", b"", "header"),
        ("execute_block", execution_pb.ExecuteBlockRequest(block_id=b"short").SerializeToString(), "block_id"),
        ("validate_block", execution_pb.ValidateBlockRequest(commit=True).SerializeToString(), "header"),
        ("execute", large(execution_pb.ExecuteTransactionsRequest), "transactions"),
        ("validate", large(execution_pb.ValidateTransactionsRequest), "transactions"),
        ("execute_block", large(execution_pb.ExecuteBlockRequest), "transactions"),
        ("validate_block", large(execution_pb.ValidateBlockRequest), "transactions"),
        ("compile", b"", "sources"),
        ("compile", source(source="x" * 65_537), "sources[0].source"),
        ("compile", source(abi_json="x" * 65_537), "sources[0].abi_json"),
    ],
)
async def test_malformed_requests_are_refused_with_their_field(kind: Any, request_bytes: bytes, field: str) -> None:
    world = World()
    with pytest.raises(MalformedRequestError) as caught:
        await world.entrance.submit(kind, request_bytes)
    assert caught.value.metadata.get("field", "").startswith(field)
    assert world.batches == []


def test_conflicts_halve_the_batches_that_commit_at_once() -> None:
    lane = CommitLane(lambda: 4)
    for _ in range(CALM_BATCHES * 5):
        lane.learn(channel.Figures())
    assert lane.limit == 4
    lane.learn(channel.Figures(conflict_count=1))
    assert lane.limit == 2
    lane.learn(channel.Figures(conflict_count=3))
    lane.learn(channel.Figures(wait_count=1))
    assert lane.limit == 1


async def test_a_lane_whose_batch_waited_for_others_gathers_a_while_before_the_next() -> None:
    world = World()
    requests = [execute(count + 1) for count in range(3)]
    tasks = [asyncio.create_task(world.entrance.submit("execute", requests[0]))]
    await world.settle()
    await world.finish(0, wait_count=1, wait_ms=80)
    for request in requests[1:]:
        tasks.append(asyncio.create_task(world.entrance.submit("execute", request)))
        await world.settle()
    assert len(world.batches) == 1  # although a worker is free
    await until(lambda: len(world.batches) == 2)
    assert world.batches[1] == ("execute", requests[1:])
    await world.finish(1)
    assert await asyncio.gather(*tasks) == requests


async def test_draining_ends_though_the_last_caller_went_while_no_worker_was_free() -> None:
    world = World(workers=0)
    task = asyncio.create_task(world.entrance.submit("execute", execute()))
    await world.settle()
    task.cancel()
    draining = asyncio.create_task(world.entrance.drain())
    await world.settle()
    world.free_count = 1
    world.entrance.pump()
    await asyncio.wait_for(draining, 5)
    assert world.batches == []


async def test_a_batch_is_run_until_its_last_caller_gives_up() -> None:
    world = World()
    timeouts = [None, 5.0, 60.0, 5.0, None]
    tasks = [asyncio.create_task(world.entrance.submit("execute", execute(), timeout)) for timeout in timeouts[:1]]
    await world.settle()
    tasks += [asyncio.create_task(world.entrance.submit("execute", execute(), timeout)) for timeout in timeouts[1:4]]
    await world.settle()
    began = asyncio.get_running_loop().time()
    await world.finish(0)
    tasks.append(asyncio.create_task(world.entrance.submit("execute", execute(), timeouts[4])))
    await world.finish(1)
    deadlines = [terms["deadline"] for terms in world.terms]
    assert (deadlines[0], deadlines[2]) == (None, None)
    assert 55 < deadlines[1] - began < 65
    await world.finish(2)
    await asyncio.gather(*tasks)


async def test_a_batch_of_a_slow_contract_says_how_long_it_will_run() -> None:
    world = World()
    world.entrance._pace.blame(frozenset({"ContractA"}), 1.5)
    tasks = [asyncio.create_task(world.entrance.submit("execute", calling("ContractA", "ContractA", count=2)))]
    await world.settle()
    await world.finish(0)
    assert world.terms[0]["expected_ms"] == 3000
    await asyncio.gather(*tasks)


async def test_a_contract_is_not_slow_because_its_batch_waited() -> None:
    world = World()
    request = calling("ContractA")
    task = asyncio.create_task(world.entrance.submit("execute", request))
    await world.settle()
    await asyncio.sleep(0.08)
    await world.finish(0, ran_ms=2)
    assert await task == request
    assert world.entrance._pace.is_quick([frozenset({"ContractA"})])


async def test_a_contract_is_slow_when_its_batch_ran_long() -> None:
    world = World()
    task = asyncio.create_task(world.entrance.submit("execute", calling("ContractA")))
    await world.settle()
    await world.finish(0, ran_ms=80)
    await task
    assert not world.entrance._pace.is_quick([frozenset({"ContractA"})])
