"""Short form of the drains; the long one is `make fault ROUNDS=N`."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.fault import worker_drain
from tests.support.vm_world import running

pytestmark = pytest.mark.timeout(180)


def test_drains_under_load_lose_no_accepted_call() -> None:
    report = worker_drain.run(6, seed=3)
    assert report.passed, report


def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    with running(tmp_path, users=2, worker_count_min=1, worker_count_max=1) as world:
        assert world.vm is not None
        for pid in world.vm.worker_pids():
            os.kill(pid, signal.SIGSTOP)  # a drain that cannot end
        world.vm.popen.send_signal(signal.SIGTERM)
        world.vm.wait_for("service_stopping")
        world.vm.popen.send_signal(signal.SIGTERM)
        asked_at = time.monotonic()
        code = world.vm.wait()
        assert code in (128 + signal.SIGTERM, 0)
        assert time.monotonic() - asked_at < 5
