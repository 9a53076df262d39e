"""Routing: which VM service takes a call.

VM services keep contracts hot, so calls of one contract should meet the same one. Rendezvous hashing gives each
contract an order of preference over the addresses, which changes little when addresses come and go; a service that is
busier than a quarter above the average is passed over ("bounded load"), so that one popular contract uses them all.
With one address all of this costs nothing.
"""

import asyncio
import contextlib
import hashlib
import logging
import math
import socket
from collections.abc import Callable, Iterable
from typing import cast

import grpc.aio

from gateway.errors import NoEndpointError
from gateway.gathering import Gatherer
from gateway.metrics import ENDPOINTS
from gateway.peers import Peer

log = logging.getLogger(__name__)

LOAD_FACTOR = 1.25
"""How far above the average load the preferred service may be. Below 1.1 affinity is lost, above 2 a hot spot stays."""

CLOSE_GRACE_S = 30.0
"""Seconds for calls in progress when an address disappears: the default deadline of a call."""

EXECUTE = "/iost.vm.v1.ExecutionService/ExecuteTransactions"


class VmEndpoint(Peer):
    """One VM service, with the gatherer of single transactions that go to it."""

    UNREACHABLE = "VM_SERVICE_UNREACHABLE"

    def __init__(self, address: str, max_message_bytes: int, *, gather_count: int, gather_in_flight: int) -> None:
        super().__init__(address, max_message_bytes)
        self.gatherer = Gatherer(
            lambda raw, timeout_s: self.call(EXECUTE, raw, timeout_s),
            max_count=gather_count,
            max_in_flight=gather_in_flight,
        )

    async def call(self, method: str, raw: bytes, timeout_s: float | None) -> bytes:
        """As `Peer.call`; a call that its address outlives not, begun or waiting, may be made again elsewhere.

        Raises:
            grpc.aio.AioRpcError: whatever the service answered.
            NoEndpointError: the channel is closed, since its address is gone.
        """
        try:
            return await super().call(method, raw, timeout_s)
        except grpc.aio.UsageError as error:
            raise NoEndpointError("the VM service went away") from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise NoEndpointError("the VM service went away") from None


def preference(key: bytes, addresses: Iterable[str]) -> list[str]:
    """Orders addresses by preference for a key: the same on every gateway, and stable when others come and go."""
    return sorted(
        addresses, key=lambda address: hashlib.blake2b(address.encode(), key=key[:64], digest_size=8).digest()
    )


def choose(key: bytes, loads: dict[str, int]) -> str:
    """Chooses the address for a key: the most preferred whose load is within the bound.

    Args:
        key: what calls are kept together by.
        loads: calls in progress by address; not empty.
    """
    bound = math.ceil(LOAD_FACTOR * (sum(loads.values()) + 1) / len(loads))
    # Some address is always below: the least loaded one is at most average.
    return next(address for address in preference(key, loads) if loads[address] < bound)


class VmPool:
    """The VM services behind some names, which are looked up again and again. REQUIRES: used from one event loop."""

    def __init__(self, addresses: str, make: Callable[[str], VmEndpoint], resolve_ms: int) -> None:
        """Sets the names.

        Args:
            addresses: `host:port`, or several separated by commas; each host may have several addresses.
            make: opens an endpoint for one address.
            resolve_ms: time between look-ups.
        """
        self._names = tuple(tuple(name.strip().rpartition(":")[::2]) for name in addresses.split(","))
        self._make = make
        self._resolve_s = resolve_ms / 1000
        self._endpoints: dict[str, VmEndpoint] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._resolver: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Looks the name up and keeps doing so."""
        await self._refresh()
        self._resolver = asyncio.create_task(self._keep_resolving(), name="resolve VM services")

    async def close(self) -> None:
        """Closes all connections."""
        if self._resolver is not None:
            self._resolver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._resolver
        for task in self._closing:
            task.cancel()  # nobody waits any longer for what is in progress there
        await asyncio.gather(*self._closing, return_exceptions=True)
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()))
        self._endpoints.clear()

    @property
    def up(self) -> bool:
        """Whether at least one VM service says that it serves."""
        return any(endpoint.up for endpoint in self._endpoints.values())

    @property
    def refusal(self) -> str | None:
        """Why no VM service accepts transactions; None while one does."""
        refusals = [
            endpoint.refusal or (None if endpoint.up else VmEndpoint.UNREACHABLE)
            for endpoint in self._endpoints.values()
        ]
        return None if None in refusals else next(iter(refusals), NoEndpointError.reason)

    def known(self) -> list[VmEndpoint]:
        """Returns all VM services, by address."""
        return [self._endpoints[address] for address in sorted(self._endpoints)]

    def all(self) -> list[VmEndpoint]:
        """Returns the VM services that serve; all known ones when none does."""
        serving = [endpoint for endpoint in self._endpoints.values() if endpoint.up]
        return serving or list(self._endpoints.values())

    def pick(self, key: Callable[[], bytes]) -> VmEndpoint:
        """Chooses the VM service for a call.

        Args:
            key: computes the contract that the call is about; only asked when there is a choice.

        Raises:
            NoEndpointError: no address is known.
        """
        candidates = self.all()
        if not candidates:
            raise NoEndpointError("no VM service is known; check the gateway's setting vm_address")
        if len(candidates) == 1:
            return candidates[0]
        return self._endpoints[choose(key(), {endpoint.address: endpoint.in_flight for endpoint in candidates})]

    async def _keep_resolving(self) -> None:
        while True:
            await asyncio.sleep(self._resolve_s)
            await self._refresh()

    async def _refresh(self) -> None:
        addresses: set[str] = set()
        for host, port in self._names:
            try:
                addresses |= await resolve(host, port)
            except OSError as error:
                # Keep the known services: the name server may be away for a moment.
                log.warning("vm_address_not_resolved", extra={"host": host, "reason": str(error)})
                return
        for address in addresses - self._endpoints.keys():
            self._endpoints[address] = self._make(address)
            log.info("vm_endpoint_added", extra={"address": address})
        for address in self._endpoints.keys() - addresses:
            closing = asyncio.create_task(self._endpoints.pop(address).close(CLOSE_GRACE_S))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            log.info("vm_endpoint_removed", extra={"address": address})
        ENDPOINTS.set(len(self._endpoints))


async def resolve(host: str, port: str) -> set[str]:
    """Looks a name up; IPv4 only where it has such addresses, so that no service is counted twice.

    Raises:
        OSError: the name is not known.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    by_family: dict[int, set[str]] = {}
    for family, _, _, _, where in found:
        ip, found_port = cast("tuple[str, int]", where[:2])
        text = f"[{ip}]:{found_port}" if family == socket.AF_INET6 else f"{ip}:{found_port}"
        by_family.setdefault(family, set()).add(text)
    return by_family.get(socket.AF_INET) or by_family.get(socket.AF_INET6) or set()
