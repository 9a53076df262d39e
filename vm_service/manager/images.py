"""Images that the service has compiled, for workers that need them later.

    worker: compiled a source -> image builder (a process that runs no contract) -> kept here -> a worker that asks

A worker runs contracts, so no image of a worker is handed to another one: a worker gives the text of the source, and
the builder compiles it. Images are named by the hash of their source and by the build id, are kept in memory only, and
reach a worker over its own channel. Nothing here is needed to execute anything.
"""

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading
from collections import OrderedDict

import msgspec

from vm_service import metrics
from vm_service.compiler.pipeline import image_key
from vm_service.config import VmConfig
from vm_service.worker import channel
from vm_service.worker.image_builder import Built, Hello, Source

QUEUE_COUNT = 64
"""Sources that wait for the builder; more are not shared, and offered again when a worker compiles them again."""

MAX_SOURCE_CHARS = 1 << 18
"""Largest source that is shared, four times the largest that may be published."""

MAX_REFUSED = 4096
"""Keys of sources remembered that have no image or stopped the builder; then all are forgotten."""

log = logging.getLogger(__name__)


class ImageKeeper:
    """Keeps images by the hash of their source, the most recently used ones."""

    def __init__(self, config: VmConfig) -> None:
        """Prepares; the builder is started for the first source."""
        self._room = config.image_bytes
        self._command = [
            *(sys.executable, "-I", "-m", "vm_service.worker.image_builder"),
            *("confined" if config.confined else "free", *config.v8_flags),
        ]
        self._images: OrderedDict[str, Built] = OrderedDict()
        self._size = 0
        self._build_id = ""
        self._waiting: OrderedDict[str, str] = OrderedDict()
        self._refused: set[str] = set()
        self._wake = asyncio.Event()
        self._builder: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()  # held by the thread that speaks with the builder
        self._closed = False

    def find(self, wanted: channel.Wanted) -> channel.Image:
        """Returns the image of a source; empty when it is not kept, or is of another build."""
        found = self._images.get(wanted.key) if wanted.build_id == self._build_id else None
        metrics.SHARED_IMAGES.labels("missing" if found is None else "found").inc()
        if found is None:
            return channel.Image(wanted.key)
        self._images.move_to_end(wanted.key)
        return channel.Image(found.key, found.image, found.meta, found.code_bytes)

    def offer(self, source: str) -> None:
        """A worker has compiled a source: it is compiled once more in the background, unless that was done."""
        key = image_key(source)
        known = key in self._images or key in self._waiting or key in self._refused
        if not known and len(self._waiting) < QUEUE_COUNT and len(source) <= MAX_SOURCE_CHARS:
            self._waiting[key] = source
            self._wake.set()

    async def run(self) -> None:
        """Has sources compiled for as long as the service runs."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                key, source = next(iter(self._waiting.items()))
                built = await loop.run_in_executor(None, self._build, source)
                del self._waiting[key]
                self._keep(key, built)

    def _keep(self, key: str, built: Built | None) -> None:
        if built is None or built.key != key or not built.image:
            if len(self._refused) >= MAX_REFUSED:
                self._refused.clear()
            self._refused.add(key)
            return
        self._images[key] = built
        self._size += len(built.image)
        while self._size > self._room:
            _, gone = self._images.popitem(last=False)
            self._size -= len(gone.image)

    def _build(self, source: str) -> Built | None:
        """Compiles a source in the builder, started if need be; None: it left. Runs in a thread, since it waits."""
        with self._lock:
            return None if self._closed else self._ask_builder(source)

    def _ask_builder(self, source: str) -> Built | None:
        try:
            builder = self._running()
            assert builder.stdin is not None
            assert builder.stdout is not None
            builder.stdin.write(msgspec.json.encode(Source(source)) + b"\n")
            builder.stdin.flush()
            return msgspec.json.decode(builder.stdout.readline(), type=Built)
        except (OSError, msgspec.DecodeError) as error:
            if not self._closed:
                log.warning("image_builder_left", extra={"cause": str(error)})
            self._end_builder()
            return None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._builder is None:
            self._builder = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"LANG": "C.UTF-8", "TZ": "UTC"},
            )
            assert self._builder.stdout is not None
            self._build_id = msgspec.json.decode(self._builder.stdout.readline(), type=Hello).build_id
        return self._builder

    def _end_builder(self) -> None:
        builder, self._builder = self._builder, None
        if builder is not None:
            builder.kill()
            with contextlib.suppress(OSError, ValueError):  # its pipes are broken, or were closed
                builder.communicate()

    async def close(self) -> None:
        """Ends the builder."""
        self._closed = True
        if (builder := self._builder) is not None:  # read once: its thread clears it
            builder.kill()
        await asyncio.get_running_loop().run_in_executor(None, self._finish)

    def _finish(self) -> None:
        with self._lock:
            self._end_builder()
