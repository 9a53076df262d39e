"""Workers that end, freeze or lose the store, under load: no transaction and no service is lost."""

import os
import random
import signal
import time
from pathlib import Path

import grpc
import pytest

from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.fault.load import Load
from tests.support.vm_world import VmWorld, running

pytestmark = pytest.mark.timeout(180)


def wait_until_ready(world: VmWorld, count: int, timeout_s: float = 20) -> None:
    """Waits until so many workers take or could take work."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        workers = world.workers.ListWorkers(worker_pb.ListWorkersRequest()).workers
        if sum(1 for worker in workers if worker.uptime_ms > 0) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"fewer than {count} workers after {timeout_s} s")


def test_kill_of_workers_during_load_loses_nothing(tmp_path: Path) -> None:
    dice = random.Random(11)
    with running(tmp_path, users=8, worker_count_min=2, worker_count_max=2) as world:
        assert world.vm is not None
        with Load(world, callers=8) as load:
            for _ in range(10):
                before = load.count
                time.sleep(dice.uniform(0.05, 0.4))
                wait_until_ready(world, 2)
                world.vm.kill_worker(dice.choice(world.vm.worker_pids()))
                while load.count < before + 5:
                    time.sleep(0.01)
        load.verify()
        assert world.vm.popen.poll() is None
        assert world.workers.ListWorkers(worker_pb.ListWorkersRequest()).restart_count >= 10
        assert load.count > 100


@pytest.mark.parametrize("point", ["worker.before_commit", "worker.after_commit"])
def test_a_worker_that_ends_at_a_commit_is_replaced_and_nothing_happens_twice(tmp_path: Path, point: str) -> None:
    # Each worker ends at its 20th commit: every batch that meets it runs once more on another worker.
    with running(tmp_path, users=4, worker_count_min=2, worker_count_max=2, failpoints=f"{point}=panic@20") as world:
        with Load(world, callers=4) as load:
            while load.count < 300:
                time.sleep(0.05)
        load.verify()
        assert world.workers.ListWorkers(worker_pb.ListWorkersRequest()).restart_count >= 2


def test_a_frozen_worker_is_killed_and_its_batch_runs_elsewhere(tmp_path: Path) -> None:
    with running(tmp_path, users=4, worker_count_min=1, worker_count_max=1, transaction_ms=500) as world:
        assert world.vm is not None
        with Load(world, callers=4) as load:
            while load.count < 20:
                time.sleep(0.01)
            for pid in world.vm.worker_pids():
                os.kill(pid, signal.SIGSTOP)
            frozen_at, before = time.monotonic(), load.count
            while load.count < before + 20:
                time.sleep(0.01)
            assert time.monotonic() - frozen_at < 8
        load.verify()


def test_all_workers_killed_at_once_come_back(tmp_path: Path) -> None:
    with running(tmp_path, users=4, worker_count_min=2, worker_count_max=2) as world:
        assert world.vm is not None
        with Load(world, callers=4) as load:
            while load.count < 20:
                time.sleep(0.01)
            for pid in world.vm.worker_pids():
                world.vm.kill_worker(pid)
            killed_at, before = time.monotonic(), load.count
            while load.count < before + 20:
                time.sleep(0.01)
            assert time.monotonic() - killed_at < 5
        load.verify()


def test_a_restarted_store_is_found_again_and_accepted_calls_are_answered(tmp_path: Path) -> None:
    with running(tmp_path, users=4, worker_count_min=1, worker_count_max=1) as world:
        with Load(world, callers=4) as load:
            while load.count < 20:
                time.sleep(0.01)
            world.restart_state()
            before = load.count
            while load.count < before + 20:
                time.sleep(0.01)
        load.verify()


def test_without_a_store_calls_fail_typed_and_the_service_lives(tmp_path: Path) -> None:
    with running(tmp_path, users=2, worker_start_ms=2000, state_timeout_ms=1000) as world:
        assert world.vm is not None
        world.state.kill()
        with pytest.raises(grpc.RpcError) as caught:
            world.execution.ExecuteTransactions(
                pb.ExecuteTransactionsRequest(transactions=[world.signer.transfer(*world.users)]), timeout=5
            )
        assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        assert world.vm.popen.poll() is None
