"""Entrance, retries and pool together, with workers that answer, lose races, wear out or end, in an order drawn
from a seed: every caller is answered with its own answer, nothing is left behind, and draining ends.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from chassis.errors import ServiceError
from iost.chain.v1 import block_pb2, transaction_pb2
from iost.vm.v1 import execution_service_pb2 as execution_pb
from tests.support.waiting import until
from vm_service.manager import pool as pool_module
from vm_service.manager.entrance import Entrance
from vm_service.manager.load import LoadMeter
from vm_service.manager.pool import Pool, PoolSettings
from vm_service.manager.retries import Retries
from vm_service.manager.supervisor import WorkerGoneError, WorkerState
from vm_service.worker import channel

CALLERS = 15
CALLS = 15
SIZE = 3
SPARES = 1


class Weather:
    """What chance does to workers and callers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.deadly = seed % 2 == 0
        """Whether workers end; where none does, nothing but what was given back helps whoever waits."""
        self.alive: set[UnsteadyWorker] = set()

    async def pause(self, most: int = 8) -> None:
        for _ in range(self.rng.randint(0, most)):
            await asyncio.sleep(0)


class UnsteadyWorker:
    """A worker without a process, in all its ways to answer and to end."""

    weather: Weather

    def __init__(
        self, worker_id: str, *, silence_s: float, on_gone: Callable[["UnsteadyWorker"], None], images: object
    ) -> None:
        self.worker_id, self.pid, self.ready, self.batch_count = worker_id, 1, None, 0
        self.state = WorkerState.STARTING
        self.figures = channel.Figures()
        self._on_gone = on_gone
        self._answer: asyncio.Future[channel.Done | channel.Failed] | None = None
        self._announced: channel.Announce | None = None

    async def start(self, message: object, timeout_s: float) -> None:
        await self.weather.pause()
        if self.weather.deadly and self.weather.rng.random() < 0.2:
            raise WorkerGoneError("cannot start")
        self.weather.alive.add(self)

    async def run(self, work: channel.Work) -> channel.Done | channel.Failed:
        if self.state is WorkerState.GONE:
            raise WorkerGoneError("it had ended before")
        assert self.state is WorkerState.BUSY
        assert self._answer is None
        self._answer = asyncio.get_running_loop().create_future()
        acting = asyncio.create_task(self._act(work))
        try:
            return await self._answer
        finally:
            self._answer = None
            acting.cancel()

    async def _act(self, work: channel.Work) -> None:
        await self.weather.pause(20)
        fate = self.weather.rng.random()
        worn_out = self.weather.deadly and self.weather.rng.random() < 0.25
        figures = channel.Figures(transaction_count=2_000_000 if worn_out else 1)
        if self.weather.deadly and fate < 0.12:
            index = self.weather.rng.choice((-1, 0, 1))
            self._announced = channel.Announce(work.work_id, index, b"h%d" % index) if index >= 0 else None
            self.kill("it ended" if fate < 0.06 else "silent")
        elif self._answer is not None and not self._answer.done():
            self.figures = figures
            if fate < 0.3:
                figures = msgspec.structs.replace(figures, conflict_count=2, wait_count=1, wait_ms=3)
            self._answer.set_result(channel.Done(work.work_id, list(work.requests), figures))

    async def stop(self, grace_s: float) -> None:
        if self.state is not WorkerState.GONE:
            self.state = WorkerState.DRAINING
        await self.weather.pause()
        self._die()

    def kill(self, reason: str) -> None:
        asyncio.get_running_loop().call_soon(self._die)

    def _die(self) -> None:
        if self.state is WorkerState.GONE:
            return
        self.state = WorkerState.GONE
        self.weather.alive.discard(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerGoneError("it ended", announced=self._announced))
        self._on_gone(self)

    def watch(self) -> None: ...


class World:
    """The manager's parts, put together as in `VMManager`."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.load = LoadMeter(SIZE)
        self.entrance = Entrance(queue_count=60, gather_count=5, retries=Retries(60), load=self.load)
        settings = PoolSettings(SIZE, SPARES, start_s=1, silence_s=1)
        self.pool = Pool(settings, lambda _id: None, on_free=self.entrance.pump)  # type: ignore[arg-type, return-value]
        self.entrance.connect(self.pool)
        self.answered = 0
        self._serial = 0

    def request(self) -> tuple[channel.Kind, bytes]:
        self._serial += 1
        rng = self.weather.rng
        contract = rng.choice(("token.iost", "ContractA", "ContractB", "ContractC"))
        transaction = transaction_pb2.Transaction(
            time_ns=self._serial, actions=[transaction_pb2.Action(contract=contract, action_name="a")]
        )
        kind = rng.choices(("execute", "execute_block", "call"), (8, 1, 2))[0]
        if kind == "execute":
            return kind, execution_pb.ExecuteTransactionsRequest(transactions=[transaction]).SerializeToString()
        if kind == "execute_block":
            header = block_pb2.BlockHeader(number=self._serial)
            return kind, execution_pb.ExecuteBlockRequest(header=header).SerializeToString()
        call = execution_pb.ContractCall(contract=contract, action_name=f"a{self._serial}")
        return "call", execution_pb.CallContractsRequest(calls=[call]).SerializeToString()

    async def caller(self) -> None:
        for _ in range(CALLS):
            kind, request = self.request()
            call = asyncio.create_task(self.entrance.submit(kind, request))
            await self.weather.pause(10)
            if self.weather.rng.random() < 0.15:
                call.cancel()
            try:
                assert await call == request, "everybody gets his own answer"
            except (ServiceError, asyncio.CancelledError):
                pass
            self.answered += 1

    async def resizing(self) -> None:
        while self.weather.deadly:
            await self.weather.pause(40)
            await asyncio.sleep(0)
            self.pool.resize(self.weather.rng.randint(1, SIZE))


async def storm(seed: int) -> None:
    weather = UnsteadyWorker.weather = Weather(seed)
    world = World(weather)
    await world.pool.open()
    resizing = asyncio.create_task(world.resizing())
    callers = [asyncio.create_task(world.caller()) for _ in range(CALLERS)]
    async with asyncio.timeout(20):
        await asyncio.gather(*callers[1:])
        draining = asyncio.create_task(world.entrance.drain())
        await asyncio.gather(callers[0], draining)
    resizing.cancel()
    assert world.answered == CALLERS * CALLS
    await check_rest(world)
    await world.pool.close()
    await asyncio.sleep(0.01)
    assert not weather.alive


async def check_rest(world: World) -> None:
    """Nothing runs, waits or is counted any more, and the pool is at its size."""
    entrance, pool, load = world.entrance, world.pool, world.load
    pool.resize(SIZE)
    await until(lambda: pool.free_count == SIZE and len(pool._spares) == SPARES)
    await until(lambda: len(pool.workers()) == SIZE + SPARES)
    assert (entrance.queued, load._running, len(entrance._tasks)) == (0, 0, 0)
    assert all(not lane.jobs and not lane.running for lane in entrance._lanes)
    assert not pool._leased
    assert not pool._waiting
    assert pool._starting == 0


@pytest.mark.timeout(60, method="signal")
@pytest.mark.parametrize("first", range(0, 20, 5))
async def test_every_caller_is_answered_and_nothing_is_left(first: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(pool_module, "WorkerProcess", UnsteadyWorker)
    monkeypatch.setattr(pool_module, "FIRST_BACK_OFF_S", 0.0005)
    monkeypatch.setattr(pool_module, "LAST_BACK_OFF_S", 0.001)
    for seed in range(first, first + 5):
        await storm(seed)
