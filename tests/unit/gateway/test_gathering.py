"""Who goes together to the VM service, and what a gatherer holds."""

import asyncio
import gc

import grpc
import pytest

from chassis.errors import STATUS_KEY, ServiceError
from gateway import company
from gateway.errors import NoEndpointError
from gateway.gathering import Gatherer
from iost.chain.v1.transaction_pb2 import Action, Transaction

CHAIN: company.Company = frozenset()
A, B = frozenset({"ContractA"}), frozenset({"ContractB"})


class Sender:
    """A VM service that answers when told to: one outcome for each transaction, the transaction itself."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.timeouts: list[float | None] = []
        self.cancelled = 0
        self._closed = False
        self._answers: list[asyncio.Future[bytes]] = []

    async def __call__(self, raw: bytes, timeout_s: float | None) -> bytes:
        if self._closed:
            raise NoEndpointError("closed")
        self.sent.append(raw)
        self.timeouts.append(timeout_s)
        self._answers.append(asyncio.get_running_loop().create_future())
        try:
            return await self._answers[-1]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def answer(self, index: int) -> None:
        self._answers[index].set_result(self.sent[index])
        await settle()

    async def fail(self, index: int, error: BaseException) -> None:
        self._answers[index].set_exception(error)
        await settle()

    async def close(self) -> None:
        """Fails the calls in progress and all later ones, as an endpoint does whose address is gone."""
        self._closed = True
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(NoEndpointError("closed"))
        await settle()


class World:
    def __init__(self, max_count: int = 500, max_in_flight: int = 2) -> None:
        self.sender = Sender()
        self.gatherer = Gatherer(self.sender, max_count=max_count, max_in_flight=max_in_flight)

    def call(self, name: str, whose: company.Company, timeout_s: float | None = None) -> "asyncio.Task[bytes]":
        return asyncio.create_task(self.gatherer.submit(item(name), whose, timeout_s))

    async def calls(self, names: str, whose: company.Company) -> "list[asyncio.Task[bytes]]":
        made = [self.call(name, whose) for name in names]
        await settle()
        return made


def item(name: str) -> bytes:
    return b"\x0a\x01" + name.encode()


def joined(names: str) -> bytes:
    return b"".join(item(name) for name in names)


async def settle() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


class RefusedError(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.INVALID_ARGUMENT


class UnavailableError(grpc.RpcError):
    def __init__(self, reason: str) -> None:
        self._status = ServiceError(reason)
        self._status.reason = reason

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def trailing_metadata(self) -> list[tuple[str, bytes]]:
        return [(STATUS_KEY, self._status.to_status().SerializeToString())]


def calling(*contracts: str) -> Transaction:
    return Transaction(actions=[Action(contract=contract) for contract in contracts])


def test_all_actions_decide_whose_company_a_transaction_keeps() -> None:
    assert company.of(calling()) == CHAIN
    assert company.of(calling("token.iost", "auth.iost")) == CHAIN
    assert company.of(calling("ContractA", "token.iost", "ContractA")) == A
    assert company.of(calling(*["token.iost"] * 20, "ContractA")) == A
    assert company.of(calling("ContractB", "ContractA")) == company.of(calling("ContractA", "ContractB")) == A | B
    assert company.of(calling("ContractA", "system.iost")) is None


async def test_calls_that_come_together_go_together_with_their_own_company_only() -> None:
    world = World()
    tasks = [*await world.calls("", CHAIN), world.call("a", A), world.call("x", CHAIN), world.call("b", B)]
    tasks += [world.call("c", A), world.call("y", CHAIN)]
    await settle()
    assert world.sender.sent == [joined("ac"), joined("xy"), joined("b")]
    for index in range(3):
        await world.sender.answer(index)
    assert await asyncio.gather(*tasks) == [item(name) for name in "axbcy"]


async def test_a_slow_company_takes_no_turn_of_the_others() -> None:
    world = World(max_in_flight=2)
    slow = [task for name in "abcd" for task in await world.calls(name, A)]
    assert world.sender.sent == [item("a"), item("b")]
    quick = [task for name in "xyz" for task in await world.calls(name, CHAIN)]
    assert world.sender.sent[2:] == [item("x"), item("y")]
    await world.sender.answer(2)
    assert world.sender.sent[4:] == [item("z")]
    await world.sender.answer(3)
    await world.sender.answer(4)
    assert await asyncio.gather(*quick) == [item(name) for name in "xyz"]
    await world.sender.answer(0)
    assert world.sender.sent[5:] == [joined("cd")]
    await world.sender.answer(1)
    await world.sender.answer(5)
    assert await asyncio.gather(*slow) == [item(name) for name in "abcd"]


async def test_a_batch_takes_no_more_than_the_most_transactions() -> None:
    world = World(max_count=3, max_in_flight=1)
    tasks = await world.calls("abcdefgh", A)
    for index in range(3):
        await world.sender.answer(index)
    assert world.sender.sent == [joined("abc"), joined("def"), joined("gh")]
    await asyncio.gather(*tasks)


async def test_an_idle_company_is_forgotten() -> None:
    world = World()
    tasks = [world.call("a", frozenset({f"Contract{number}"})) for number in range(100)]
    tasks += await world.calls("xy", CHAIN)
    assert world.gatherer.company_count == 101
    for index in range(101):
        await world.sender.answer(index)
    await asyncio.gather(*tasks)
    assert world.gatherer.company_count == 0


async def test_a_call_that_comes_in_the_step_in_which_its_company_becomes_idle_is_sent() -> None:
    world = World()
    first = await world.calls("a", A)
    first[0].add_done_callback(lambda _: later.append(world.call("b", A)))
    later: list[asyncio.Task[bytes]] = []
    await world.sender.answer(0)
    assert world.sender.sent == [item("a"), item("b")]
    assert world.gatherer.company_count == 1
    await world.sender.answer(1)
    assert await later[0] == item("b")
    assert world.gatherer.company_count == 0


async def test_callers_that_gave_up_leave_nothing_behind() -> None:
    world = World(max_in_flight=1)
    first = await world.calls("ab", A)
    second = await world.calls("cde", A)
    first[0].cancel()
    second[1].cancel()
    await settle()
    assert world.sender.cancelled == 0  # somebody waits for it still
    first[1].cancel()
    await settle()
    assert world.sender.cancelled == 1
    assert world.sender.sent[1:] == [joined("ce")]
    for task in second:
        task.cancel()
    await settle()
    assert world.sender.cancelled == 2
    assert world.gatherer.company_count == 0


async def test_a_caller_that_gives_up_at_once_is_not_sent() -> None:
    world = World()
    task = world.call("a", A)
    await asyncio.sleep(0)
    task.cancel()
    await settle()
    assert world.sender.sent == []
    assert world.gatherer.company_count == 0


async def test_a_refused_batch_is_sent_again_in_halves_until_nobody_waits() -> None:
    world = World()
    tasks = await world.calls("abcd", A)
    await world.sender.fail(0, RefusedError())
    await world.sender.fail(1, RefusedError())
    assert world.sender.sent[1:] == [joined("ab"), item("a")]
    await world.sender.fail(2, RefusedError())
    await world.sender.answer(3)
    with pytest.raises(RefusedError):
        await tasks[0]
    assert await tasks[1] == item("b")
    assert world.sender.sent[4:] == [joined("cd")]
    tasks[2].cancel()
    tasks[3].cancel()
    await settle()
    assert world.sender.cancelled == 1
    assert world.gatherer.company_count == 0


@pytest.mark.parametrize(("reason", "sent"), [("WORKER_LOST", ["abc", "a"]), ("NO_WORKERS", ["abc"])])
async def test_a_batch_that_kept_ending_workers_is_sent_again_in_halves(reason: str, sent: list[str]) -> None:
    world = World()
    tasks = await world.calls("abc", A)
    await world.sender.fail(0, UnavailableError(reason))
    assert world.sender.sent == [joined(names) for names in sent]
    for task in tasks:
        task.cancel()


async def test_a_closed_channel_fails_all_that_waits_halves_to_come_included() -> None:
    world = World(max_in_flight=1)
    tasks = await world.calls("abcd", A)
    await world.sender.fail(0, RefusedError())
    tasks += await world.calls("efg", A)
    await world.sender.close()
    assert [type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == [NoEndpointError] * 7
    assert world.gatherer.company_count == 0


async def test_a_batch_may_take_as_long_as_its_most_patient_caller() -> None:
    world = World()
    tasks = [world.call("a", A, 1.0), world.call("b", A, 9.0)]
    await settle()
    timeout_s = world.sender.timeouts[0]
    assert timeout_s is not None
    assert 8.0 < timeout_s <= 9.0
    await world.sender.answer(0)
    await asyncio.gather(*tasks)


async def test_what_was_sent_is_freed_at_once() -> None:
    world = World()
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            tasks = await world.calls("abc", A)
            await world.sender.answer(len(world.sender.sent) - 1)
            await asyncio.gather(*tasks)
        tasks.clear()
        from gateway.gathering import _Waiting

        assert not [found for found in gc.get_objects() if isinstance(found, _Waiting)]
    finally:
        gc.enable()
