"""Streams of the gateway: none is left to outlive the drain."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.config import GatewayConfig
from gateway.errors import DrainingError
from gateway.server import Gateway


async def test_a_stream_that_comes_once_the_gateway_stops_is_refused() -> None:
    gateway = Gateway(GatewayConfig())

    async def endless(_request: Any, _context: Any) -> AsyncIterator[bytes]:
        while True:
            yield b""

    gateway._draining = True
    with pytest.raises(DrainingError):
        await anext(gateway._stream("StreamEvents", endless)(b"", None))
    assert gateway._streams._count == 0
