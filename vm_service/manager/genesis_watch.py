"""Watches an empty store until the chain has its genesis, so that health name `submit` can say why work is refused.

Workers refuse work by what the store tells them; nothing here decides about a request.
"""

import asyncio
import logging
from collections.abc import Callable

import grpc
import grpc.aio

from iost.state.v1 import inspection_service_pb2 as pb
from iost.state.v1 import inspection_service_pb2_grpc as rpc
from vm_service.errors import NoGenesisError

LOOK_S = 0.5
"""Seconds between questions while the store is empty: genesis is noticed within a second."""

TIMEOUT_S = 1.0
"""Seconds until a question counts as lost; the next one follows."""

log = logging.getLogger(__name__)


async def watch(channel: grpc.aio.Channel, tell: Callable[[str | None], None]) -> None:
    """Asks the state service for its head until it has a first version; a version once committed stays.

    Args:
        channel: to the state service.
        tell: called with `NO_GENESIS` while the store is empty, with None once it is not.
    """
    inspection = rpc.InspectionServiceStub(channel)
    missing = False
    while True:
        try:
            head = await inspection.GetHead(pb.GetHeadRequest(), timeout=TIMEOUT_S)
        except grpc.RpcError:
            pass  # an unreachable state service is another refusal, which `health.follow_submit` tells
        else:
            if head.version > 0:
                tell(None)
                if missing:
                    log.info("genesis_found", extra={"version": head.version})
                return
            tell(NoGenesisError.reason)
            if not missing:
                log.warning("genesis_missing")
            missing = True
        await asyncio.sleep(LOOK_S)
