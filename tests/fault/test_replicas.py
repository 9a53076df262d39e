"""Two VM services on one state: a slow contract delays nobody, and a killed worker holds up no commit."""

import asyncio
import os
import signal
import statistics
import threading
import time
from pathlib import Path

import grpc
import pytest

from gateway.client import Client, TransactionError, action
from iost.vm.v1 import worker_service_pb2, worker_service_pb2_grpc
from tests.support.callers import Callers
from tests.support.replicas import Load, Replicas, running
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)

SLOW = "class Slow { init() {} run() { for (let i = 0; ; i++) storage.put('k' + i, 'v'); } }\nmodule.exports = Slow;\n"
"""Runs until its gas is used up."""

GAS_LIMIT = 400_000_000
"""The most that a transaction may use."""

SLOW_CALLERS = 4
SECONDS = 6
HONEST = Load(callers=6, accounts=6, contracts=6)


class SlowCallers(Callers):
    """Callers of one slow contract, through the gateway in front of both services."""

    def __init__(self, replicas: Replicas, contract: str) -> None:
        super().__init__(SLOW_CALLERS)
        self._replicas = replicas
        self._contract = contract
        self.times_s: list[float] = []

    def call(self, number: int) -> None:
        """Runs the contract."""
        began = time.monotonic()
        with Client(self._replicas.gateways[0].address) as client, pytest.raises(TransactionError, match="gas"):
            client.send(self._replicas.accounts[-1 - number], action(self._contract, "run"), gas_limit=GAS_LIMIT)
        self.times_s.append(time.monotonic() - began)


def test_callers_do_not_wait_for_a_slow_contract_of_another_service(tmp_path: Path) -> None:
    # Others wait for a slow place no longer than the patience, which is set far below the slow run here.
    with running(tmp_path, 2, workers=2, state_flags=("--place-patience-ms=10",)) as replicas:
        with Client(replicas.gateways[0].address) as client:
            contract = client.publish(replicas.accounts[-1], SLOW).contract_id
        replicas.run(HONEST, 0.2)
        with SlowCallers(replicas, contract) as slow:
            report = replicas.run(HONEST, SECONDS)
        assert report.problems() == []
        assert len(slow.times_s) > SLOW_CALLERS
        assert statistics.median(report.times_s) < statistics.median(slow.times_s) / 2


def busy_workers(replicas: Replicas) -> list[int]:
    """Process ids of the workers that run a batch."""
    found = []
    for vm in replicas.vms:
        with grpc.insecure_channel(vm.address) as channel:
            listed = worker_service_pb2_grpc.WorkerServiceStub(channel).ListWorkers(
                worker_service_pb2.ListWorkersRequest()
            )
        found += [one.pid for one in listed.workers if one.state == worker_service_pb2.WORKER_STATE_BUSY]
    return found


async def test_the_place_of_a_killed_worker_holds_up_no_commit(tmp_path: Path) -> None:
    patient = ("--place-patience-ms=60000", "--place-wait-ms=60000", "--place-limit-ms=60000")
    with (
        running(tmp_path, 2, workers=2, state_flags=patient) as replicas,
        Client(replicas.gateways[0].address) as client,
    ):
        contract = client.publish(replicas.accounts[-1], SLOW).contract_id
        await asyncio.to_thread(replicas.run, HONEST, 0.2)
        refused: list[str] = []

        def run_slow() -> None:
            try:
                client.send(replicas.accounts[-1], action(contract, "run"), gas_limit=GAS_LIMIT, timeout_s=60)
            except TransactionError as error:
                refused.append(str(error))

        slow = threading.Thread(target=run_slow)
        slow.start()
        await until(lambda: bool(busy_workers(replicas)))
        for pid in busy_workers(replicas):
            os.kill(pid, signal.SIGKILL)
        report = await asyncio.to_thread(replicas.run, HONEST, 1.0)
        slow.join()
        assert report.problems() == []
        assert replicas.figures()["places_left_total"] >= 1
        assert "gas" in refused[0]
