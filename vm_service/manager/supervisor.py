"""One worker process as the manager sees it: spawned, spoken to, watched, ended.

The process is spawned, never forked from a process that touched V8 or gRPC, and inherits one end of a socket pair and
stderr, nothing else. It is watched from outside: whoever says nothing for too long, or reports a transaction that
outlived its time and grace, is killed; nothing inside the worker has to cooperate.
"""

import asyncio
import enum
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from vm_service.worker import channel

BEAT_SECONDS = 0.2
"""How often a busy worker reports."""

ENVIRONMENT = {"LANG": "C.UTF-8", "TZ": "UTC", "MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
"""All that a worker finds in its environment. The last makes glibc give large buffers back when they are freed: else a
few batches of some MB each use up what a confined process may grow by."""

PING_SECONDS = 5.0
"""How often an idle worker is asked whether it is alive."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class WorkerState(enum.Enum):
    """What a worker does."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    GONE = "gone"


class WorkerGoneError(Exception):
    """The worker ended while it ran a batch.

    Attributes:
        cause: how it ended, for people.
        announced: the item that it last announced, if any.
        stopped: its own report, when it was the one to stop a transaction.
        too_slow: it was killed because an item outlived its time.
        detached: it left because it lost the state service.
        commit_id: the id under which it may have committed the batch; empty: it did not come so far.
    """

    def __init__(
        self,
        cause: str,
        *,
        announced: channel.Announce | None = None,
        stopped: channel.Stopped | None = None,
        too_slow: bool = False,
        detached: bool = False,
        commit_id: bytes = b"",
    ) -> None:
        """Creates the error."""
        super().__init__(cause)
        self.cause = cause
        self.announced = announced
        self.stopped = stopped
        self.too_slow = too_slow
        self.detached = detached
        self.commit_id = commit_id


class Images(Protocol):
    """Images for workers that ask."""

    def find(self, wanted: channel.Wanted) -> channel.Image:
        """Returns the image of a source, or an empty one."""
        ...

    def offer(self, source: str) -> None:
        """A worker has compiled a source."""
        ...


class _Wire(asyncio.Protocol):
    """Cuts the stream of a worker into messages."""

    def __init__(self, on_message: Callable[[channel.ToManager], None], on_end: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_end = on_end
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= channel.LENGTH_BYTES:
            body = at + channel.LENGTH_BYTES
            end = body + int.from_bytes(buffer[at:body], "little")
            if len(buffer) < end:
                break
            self._on_message(channel.decode_for_manager(bytes(buffer[body:end])))
            at = end
        del buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()


class WorkerProcess:
    """A worker process and the one conversation with it.

    Attributes:
        worker_id: unique within the life of the service.
        state: what it does.
        figures: what it last told about itself.
        batch_count: batches it finished.
        ready_at: monotonic seconds at which it became ready.
    """

    def __init__(
        self,
        worker_id: str,
        *,
        silence_s: float,
        on_gone: Callable[["WorkerProcess"], None],
        images: Images | None = None,
    ) -> None:
        """Prepares; `start` spawns.

        Args:
            worker_id: its name in logs and inspection.
            silence_s: a busy worker that says nothing for so long is killed.
            on_gone: called once when the process has ended.
            images: what it may ask for.
        """
        self.worker_id = worker_id
        self.state = WorkerState.STARTING
        self.figures = channel.Figures()
        self.batch_count = 0
        self.ready_at = 0.0
        self.ready: channel.Ready | None = None
        self._silence_s = silence_s
        self._on_gone = on_gone
        self._images = images
        self._heard_at = 0.0
        self._kill_reason = ""
        self._too_slow = False
        self._announced: channel.Announce | None = None
        self._commit_id = b""
        self._exited = asyncio.Event()
        self._answer: asyncio.Future[channel.Done | channel.Failed | channel.Stopped] | None = None
        self._became_ready: asyncio.Future[None] | None = None
        self._connected = False

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self, message: channel.Start, timeout_s: float) -> None:
        """Spawns the process and waits until it takes work.

        Raises:
            WorkerGoneError: it ended, or took longer than `timeout_s`.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._became_ready = loop.create_future()
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - vfork: 1 ms, and no fork handler of gRPC runs
                [sys.executable, "-I", "-m", "vm_service.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=ENVIRONMENT,
            )
        finally:
            theirs.close()
        self._watch_exit(loop)
        self._transport, _ = await loop.create_connection(lambda: _Wire(self._on_message, self._on_end), sock=ours)
        self._send(message)
        try:
            async with asyncio.timeout(timeout_s):
                await self._became_ready
        except TimeoutError:
            self.kill(f"not ready after {timeout_s:.1f} s" + ("" if self._connected else ", without a state service"))
            raise WorkerGoneError(self._kill_reason, detached=not self._connected) from None

    def _watch_exit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Notices the end of the process through a descriptor of it."""
        descriptor = os.pidfd_open(self._process.pid)

        def on_exit() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._process.poll()
            self._exited.set()

        loop.add_reader(descriptor, on_exit)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def uptime_ms(self) -> int:
        """Milliseconds since it became ready; 0 before."""
        return int((time.monotonic() - self.ready_at) * 1000) if self.ready_at else 0

    def kill(self, reason: str) -> None:
        """Ends the process at once (SIGKILL); harmless when it is gone."""
        if self.state is WorkerState.GONE:
            return
        self._kill_reason = self._kill_reason or reason
        self._process.kill()  # harmless when it ended by itself a moment ago

    async def stop(self, grace_s: float) -> None:
        """Asks the process to leave and kills it when it does not within the grace. REQUIRES: no batch runs."""
        if self.state is not WorkerState.GONE:
            self.state = WorkerState.DRAINING
            self._send(channel.Stop())
        try:
            async with asyncio.timeout(grace_s):
                await self._exited.wait()
        except TimeoutError:
            self.kill("did not leave when asked")
            await self._exited.wait()

    def _on_end(self) -> None:
        if self.state is WorkerState.GONE:
            return
        self.state = WorkerState.GONE
        self._ending = asyncio.get_running_loop().create_task(self._finish())

    async def _finish(self) -> None:
        """Waits for the exit code, then tells whoever waits."""
        try:
            async with asyncio.timeout(1):
                await self._exited.wait()
        except TimeoutError:
            self._process.kill()  # it closed its channel and stays: nothing more can be expected of it
            await self._exited.wait()
        cause = self._kill_reason or _describe(self._process.returncode)
        detached = self._process.returncode == channel.EXIT_DETACHED
        error = WorkerGoneError(
            cause,
            announced=self._announced,
            too_slow=self._too_slow,
            detached=detached,
            commit_id=self._commit_id,
        )
        for future in (self._answer, self._became_ready):
            if future is not None and not future.done():
                future.set_exception(error)
        self._transport.close()
        self._on_gone(self)

    def _send(self, message: channel.ToWorker) -> None:
        if not self._transport.is_closing():  # else its end is about to be noticed
            self._transport.write(channel.encode(message))

    # -- work ----------------------------------------------------------------------------------------------------

    async def run(self, work: channel.Work) -> channel.Done | channel.Failed:
        """Runs a batch. REQUIRES: state BUSY, no other batch runs.

        Raises:
            WorkerGoneError: the worker ended, or reports that it stopped a transaction and leaves.
        """
        if self.state is WorkerState.GONE or self._transport.is_closing():
            raise WorkerGoneError(self._kill_reason or "it had ended before")
        self._announced, self._commit_id = None, b""
        self._heard_at = time.monotonic()
        self._answer = asyncio.get_running_loop().create_future()
        self._send(work)
        try:
            answer = await self._answer
        finally:
            self._answer = None
        if isinstance(answer, channel.Stopped):
            raise WorkerGoneError(answer.measured, stopped=answer, commit_id=self._commit_id)
        self.batch_count += 1
        self.figures = answer.figures
        return answer

    def _on_message(self, message: channel.ToManager) -> None:
        self._heard_at = time.monotonic()
        match message:
            case channel.Done() | channel.Failed() | channel.Stopped():
                _settle(self._answer, message)
            case channel.Announce():
                self._announced = message
            case channel.Committing():
                self._commit_id = message.commit_id
            case channel.Beat():
                if message.running_ms > self._silence_s * 1000:
                    self._too_slow = True
                    self.kill(f"a transaction ran for {message.running_ms} ms and could not be stopped")
            case channel.Connected():
                self._connected = True
            case channel.Ready():
                self.ready, self.ready_at = message, time.monotonic()
                self.figures = message.figures
                _settle(self._became_ready, None)
            case channel.Wanted() | channel.Compiled():
                self._share(message)
            case channel.Pong():
                pass  # being heard is the answer

    def _share(self, message: channel.Wanted | channel.Compiled) -> None:
        if isinstance(message, channel.Wanted):
            self._send(channel.Image(message.key) if self._images is None else self._images.find(message))
        elif self._images is not None:
            self._images.offer(message.source)

    def watch(self) -> None:
        """Kills the process when it has been silent for too long; pings it when it is idle. Called periodically."""
        silent_s = time.monotonic() - self._heard_at
        if self._answer is not None and silent_s > self._silence_s:  # one that is only leased was not asked yet
            self._too_slow = True
            self.kill(f"silent for {silent_s * 1000:.0f} ms while busy")
        elif self.state is WorkerState.IDLE and silent_s > PING_SECONDS + self._silence_s:
            self.kill(f"silent for {silent_s * 1000:.0f} ms while idle")
        elif self.state is WorkerState.IDLE and silent_s > PING_SECONDS:
            self._send(channel.Ping())


def _settle(future: asyncio.Future[T] | None, value: T) -> None:
    """Sets a result that somebody still waits for."""
    if future is not None and not future.done():
        future.set_result(value)


def _describe(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"left with exit code {code}"


def usable_cpu_count() -> int:
    """Returns the CPUs this process may run on."""
    return len(os.sched_getaffinity(0))
