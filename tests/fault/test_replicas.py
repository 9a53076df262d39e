"""Two VM services on one state: a slow contract delays nobody, and a killed worker holds up no commit."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from gateway.client import Client, TransactionError, action
from iost.vm.v1 import worker_service_pb2, worker_service_pb2_grpc
from tests.support.replicas import Load, Replicas, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

SLOW = "class Slow { init() {} run() { for (let i = 0; ; i++) storage.put('k' + i, 'v'); } }\nmodule.exports = Slow;\n"
"""Runs until its gas is used up."""

GAS_LIMIT = 400_000_000
"""The most that a transaction may use."""

HONEST = Load(callers=6, accounts=6, contracts=6)

SLOW_AT, HONEST_AT = 1, 2
"""Gateways, each in front of one VM service."""

HELD_S = 4.0
"""Seconds for which the slow run is stopped: its own tenths of a second say little on a busy machine."""


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


@contextmanager
def slow_call(replicas: Replicas) -> Iterator[list[int]]:
    """Runs the slow contract, and yields the process ids of the workers that run it; it must end by its gas."""
    refused: list[str] = []
    with Client(replicas.gateways[SLOW_AT].address) as client:
        contract = client.publish(replicas.accounts[-1], SLOW).contract_id
        replicas.run(HONEST, 0.2, gateways=[HONEST_AT])

        def run() -> None:
            try:
                client.send(replicas.accounts[-1], action(contract, "run"), gas_limit=GAS_LIMIT, timeout_s=60)
            except TransactionError as error:
                refused.append(str(error))

        caller = threading.Thread(target=run)
        caller.start()
        wait_until(lambda: bool(busy_workers(replicas)))
        yield busy_workers(replicas)
        caller.join()
    assert "gas" in refused[0]


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Sends a signal to processes."""
    for pid in pids:
        os.kill(pid, number)


def test_callers_do_not_wait_for_a_slow_contract_of_another_service(tmp_path: Path) -> None:
    # Only the patience can overtake the slow place: the other limits are longer than the test.
    slow = ("--transaction-ms=60000",)
    flags = ("--place-patience-ms=10", "--place-wait-ms=60000", "--place-limit-ms=60000")
    with running(tmp_path, 2, workers=2, vm_flags=slow, state_flags=flags) as replicas, slow_call(replicas) as pids:
        signal_all(pids, signal.SIGSTOP)
        released = threading.Timer(HELD_S, signal_all, (pids, signal.SIGCONT))
        released.start()
        report = replicas.run(HONEST, HELD_S / 8, gateways=[HONEST_AT])
        ended_first = released.is_alive()
        released.join()
        assert ended_first, "some call waited for the slow contract"
        assert report.problems() == []
        assert report.slowest_s < HELD_S / 2


def test_the_place_of_a_killed_worker_holds_up_no_commit(tmp_path: Path) -> None:
    patient = ("--place-patience-ms=60000", "--place-wait-ms=60000", "--place-limit-ms=60000")
    with running(tmp_path, 2, workers=2, state_flags=patient) as replicas:
        with slow_call(replicas) as pids:
            signal_all(pids, signal.SIGKILL)
            report = replicas.run(HONEST, 1.0, gateways=[HONEST_AT])
        assert report.problems() == []
        assert replicas.figures()["places_left_total"] >= 1
