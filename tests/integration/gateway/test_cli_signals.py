"""Ctrl-C and closed pipes: the command ends at once, with its exit code and nothing on the screen."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Account, Client, KeyPair, key_files
from iost.gateway.v1.inspection_service_pb2 import EventCursor
from tests.support.waiting import until

Start = Callable[..., Awaitable[Process]]

INTERRUPTED_WHILE_LOADING = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "gateway.cli.main":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from gateway.cli.start import main
main()
"""


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts `v8vm` in a process of its own, which is stopped when the test ends."""
    processes: list[Process] = []

    async def run(*arguments: object, python: tuple[str, ...] = ("-m", "gateway.cli.start")) -> Process:
        command = (sys.executable, *python, *map(str, arguments))
        processes.append(await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE))
        return processes[-1]

    yield run
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ended(process: Process) -> tuple[int | None, bytes, bytes]:
    """How a process ended: exit code, standard output since the last read, standard error."""
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, out, err


@pytest.mark.parametrize("posted", [False, True])
async def test_ctrl_c_ends_events_without_a_word(world, start: Start, posted: bool) -> None:
    process = await start("events", "--since", 0, "-g", world.address)
    await until(lambda: world.state.streams == 1, timeout_s=30)
    if posted:
        world.state.post("first")
        assert b"first" in await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert await ended(process) == (130, b"", b"")


async def test_an_interrupt_between_asking_and_waiting_ends_an_iterator(world, monkeypatch: pytest.MonkeyPatch) -> None:
    real = asyncio.run_coroutine_threadsafe

    def interrupted(work: Any, loop: asyncio.AbstractEventLoop) -> Any:
        monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", real)
        real(work, loop)
        raise KeyboardInterrupt

    def follow() -> None:
        with Client(world.address) as client:
            items = client.events(cursor=EventCursor())
            next(items)
            monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
            with pytest.raises(KeyboardInterrupt):
                next(items)

    world.state.post("first")
    await asyncio.wait_for(asyncio.to_thread(follow), 10)


async def test_ctrl_c_ends_a_call_that_waits_for_its_answer(world, start: Start, tmp_path: Path) -> None:
    key = tmp_path / "slow.json"
    key_files.save(key, Account("slow", KeyPair.generate()))
    process = await start("call", "c", "m", "-k", key, "-g", world.address)
    await until(lambda: ["slow"] in world.vm.batches, timeout_s=30)
    process.send_signal(signal.SIGINT)
    assert await ended(process) == (130, b"", b"")


async def test_ctrl_c_while_modules_are_loaded_is_quiet(start: Start) -> None:
    process = await start("events", python=("-c", INTERRUPTED_WHILE_LOADING))
    assert await ended(process) == (-signal.SIGINT, b"", b"")


@pytest.mark.parametrize("as_json", [(), ("--json",)])
async def test_a_reader_that_ends_first_ends_the_command(world, start: Start, as_json: tuple[str, ...]) -> None:
    process = await start("events", "--since", 0, "-g", world.address, *as_json)
    world.state.post("first")
    assert b"first" in await process.stdout.readline()
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    world.state.post("second")
    async with asyncio.timeout(30):
        assert (await process.stderr.read(), await process.wait()) == (b"", 141)
