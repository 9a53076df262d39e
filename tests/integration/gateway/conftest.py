"""The gateway under test."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.config import GatewayConfig
from tests.support.gateway_world import World


@pytest.fixture
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Parametrise indirectly with settings of the gateway to differ from the defaults."""
    started = World(GatewayConfig(**getattr(request, "param", {})))
    await started.start()
    yield started
    async with asyncio.timeout(10):
        await started.stop()
