"""Faults of a running stack, as a table: name, and a coroutine that breaks and heals."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from chassis.errors import RemoteError
from gateway.client import AsyncClient
from iost.gateway.v1.inspection_service_pb2 import GetHeadResponse
from tests.fault.consistency import history as log
from tests.fault.consistency.stack import Part, Stack, send
from tests.fault.consistency.workload import Workload, block_on

Plan = Callable[[], Awaitable[None]]

CLOCK_SHIFT_MS = 20_000
"""How wrong the clock of the state service is made; below the 30 s by which transactions may lead."""


class Nemesis:
    """Breaks one thing after another."""

    def __init__(
        self, stack: Stack, workload: Workload, seed: int, *, hold_s: Sequence[float] = (1.0, 3.0, 7.0)
    ) -> None:
        """Prepares; `hold_s` are the times for which pauses and held links last."""
        self._stack = stack
        self._workload = workload
        self._chance = random.Random(seed)
        self._hold_s = hold_s

    def plans(self) -> dict[str, Plan]:
        """Returns every fault by name."""
        stack = self._stack
        state, (vm0, vm1), gateway0 = stack.state, stack.vms, stack.gateways[0]
        killed = {f"kill {part.name}": partial(self._restart, [part], signal.SIGKILL) for part in stack.parts}
        stopped = {f"stop {part.name}": partial(self._restart, [part], signal.SIGTERM) for part in stack.parts}
        return {
            **killed,
            **stopped,
            "kill both vms": partial(self._restart, stack.vms, signal.SIGKILL),
            "kill everything": partial(self._restart, stack.parts, signal.SIGKILL),
            "kill state again and again": self._kill_state_repeatedly,
            "kill workers": self._kill_workers,
            "pause state": partial(self._pause, lambda: [state.pid]),
            "pause vm0 with workers": partial(self._pause, lambda: [vm0.pid, *vm0.workers()]),
            "pause vm0 alone": partial(self._pause, lambda: [vm0.pid]),
            "pause workers": partial(self._pause, lambda: [*vm0.workers(), *vm1.workers()]),
            "pause gateway0": partial(self._pause, lambda: [gateway0.pid]),
            "link 0 loses replies": partial(self._link, 0, "down", lose=True),
            "link 1 holds replies": partial(self._link, 1, "down", lose=False),
            "link 1 loses requests": partial(self._link, 1, "up", lose=True),
            "links are cut": self._cut_links,
            "state's clock ahead": partial(self._wrong_clock, CLOCK_SHIFT_MS),
            "state's clock behind": partial(self._wrong_clock, -CLOCK_SHIFT_MS),
            "another branch becomes final": self._reorganise,
            "the head is discarded": self._discard,
            "the head is discarded again and again": self._discard_repeatedly,
        }

    async def run(self, names: Iterable[str], settle_s: float) -> None:
        """Runs faults in a random order, with a time of rest after each."""
        plans = self.plans()
        order = list(names)
        self._chance.shuffle(order)
        for name in order:
            start = time.time()
            await plans[name]()
            self._workload.seen.append(log.Fault(name, start, time.time()))
            await asyncio.sleep(settle_s)

    # -- processes and links -----------------------------------------------------------------------------------------

    async def _restart(self, parts: Sequence[Part], number: signal.Signals, *flags: str) -> None:
        for part in parts:
            await part.end(number)
        await asyncio.sleep(self._chance.choice((0.0, 0.3, 1.0)))
        for part in parts:
            await part.start(*flags)

    async def _kill_state_repeatedly(self) -> None:
        for _ in range(4):
            await self._restart([self._stack.state], signal.SIGKILL)

    async def _wrong_clock(self, shift_ms: int) -> None:
        await self._restart([self._stack.state], signal.SIGTERM, f"--clock-shift-ms={shift_ms}")
        await asyncio.sleep(self._chance.choice(self._hold_s))
        await self._restart([self._stack.state], signal.SIGTERM)

    async def _kill_workers(self) -> None:
        for _ in range(4):
            for vm in self._stack.vms:
                for pid in vm.workers():
                    if self._chance.random() < 0.7:
                        send(pid, signal.SIGKILL)
            await asyncio.sleep(self._chance.random() * 0.8)

    async def _pause(self, pids: Callable[[], list[int]]) -> None:
        paused = pids()
        for pid in paused:
            send(pid, signal.SIGSTOP)
        await asyncio.sleep(self._chance.choice(self._hold_s))
        for pid in paused:
            send(pid, signal.SIGCONT)

    async def _link(self, place: int, way: str, *, lose: bool) -> None:
        link = self._stack.links[place]
        link.hold(way)
        await asyncio.sleep(self._chance.choice(self._hold_s))
        if lose:
            link.cut()
        link.hold()

    async def _cut_links(self) -> None:
        for _ in range(5):
            self._chance.choice(self._stack.links).cut()
            await asyncio.sleep(self._chance.random() * 0.6)

    # -- branches ----------------------------------------------------------------------------------------------------

    async def _block_on_head(self, client: AsyncClient, wait_s: float = 0.0) -> tuple[GetHeadResponse, bytes]:
        """Executes an empty block on the head of a moment before; returns that head and the id of the block."""
        while True:
            parent = await _until_answered(client.head)
            request = block_on(parent, [], self._chance)
            await asyncio.sleep(wait_s)
            try:
                await _until_answered(partial(client.execute_block, request))
            except RemoteError as error:
                # The parent was folded or dropped, or its time leads the clock that was wrong before.
                if error.code.name not in ("FAILED_PRECONDITION", "NOT_FOUND"):
                    raise
                await asyncio.sleep(0.5)
                continue
            return parent, request.block_id

    async def _reorganise(self) -> None:
        """Makes a branch beside the head final: commits above the fork are void."""
        client = self._workload.clients[0]
        start = time.time()
        # While it waits, others commit on the same parent.
        parent, block_id = await self._block_on_head(client, self._chance.random() * 0.1)
        await _until_answered(partial(client.finalize_block, block_id))
        self._workload.seen.append(log.Reorganised(start, time.time(), parent.version))

    async def _discard(self) -> None:
        """Drops a block that was the head, with everything built on it meanwhile."""
        client = self._workload.clients[1]
        start = time.time()
        while True:
            parent, block_id = await self._block_on_head(client)
            await asyncio.sleep(self._chance.random() * 0.1)
            if await _discarded(client, block_id):
                break
        self._workload.seen.append(log.Reorganised(start, time.time(), parent.version))

    async def _discard_repeatedly(self) -> None:
        for _ in range(5):
            await self._discard()


async def _until_answered(call: Callable[[], Awaitable[log.E]]) -> log.E:
    """Repeats a call until the service answers it; refusals are raised."""
    while True:
        try:
            return await call()
        except RemoteError as error:
            if not error.retryable and error.code.name not in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
                raise
            await asyncio.sleep(0.1)


async def _discarded(client: AsyncClient, block_id: bytes) -> bool:
    try:
        await _until_answered(partial(client.discard_block, block_id))
    except RemoteError as error:
        if error.reason != "FINALITY_VIOLATED":  # linear commits on top of it made it final
            raise
        return False
    return True
