"""TCP links between services whose traffic can be held in each direction, and whose connections can be cut."""

import asyncio
import contextlib


class Link:
    """A listener that passes bytes on to one address."""

    def __init__(self, port: int, upstream: int) -> None:
        self.port = port
        self._upstream = upstream
        self._held: set[str] = set()
        self._changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begins to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def hold(self, *ways: str) -> None:
        """Holds what goes `up` or `down` from now on; without arguments, releases both."""
        self._held = set(ways)
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self) -> None:
        """Breaks all connections at once."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        """Stops listening and breaks what is connected."""
        self.hold()
        self.cut()
        if self._server is not None:
            self._server.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                while way in self._held:
                    await self._changed.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(
                self._pump(reader, far_writer, "up"), self._pump(far_reader, writer, "down"), return_exceptions=True
            )
        finally:
            self._writers -= {writer, far_writer}
