"""Health of the gateway: it serves while a VM service and the state service do.

It accepts transactions (health name `submit`) while one of its VM services does and the state service answers.
"""

import asyncio
import logging
import time

from chassis.lifecycle import Server
from gateway.metrics import PEER_UP
from gateway.peers import PROBE_INTERVAL_S, Peer
from gateway.routing import VmPool

log = logging.getLogger(__name__)


class LossWatch:
    """Decides whether losing peers counts yet. A pure function of what is observed and when."""

    def __init__(self, patience_s: float) -> None:
        """Sets how long all peers together may be incomplete."""
        self._patience_s = patience_s
        self._lost_since: float | None = None

    def serving(self, *, complete: bool, now: float) -> bool:
        """Tells whether the gateway serves, from whether all peers do at time `now` (seconds)."""
        if complete:
            self._lost_since = None
            return True
        if self._lost_since is None:
            self._lost_since = now
        return now - self._lost_since < self._patience_s


async def watch(server: Server, vms: VmPool, state: Peer, patience_ms: int) -> None:
    """Keeps health up to date; runs until cancelled."""
    losses = LossWatch(patience_ms / 1000)
    said = True
    while True:
        PEER_UP.labels("vm").set(vms.up)
        PEER_UP.labels("state").set(state.up)
        serving = losses.serving(complete=vms.up and state.up, now=time.monotonic())
        if serving is not said:
            said = serving
            event = "peers_back" if serving else "peers_lost"
            log.warning(event, extra={"vm_up": vms.up, "state_up": state.up})
        await server.set_serving(serving)
        server.set_submit("vm", vms.refusal)
        server.set_submit("state", None if state.up else Peer.UNREACHABLE)
        await asyncio.sleep(PROBE_INTERVAL_S)
