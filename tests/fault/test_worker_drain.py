"""Short form of the drains; the long one is `make fault ROUNDS=N`."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest

from chassis.errors import from_rpc_error
from iost.keda.v1 import external_scaler_pb2 as scaler_pb
from iost.keda.v1 import external_scaler_pb2_grpc as scaler_rpc
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.fault import worker_drain
from tests.support.vm_process import VmProcess
from tests.support.vm_world import VmWorld, running

pytestmark = pytest.mark.timeout(180)


def test_drains_under_load_lose_no_accepted_call() -> None:
    report = worker_drain.run(6, seed=3)
    assert report.passed, report


def listed(world: VmWorld) -> Sequence[worker_pb.Worker]:
    return world.workers.ListWorkers(worker_pb.ListWorkersRequest()).workers


def test_a_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    vm = VmProcess("127.0.0.1:1", cache_dir=tmp_path)  # no store: the start would take half a minute to fail
    try:
        while not vm.worker_pids():
            time.sleep(0.01)
        vm.popen.send_signal(signal.SIGTERM)
        vm.wait_for("service_stopping")
        asked_at = time.monotonic()
        assert vm.wait() == 0
        assert time.monotonic() - asked_at < 5
    finally:
        if vm.popen.poll() is None:
            vm.kill()


def test_an_open_stream_of_the_external_scaler_holds_no_drain_up(tmp_path: Path) -> None:
    with running(tmp_path, users=2, worker_count_min=1, worker_count_max=1, drain_ms=60_000) as world:
        assert world.vm is not None
        assert world.channel is not None
        stream = scaler_rpc.ExternalScalerStub(world.channel).StreamIsActive(scaler_pb.ScaledObjectRef(name="vm"))
        next(stream)
        assert world.vm.stop() == 0
        with pytest.raises(grpc.RpcError) as caught:
            list(stream)
        assert from_rpc_error(caught.value).reason == "SERVICE_DRAINING"


def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    with running(
        tmp_path, users=2, worker_count_min=1, worker_count_max=1, transaction_ms=60_000, drain_ms=60_000
    ) as world:
        assert world.vm is not None
        # The spare one as well, once it is ready: stopped while it starts, it could not die with its parent.
        idle = worker_pb.WORKER_STATE_IDLE
        while [worker.state for worker in listed(world)] != [idle, idle]:
            time.sleep(0.01)
        for worker in listed(world):
            os.kill(worker.pid, signal.SIGSTOP)
        request = pb.ExecuteTransactionsRequest(transactions=[world.signer.transfer(*world.users)])
        call = world.execution.ExecuteTransactions.future(request, timeout=60)  # a drain that cannot end
        while all(worker.state != worker_pb.WORKER_STATE_BUSY for worker in listed(world)):
            time.sleep(0.01)
        world.vm.popen.send_signal(signal.SIGTERM)
        world.vm.wait_for("service_stopping")
        world.vm.popen.send_signal(signal.SIGTERM)
        asked_at = time.monotonic()
        code = world.vm.wait()
        assert code == 128 + signal.SIGTERM
        assert call.code() is grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() - asked_at < 5
