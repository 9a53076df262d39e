"""Processes that die: no transaction is lost, none takes effect twice, and the node recovers by itself."""

import asyncio
import itertools
import os
import signal
import time

import pytest

from chassis.errors import RemoteError
from gateway.client import AsyncClient, EventFilter, action, signed
from gateway.client.calls import check
from gateway.demo.processes import Service
from iost.gateway.v1.inspection_service_pb2 import EventCursor
from tests.support.node import Node

pytestmark = pytest.mark.timeout(180)

CALLERS = 16
KILLS = 3
BETWEEN_KILLS_S = 1.5
"""Long enough for a lost batch to be run again: one that loses two workers is answered as crashed, and rightly so."""


async def load(node: Node, contract: str, stop: asyncio.Event) -> int:
    """Sends single transactions by concurrent callers; every one must succeed. Returns the sum of what was added."""
    numbers = itertools.count(1)
    sent: list[int] = []
    async with AsyncClient(node.gateway.address) as client:

        async def caller(name: str) -> None:
            while not stop.is_set():
                number = next(numbers)
                response = await client.execute([signed(node.accounts[name], action(contract, "add", number))])
                check(response.outcomes[0])
                sent.append(number)

        names = ("alice", "bobby", "carol", "david")
        await asyncio.gather(*(caller(names[i % len(names)]) for i in range(CALLERS)))
    return sum(sent)


def busy_worker(node: Node) -> int:
    """Process id of the worker that has executed most; workers that start have none yet."""
    workers = [worker for worker in node.client.workers().workers if worker.pid > 1]
    return max(workers, key=lambda worker: worker.transaction_count).pid


def count(node: Node, contract: str) -> int:
    return int(node.client.state([f"b-{contract}-count"])[0].value.text)


def wait_until(condition, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


async def test_killing_workers_under_load_loses_nothing(own_node: Node) -> None:
    contract = await asyncio.to_thread(own_node.publish, "counter")
    stop = asyncio.Event()
    loading = asyncio.create_task(load(own_node, contract, stop))
    for _ in range(KILLS):
        await asyncio.sleep(BETWEEN_KILLS_S)
        os.kill(await asyncio.to_thread(busy_worker, own_node), signal.SIGKILL)
    await asyncio.sleep(BETWEEN_KILLS_S)
    stop.set()
    added = await loading
    assert added > 0
    assert await asyncio.to_thread(count, own_node, contract) == added
    assert (await asyncio.to_thread(own_node.client.workers)).restart_count >= KILLS
    own_node.services.check_running()


def test_a_killed_state_service_comes_back_with_everything(own_node: Node) -> None:
    contract = own_node.publish("counter")
    own_node.client.send(own_node.accounts["alice"], action(contract, "add", 5))
    head = own_node.client.head()
    pid = own_node.services.pids["state"]
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RemoteError) as raised:
        own_node.client.head(timeout_s=2)
    assert raised.value.code.name in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
    revived = Service(own_node.state, own_node.folder / "logs")
    try:
        revived.wait_ready()
        wait_until(lambda: answers(own_node))
        assert own_node.client.head().version == head.version
        assert own_node.client.head().commitment == head.commitment
        assert count(own_node, contract) == 5
        own_node.client.send(own_node.accounts["alice"], action(contract, "add", 2))
        assert count(own_node, contract) == 7
        everything = list(own_node.client.events(EventFilter(contract=contract, until_head=True), cursor=EventCursor()))
        assert len(everything) == 2
    finally:
        revived.stop()


def answers(node: Node) -> bool:
    try:
        return node.client.head(timeout_s=2).version > 0
    except RemoteError:
        return False


def test_restarting_the_gateway_does_not_end_an_event_stream(own_node: Node) -> None:
    contract = own_node.publish("counter")
    stream = own_node.client.events(EventFilter(contract=contract), cursor=EventCursor())
    alice = own_node.accounts["alice"]
    own_node.client.send(alice, action(contract, "add", 1))
    assert "1" in next(stream).event.data
    pid = own_node.services.pids["gateway"]
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not own_node.services.alive("gateway"))
    revived = Service(own_node.gateway, own_node.folder / "logs")
    try:
        revived.wait_ready()
        wait_until(lambda: answers(own_node))
        own_node.client.send(alice, action(contract, "add", 1))
        assert "2" in next(stream).event.data
    finally:
        stream.close()
        revived.stop()
