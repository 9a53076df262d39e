"""Reading the state service for inspection: cells by stored key and by prefix, at one version or block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.peers import Peer
from iost.state.v1 import state_service_pb2 as pb
from iost.state.v1.state_service_pb2_grpc import StateServiceStub


@dataclass(frozen=True, slots=True)
class Page:
    """A page of entries.

    Attributes:
        entries: in key order.
        next_page_token: empty at the end.
        version: what was read.
    """

    entries: Sequence[pb.Entry]
    next_page_token: str
    version: int


class Viewing(Protocol):
    """A request that names the state to read: the block id wins over the version, the version over the newest."""

    version: int
    block_id: bytes


def view_of(request: Viewing) -> pb.View:
    """Returns the state that a request names."""
    return pb.View(version=request.version, block_id=request.block_id)


class StateReader:
    """Reads cells. Errors of the state service are raised as they come and reach the caller unchanged."""

    def __init__(self, state: Peer) -> None:
        self._stub = StateServiceStub(state.channel)

    async def get(
        self, keys: Sequence[bytes], view: pb.View, *, timeout_s: float | None = None
    ) -> tuple[Sequence[pb.Entry], int]:
        """Reads cells, all from one version.

        Args:
            keys: stored keys.
            view: the state to read.
            timeout_s: deadline in seconds.

        Returns:
            One entry for each key, in order, and the version that was read.
        """
        request = pb.BatchGetRequest(view=view, keys=keys)
        response = await self._stub.BatchGet(request, timeout=timeout_s)
        return response.entries, response.version

    async def scan(
        self,
        prefix: bytes,
        view: pb.View,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
    ) -> Page:
        """Reads a page of the cells below a stored prefix."""
        request = pb.ScanRequest(view=view, prefix=prefix, page_size=page_size, page_token=page_token)
        response = await self._stub.Scan(request, timeout=timeout_s)
        return Page(response.entries, response.next_page_token, response.version)
