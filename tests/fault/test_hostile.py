"""Hostile contracts against a whole VM service: one by one, in a storm with honest callers, through a gateway."""

import itertools
import statistics
import threading
import time
from pathlib import Path

import grpc
import pytest

from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.fault import attack_service
from tests.fault.attack_service import ABI
from tests.fault.hostile import payloads
from tests.fault.load import Load
from tests.support import gateway_process
from tests.support.callers import Callers
from tests.support.vm_world import VmWorld, running
from vm_service.transactions import contract_id

pytestmark = pytest.mark.timeout(300)

STORM_SECONDS = 12
HOSTILE_CALLERS = 4
HONEST_CALLERS = 4
SLOW = "class Slow { init() {} run() { for (let i = 0; ; i++) storage.put('k' + i, 'v'); } }\nmodule.exports = Slow;\n"
SLOW_CALLERS = 8
SLOW_SECONDS = 6
TIMER_S = 2.0
"""Time of a transaction in these services, as by default."""


def test_our_own_payloads_are_contained(tmp_path: Path) -> None:
    verdicts = list(attack_service.run(payloads(), tmp_path))
    assert [str(verdict) for verdict in verdicts if not verdict.contained] == []
    assert len(verdicts) > 150


class Storm(Callers):
    """Callers that publish and call hostile contracts until told to stop."""

    def __init__(self, world: VmWorld) -> None:
        super().__init__(HOSTILE_CALLERS)
        self._world = world
        self._payloads = itertools.cycle(payloads())
        self._lock = threading.Lock()
        self.count = 0
        self.failed: list[grpc.RpcError] = []
        self.abnormal: list[pb.TransactionOutcome] = []

    def call(self, number: int) -> None:
        """Publishes the next payload and runs it."""
        sender = "mallo"
        with self._lock:
            payload = next(self._payloads)
        try:
            published = self._world.execute(self._world.signer.publish(sender, payload["code"], ABI)).outcomes[0]
            call = self._world.signer.transaction(sender, (contract_id(published.tx_hash), "run", ()))
            outcomes = [published, self._world.execute(call).outcomes[0]]
        except grpc.RpcError as error:
            self.failed.append(error)
            return
        self.abnormal += [outcome for outcome in outcomes if outcome.verdict != pb.VERDICT_EXECUTED]
        self.count += 1


def test_in_a_storm_every_honest_transaction_is_right_and_none_waits_longer_than_the_timer(tmp_path: Path) -> None:
    users = [f"user{number:05}" for number in range(HONEST_CALLERS)]
    with running(tmp_path, users=[*users, "mallo"], worker_count_min=2, worker_count_max=2) as world:
        world.users = users
        with Storm(world) as storm, Load(world, callers=HONEST_CALLERS) as load:
            time.sleep(STORM_SECONDS)
        load.verify()
        assert load.slowest_s < TIMER_S + 0.25
        assert load.count > 50
        assert storm.count > 50
        assert not storm.failed, storm.failed[0]
        assert not storm.abnormal, storm.abnormal[0]
        assert world.workers.ListWorkers(worker_pb.ListWorkersRequest()).restart_count == 0


class SlowCallers(Callers):
    """Callers of one contract that runs until its gas is used up, again and again until told to stop."""

    def __init__(self, world: VmWorld, contract: str) -> None:
        super().__init__(SLOW_CALLERS)
        self._world = world
        self._contract = contract
        self.times_s: list[float] = []

    def call(self, number: int) -> None:
        """Runs the contract."""
        actions = [("token.iost", "supply", ("iost",)), (self._contract, "run", ())]
        made = self._world.signer.transaction("mallo", *actions)
        began = time.monotonic()
        self._world.execute(made)
        self.times_s.append(time.monotonic() - began)


def test_behind_a_gateway_honest_callers_do_not_wait_for_a_slow_contract(tmp_path: Path) -> None:
    users = [f"user{number:05}" for number in range(HONEST_CALLERS)]
    with (
        running(tmp_path, users=[*users, "mallo"], worker_count_min=2, worker_count_max=2) as world,
        gateway_process.in_front_of(world, tmp_path),
    ):
        world.users = users
        published = world.execute(world.signer.publish("mallo", SLOW, ABI)).outcomes[0]
        with SlowCallers(world, contract_id(published.tx_hash)) as slow, Load(world, callers=HONEST_CALLERS) as load:
            time.sleep(SLOW_SECONDS)
        load.verify()
        assert load.count > 50
        assert len(slow.times_s) > SLOW_CALLERS
        # In one batch they would take as long as what they wait for.
        assert statistics.median(load.times_s) < statistics.median(slow.times_s) / 4
