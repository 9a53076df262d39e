"""Honest callers of the gateway among bad ones of every kind: each gets the answer to its own transaction, once."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import grpc.aio
import pytest

from chassis.errors import from_rpc_error
from iost.chain.v1.transaction_pb2 import Action, Signature, Transaction
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.support.gateway_process import EXECUTE, in_front_of
from tests.support.vm_world import IOST, SECOND_NS, VmWorld, running
from vm_service.transactions import canonical_forms, digest

pytestmark = pytest.mark.timeout(120)

HONEST = 40
BAD = 8
"""Of each kind: spread over the honest ones."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmWorld]:
    """A VM service of one worker behind a gateway: callers that come together share batches."""
    folder: Path = tmp_path_factory.mktemp("company")
    with running(folder, users=4, worker_count_min=1, worker_count_max=1) as made, in_front_of(made, folder):
        yield made


def _request(made: Transaction) -> bytes:
    return pb.ExecuteTransactionsRequest(transactions=[made]).SerializeToString()


def _transfer(world: VmWorld, **fields: object) -> Transaction:
    return world.signer.transfer(world.users[0], world.users[1], **fields)


def _call(world: VmWorld, contract: str, data: str = "[]") -> Transaction:
    return world.signer.transaction(
        world.users[0], actions=[Action(contract=contract, action_name="transfer", data=data)]
    )


def _unsigned(world: VmWorld) -> Transaction:
    return _transfer(world, sign=False)


def _expired(world: VmWorld) -> Transaction:
    return _transfer(world, time_ns=time.time_ns() - 95 * SECOND_NS)


def _forged(world: VmWorld) -> Transaction:
    made = _transfer(world)
    made.publisher_signatures.append(Signature(algorithm=2, signature=bytes(64), public_key=b"\xff" * 32))
    return made


Bad = Callable[[VmWorld], bytes]
REFUSED: Mapping[str, Bad] = {
    "unsigned": lambda world: _request(_unsigned(world)),
    "forged": lambda world: _request(_forged(world)),
    "expired": lambda world: _request(_expired(world)),
    "too large": lambda world: _request(_call(world, "token.iost", json.dumps(["x" * 70_000]))),
    "of another chain": lambda world: _request(_transfer(world, chain_id=1)),
    "empty": lambda world: _request(Transaction()),
    "without actions and gas": lambda world: _request(world.signer.transaction(world.users[0], gas_limit=0)),
}
FAILED: Mapping[str, Bad] = {
    "an unknown contract": lambda world: _request(_call(world, "ContractNone")),
    "an unknown chain contract": lambda world: _request(_call(world, "none.iost")),
    "a name of 60 kB": lambda world: _request(_call(world, "c" * 60_000 + ".iost")),
    "no name": lambda world: _request(_call(world, "")),
    "arguments that are none": lambda world: _request(_call(world, "token.iost", "[" * 5000)),
}
MALFORMED: Mapping[str, Bad] = {
    "half a transaction": lambda world: (raw := _request(_transfer(world)))[: len(raw) // 2],
    "no UTF-8": lambda world: b"\x0a\x03\x5a\x01\xff",
    "a transaction and a half": lambda world: _request(_transfer(world)) + b"\x0a\x7f",
}
Answer = pb.ExecuteTransactionsResponse | grpc.aio.AioRpcError | asyncio.CancelledError


class Callers:
    """Concurrent callers, each with a request of its own."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._method = channel.unary_unary(EXECUTE, None, pb.ExecuteTransactionsResponse.FromString)

    async def ask(self, raw: bytes, timeout_s: float = 60, cancel_s: float | None = None) -> Answer:
        call = self._method(raw, timeout=timeout_s)
        if cancel_s is not None:
            asyncio.get_running_loop().call_later(cancel_s, call.cancel)
        try:
            return await call
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            return error


async def _gather(world: VmWorld, requests: list[tuple[bytes, dict[str, float]]]) -> list[Answer]:
    async with grpc.aio.insecure_channel(world.gateway_address) as channel:
        callers = Callers(channel)
        return await asyncio.gather(*(callers.ask(raw, **fields) for raw, fields in requests))


def _mixed(
    honest: list[Transaction], bad: list[tuple[bytes, dict[str, float]]]
) -> list[tuple[bytes, dict[str, float]]]:
    """Spreads bad requests over honest ones."""
    requests: list[tuple[bytes, dict[str, float]]] = []
    share = -(-len(bad) // len(honest))
    for index, made in enumerate(honest):
        requests += bad[index * share : (index + 1) * share]
        requests.append((_request(made), {}))
    return requests


def _check_honest(answers: Mapping[bytes, Answer], honest: list[Transaction]) -> None:
    for made in honest:
        answer = answers[_request(made)]
        assert isinstance(answer, pb.ExecuteTransactionsResponse), answer
        (outcome,) = answer.outcomes
        assert outcome.tx_hash == outcome.receipt.tx_hash == digest(canonical_forms(made).full)
        assert (outcome.verdict, outcome.receipt.status.code) == (pb.VERDICT_EXECUTED, 1)


def _honest(world: VmWorld) -> list[Transaction]:
    return [world.signer.transfer(world.users[2], world.users[3]) for _ in range(HONEST)]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        *(pytest.param(make, "refused", id=name) for name, make in REFUSED.items()),
        *(pytest.param(make, "failed", id=name) for name, make in FAILED.items()),
        *(pytest.param(make, "malformed", id=name) for name, make in MALFORMED.items()),
    ],
)
async def test_bad_transactions_are_answered_as_such_and_honest_ones_as_if_alone(
    world: VmWorld, make: Bad, kind: str
) -> None:
    honest, bad = _honest(world), [make(world) for _ in range(BAD)]
    before = world.balance(world.users[3])
    requests = _mixed(honest, [(raw, {}) for raw in bad])

    answers = await _gather(world, requests)

    by_request = dict(zip((raw for raw, _ in requests), answers, strict=True))
    _check_honest(by_request, honest)
    assert world.balance(world.users[3]) == before + HONEST * IOST
    for raw in bad:
        assert _kind(by_request[raw]) == kind, by_request[raw]


def _kind(answer: Answer) -> str:
    if isinstance(answer, grpc.aio.AioRpcError):
        return {"MALFORMED_REQUEST": "malformed"}.get(from_rpc_error(answer).reason, answer.code().name)
    assert isinstance(answer, pb.ExecuteTransactionsResponse)
    (outcome,) = answer.outcomes
    if outcome.verdict != pb.VERDICT_EXECUTED:
        return {pb.VERDICT_REFUSED: "refused"}.get(outcome.verdict, pb.Verdict.Name(outcome.verdict))
    return "failed" if outcome.receipt.status.code != 1 else "succeeded"


async def test_one_transaction_of_many_callers_at_once_is_executed_once(world: VmWorld) -> None:
    honest, shared = _honest(world), [_transfer(world) for _ in range(5)]
    before = world.balance(world.users[1]), world.balance(world.users[3])
    requests = _mixed(honest, [(_request(made), {}) for made in shared] * 16)

    answers = await _gather(world, requests)

    _check_honest(dict(zip((raw for raw, _ in requests), answers, strict=True)), honest)
    for made in shared:
        own = [answer for (raw, _), answer in zip(requests, answers, strict=True) if raw == _request(made)]
        verdicts = Counter(answer.outcomes[0].verdict for answer in own)  # type: ignore[union-attr]
        assert verdicts == {pb.VERDICT_EXECUTED: 1, pb.VERDICT_DUPLICATE: 15}
        assert len({answer.outcomes[0].receipt.SerializeToString() for answer in own}) == 1  # type: ignore[union-attr]
    after = world.balance(world.users[1]), world.balance(world.users[3])
    assert after == (before[0] + 5 * IOST, before[1] + HONEST * IOST)


@pytest.mark.parametrize("fields", [{"timeout_s": 0.001}, {"timeout_s": 0.02}, {"cancel_s": 0.0}, {"cancel_s": 0.02}])
async def test_callers_that_give_up_take_nothing_from_the_others(world: VmWorld, fields: dict[str, float]) -> None:
    honest, given_up = _honest(world), [_transfer(world) for _ in range(5 * BAD)]
    before = world.balance(world.users[1]), world.balance(world.users[3])
    requests = _mixed(honest, [(_request(made), fields) for made in given_up])

    answers = await _gather(world, requests)
    again = await _gather(world, [(_request(made), {}) for made in given_up])

    _check_honest(dict(zip((raw for raw, _ in requests), answers, strict=True)), honest)
    for made, answer in zip(given_up, again, strict=True):
        assert answer.outcomes[0].tx_hash == digest(canonical_forms(made).full)  # type: ignore[union-attr]
        assert answer.outcomes[0].receipt.status.code == 1  # type: ignore[union-attr]
    after = world.balance(world.users[1]), world.balance(world.users[3])
    assert after == (before[0] + len(given_up) * IOST, before[1] + HONEST * IOST)


def test_no_worker_was_lost(world: VmWorld) -> None:
    listed = world.workers.ListWorkers(worker_pb.ListWorkersRequest())
    assert (listed.restart_count, listed.quarantine_count) == (0, 0)
