"""Starts of real worker processes that fail."""

from pathlib import Path

import pytest

from tests.support.node import free_ports
from vm_service.manager.supervisor import WorkerGoneError, WorkerProcess
from vm_service.worker import channel


@pytest.mark.parametrize("give_up_ms", [300, 60_000], ids=["the worker gives up", "the manager gives up"])
async def test_a_worker_that_does_not_find_the_state_service_says_so(tmp_path: Path, give_up_ms: int) -> None:
    start = channel.Start(
        worker_id="w1",
        state_target=f"127.0.0.1:{free_ports(1)[0]}",
        max_message_bytes=1 << 20,
        transaction_ms=200,
        heap_bytes=128 << 20,
        image_bytes=64 << 20,
        state_timeout_ms=1000,
        start_ms=give_up_ms,
        chain_id=1024,
        generate_ahead_ms=1000,
        validate_ahead_ms=1000,
        trust_signature_claims=False,
        transaction_ahead_ms=30_000,
        flags=(),
        confined=False,
        snapshot_folder=str(tmp_path),
        snapshot_key="",
        hot=[],
        pinned=[],
        failpoints="",
        log_level="info",
    )
    worker = WorkerProcess("w1", silence_s=10, on_gone=lambda _: None)
    with pytest.raises(WorkerGoneError) as caught:
        await worker.start(start, 3 if give_up_ms > 3000 else 20)
    assert caught.value.detached, caught.value.cause
    await worker.stop(5)
