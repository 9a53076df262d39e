"""Workers follow the load, and the same signal is told to Kubernetes."""

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from chassis.errors import from_rpc_error
from iost.keda.v1 import external_scaler_pb2 as scaler_pb
from iost.keda.v1 import external_scaler_pb2_grpc as scaler_rpc
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.support.callers import Callers
from tests.support.vm_world import VmWorld, running

pytestmark = pytest.mark.timeout(120)

CALLERS = 4
BATCH = 300


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VmWorld]:
    with running(tmp_path, users=CALLERS, worker_count_min=1, worker_count_max=2, scale_down_ms=1500) as world:
        yield world


def wanted(world: VmWorld) -> int:
    return int(world.workers.ListWorkers(worker_pb.ListWorkersRequest()).wanted_count)


def wait_for(world: VmWorld, count: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if wanted(world) == count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{wanted(world)} workers wanted after {timeout_s} s, not {count}")


class Pressure(Callers):
    """Callers that keep every worker busy with dry runs."""

    def __init__(self, world: VmWorld) -> None:
        super().__init__(CALLERS)
        self.failed: list[grpc.RpcError] = []
        self._world = world
        users = world.users
        self._made = [
            [world.signer.transfer(users[number], users[number - 1]) for _ in range(BATCH)] for number in range(CALLERS)
        ]

    def call(self, number: int) -> None:
        """Sends the batch of a caller once more."""
        try:
            self._world.execute(*self._made[number], dry_run=True)
        except grpc.RpcError as error:
            self.failed.append(error)


def test_a_load_step_adds_a_worker_and_its_end_lets_it_go_without_losing_a_call(world: VmWorld) -> None:
    assert wanted(world) == 1
    with Pressure(world) as pressure:
        wait_for(world, 2, timeout_s=15)
    wait_for(world, 1, timeout_s=15)
    assert not pressure.failed
    assert world.execute(world.signer.transfer(*world.users[:2])).outcomes[0].verdict == pb.VERDICT_EXECUTED
    assert world.workers.ListWorkers(worker_pb.ListWorkersRequest()).restart_count == 0


def test_the_external_scaler_tells_the_same(world: VmWorld) -> None:
    assert world.channel is not None
    scaler = scaler_rpc.ExternalScalerStub(world.channel)
    reference = scaler_pb.ScaledObjectRef(name="vm-service", namespace="default")
    specs = scaler.GetMetricSpec(reference).metricSpecs
    assert {spec.metricName for spec in specs} == {"slots_busy_percent", "queue_wait_ms"}

    def busy() -> float:
        request = scaler_pb.GetMetricsRequest(scaledObjectRef=reference, metricName="slots_busy_percent")
        return float(scaler.GetMetrics(request).metricValues[0].metricValueFloat)

    assert busy() < 50
    stream = scaler.StreamIsActive(reference)
    assert not next(stream).result
    with Pressure(world):
        deadline = time.monotonic() + 15
        while busy() < 70 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert busy() >= 70
        assert next(stream).result
        assert scaler.IsActive(reference).result
    stream.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        scaler.GetMetrics(scaler_pb.GetMetricsRequest(scaledObjectRef=reference, metricName="nonsense"))
    assert from_rpc_error(caught.value).reason == "MALFORMED_REQUEST"
