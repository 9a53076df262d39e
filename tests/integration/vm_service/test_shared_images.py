"""Images that a service keeps for its workers: made by a process that runs no contract, handed over by the manager."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from tests.support.growing_sources import source
from tests.support.waiting import until
from vm_service.build import build_id
from vm_service.compiler.pipeline import CompileResult, image_key
from vm_service.config import VmConfig
from vm_service.manager import images as images_module
from vm_service.manager.images import ImageKeeper
from vm_service.model import Limits, Need
from vm_service.worker import channel
from vm_service.worker.compile_stage import CompileStage
from vm_service.worker.shared_images import LEAST_CHARS, SharedImages

SOURCE = source("members written", 4_000)
OTHER = source("statements", 4_000)
BUILD = build_id(())
WAIT_S = 20.0


def wanted(text: str, build: str = BUILD) -> channel.Wanted:
    return channel.Wanted(image_key(text), build)


@asynccontextmanager
async def keeping(**settings: object) -> AsyncIterator[ImageKeeper]:
    keeper = ImageKeeper(VmConfig(**settings))  # type: ignore[arg-type]
    task = asyncio.get_running_loop().create_task(keeper.run())
    try:
        yield keeper
    finally:
        task.cancel()
        await keeper.close()


async def built(keeper: ImageKeeper, text: str) -> channel.Image:
    keeper.offer(text)
    await until(lambda: image_key(text) not in keeper._waiting, WAIT_S)
    return keeper.find(wanted(text))


@pytest.fixture(scope="module")
def compiled() -> CompileResult:
    stage = CompileStage(Limits())
    result = stage.compile(Need("", SOURCE))
    stage.close()
    return result


async def test_the_kept_image_is_that_of_the_source(compiled: CompileResult) -> None:
    async with keeping() as keeper:
        before = keeper.find(wanted(SOURCE))
        image = await built(keeper, SOURCE)

        assert before == channel.Image(compiled.key)
        assert image == channel.Image(compiled.key, compiled.image, compiled.meta, compiled.code_bytes)
        assert keeper.find(wanted(SOURCE, "another build")).image == ""
        assert keeper.find(wanted(OTHER)).image == ""


async def test_a_builder_that_ends_is_replaced() -> None:
    async with keeping() as keeper:
        await built(keeper, SOURCE)
        assert keeper._builder is not None
        keeper._builder.kill()

        assert (await built(keeper, OTHER)).image == ""
        assert (await built(keeper, source("calls", 4_000))).image != ""
        assert keeper.find(wanted(SOURCE)).image != ""


async def test_sources_without_an_image_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with keeping() as keeper:
        assert (await built(keeper, "class {" + " " * LEAST_CHARS)).image == ""
        monkeypatch.setattr(keeper, "_build", lambda _text: pytest.fail("compiled again"))
        assert (await built(keeper, "class {" + " " * LEAST_CHARS)).image == ""


async def test_room_and_queue_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with keeping() as keeper:
        await built(keeper, SOURCE)
        keeper._room = len(keeper.find(wanted(SOURCE)).image) + 10
        await built(keeper, OTHER)
        assert [keeper.find(wanted(text)).image == "" for text in (SOURCE, OTHER)] == [True, False]

        monkeypatch.setattr(images_module, "QUEUE_COUNT", 2)
        for number in range(5):
            keeper.offer(f"//{number}")
        keeper.offer("x" * (images_module.MAX_SOURCE_CHARS + 1))
        assert len(keeper._waiting) == 2


@contextmanager
def answering(answer: channel.Image | channel.Stop, asked: list[object]) -> Iterator[SharedImages]:
    """Gives a worker's side whose manager gives one answer."""
    ours, theirs = socket.socketpair()

    def manage() -> None:
        header = theirs.recv(channel.LENGTH_BYTES, socket.MSG_WAITALL)
        body = theirs.recv(int.from_bytes(header, "little"), socket.MSG_WAITALL)
        asked.append(channel.decode_for_manager(body))
        theirs.sendall(channel.encode(answer))

    with ours, theirs:
        thread = threading.Thread(target=manage)
        thread.start()
        yield SharedImages(channel.WorkerChannel(ours), BUILD)
        thread.join()


def test_a_worker_takes_the_image_instead_of_compiling(compiled: CompileResult) -> None:
    asked: list[object] = []
    given = channel.Image(compiled.key, compiled.image, compiled.meta, compiled.code_bytes)
    with answering(given, asked) as shared:
        stage = CompileStage(Limits(), shared)
        result = stage.compile(Need("", SOURCE))

    assert (result.key, result.image, result.code_bytes) == (compiled.key, compiled.image, compiled.code_bytes)
    assert json.loads(result.meta) == json.loads(compiled.meta)
    assert asked == [wanted(SOURCE)]
    assert stage._compiler is None


@pytest.mark.parametrize("answer", [channel.Image(image_key(SOURCE)), channel.Image("other", "(function () {})")])
def test_a_worker_compiles_when_it_is_given_nothing_or_another_image(answer: channel.Image) -> None:
    with answering(answer, []) as shared:
        assert shared.find(image_key(SOURCE), SOURCE) is None


class Counting:
    """Counts what a stage shares."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.offered: list[str] = []

    def find(self, key: str, _source: str) -> None:
        self.asked.append(key)

    def offer(self, text: str) -> None:
        self.offered.append(text)


def test_publishing_is_always_compiled_and_refusals_are_not_shared() -> None:
    shared = Counting()
    stage = CompileStage(Limits(), shared)
    stage.compile(Need("", SOURCE, '{"abi": []}', validate=True))
    stage.compile(Need("", "class {", validate=False))
    stage.compile(Need("", OTHER, raw=True))
    stage.close()

    assert shared.asked == [image_key("class {")]
    assert shared.offered == [SOURCE]
