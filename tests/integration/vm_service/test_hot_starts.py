"""Hot contracts across restarts: the list is kept, snapshots are made of it, and nothing damaged is ever used."""

import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.support.node import free_ports
from tests.support.vm_world import VmWorld, running
from vm_service.transactions import contract_id
from vm_service.worker.snapshot_store import SnapshotStore

pytestmark = pytest.mark.timeout(180)

COUNTER = """class Counter {
    init() { storage.put('n', '0'); }
    add() { const n = Number(storage.get('n')) + 1; storage.put('n', n.toString()); return n.toString(); }
}
module.exports = Counter;
"""
ABI = {"lang": "javascript", "version": "1.0.0", "abi": [{"name": "add", "args": [], "amountLimit": []}]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VmWorld]:
    with running(tmp_path, users=2, worker_count_min=1, worker_count_max=1) as world:
        yield world


def store(world: VmWorld) -> SnapshotStore:
    return SnapshotStore(Path(str(world.flags["cache_dir"])))


def publish(world: VmWorld) -> str:
    outcome = world.execute(world.signer.publish(world.users[0], COUNTER, ABI)).outcomes[0]
    assert outcome.receipt.status.code == 1, outcome
    return contract_id(outcome.tx_hash)


def add(world: VmWorld, contract: str) -> pb.TransactionOutcome:
    outcome = world.execute(world.signer.transaction(world.users[0], (contract, "add", ()))).outcomes[0]
    assert outcome.receipt.status.code == 1, outcome
    return outcome


def origins(world: VmWorld) -> set[str]:
    assert world.vm is not None
    return {str(line["origin"]) for line in world.vm.log if line.get("event") == "worker_ready"}


def started(world: VmWorld) -> Sequence[worker_pb.Worker]:
    workers = world.workers.ListWorkers(worker_pb.ListWorkersRequest()).workers
    return [worker for worker in workers if worker.state != worker_pb.WORKER_STATE_STARTING]


def wait_for_snapshot(world: VmWorld) -> str:
    assert world.vm is not None
    return str(world.vm.wait_for("snapshot_built")["key"])


def test_a_restarted_service_starts_from_a_snapshot_of_its_hot_contracts(world: VmWorld) -> None:
    assert world.vm is not None
    contract = publish(world)
    first = add(world, contract)
    empty = wait_for_snapshot(world)
    assert world.vm.stop() == 0
    assert store(world).read_hot() == [contract]
    world.start_vm()
    assert origins(world) == {"snapshot"}
    assert world.hot() == set()
    full = wait_for_snapshot(world)
    assert full != empty
    assert list(store(world).read(full).contracts) == [contract]
    world.restart_vm()
    assert origins(world) == {"snapshot"}
    for worker in started(world):
        # Known before its first batch: a call goes to a worker that holds its contract.
        assert list(worker.hot_contracts) == [contract]
        assert worker.rss_bytes > 0
    second = add(world, contract)
    assert world.tiers() == {"cold": 0, "recent": 1}
    assert (first.receipt.returns, second.receipt.returns) == (['["1"]'], ['["2"]'])
    assert first.receipt.gas_usage == second.receipt.gas_usage


def test_metrics_name_the_hottest_contracts_and_the_tiers_they_were_found_in(world: VmWorld) -> None:
    contract = publish(world)
    port = free_ports(1)[0]
    world.restart_vm(metrics_port=port)
    for _ in range(3):
        add(world, contract)
    wanted = {
        # Three uses, and one that the list of the last run stands for.
        f'v8vm_vm_hottest_contract_uses{{contract="{contract}"}} 4.0',
        'v8vm_vm_contract_uses_total{tier="recent"} 3.0',
        'v8vm_vm_contract_uses_total{tier="cold"} 0.0',
    }
    for _ in range(100):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            missing = wanted - set(page.read().decode().splitlines())
        if not missing:
            return
        time.sleep(0.1)
    raise AssertionError(missing)


def test_without_snapshots_hot_contracts_are_compiled_before_a_worker_takes_work(world: VmWorld) -> None:
    contract = publish(world)
    add(world, contract)
    world.restart_vm(snapshots="false")
    assert origins(world) == {"sources"}
    add(world, contract)
    assert world.tiers() == {"cold": 0, "recent": 1}


def test_a_cold_worker_takes_images_that_the_service_has_compiled(world: VmWorld) -> None:
    port = free_ports(1)[0]
    world.restart_vm(snapshots="false", metrics_port=port)
    outcome = world.execute(world.signer.publish(world.users[0], f"/*{'x' * 3_000}*/{COUNTER}", ABI))
    contract = contract_id(outcome.outcomes[0].tx_hash)
    first = add(world, contract)
    for _ in range(20):  # the first of them may come before the image is built
        for worker in started(world):
            os.kill(worker.pid, signal.SIGKILL)
        again = add(world, contract)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            found = re.search(r'shared_images_total{outcome="found"} [1-9]', page.read().decode())
        if found:
            break
    assert found
    assert again.receipt.gas_usage == first.receipt.gas_usage


@pytest.mark.parametrize("damage", ["flip", "cut", "stale"])
def test_a_damaged_or_stale_snapshot_is_refused_with_a_warning(world: VmWorld, damage: str) -> None:
    assert world.vm is not None
    key = wait_for_snapshot(world)
    world.vm.stop()
    path = store(world).path(key)
    raw = bytearray(path.read_bytes())
    if damage == "flip":
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
    elif damage == "cut":
        path.write_bytes(raw[:1000])
    world.start_vm(**({"v8_flags": "--stack-size=3000"} if damage == "stale" else {}))
    assert origins(world) == {"sources"}
    refused = world.vm.wait_for("snapshot_refused")
    assert refused["reason"] == {"flip": "checksum", "cut": "checksum", "stale": "stale"}[damage]
    damaged = raw[:1000] if damage == "cut" else raw
    assert world.execute(world.signer.transfer(*world.users)).outcomes[0].receipt.status.code == 1
    # It is removed; a sound one may stand in its place already, but not under the key of other flags.
    assert not path.exists() or (damage != "stale" and path.read_bytes() != damaged)


def test_a_snapshot_that_cannot_be_read_nor_removed_costs_only_the_speed(world: VmWorld) -> None:
    assert world.vm is not None
    key = wait_for_snapshot(world)
    world.vm.stop()
    path = store(world).path(key)
    path.unlink()
    path.mkdir()
    world.start_vm()
    assert origins(world) == {"sources"}
    assert world.vm.wait_for("snapshot_refused")["reason"] == "unreadable"
    assert world.vm.wait_for("snapshot_not_removed")["key"] == key
    assert world.execute(world.signer.transfer(*world.users)).outcomes[0].receipt.status.code == 1


def test_a_snapshot_that_gives_other_results_is_not_used(world: VmWorld) -> None:
    assert world.vm is not None
    key = wait_for_snapshot(world)
    world.vm.stop()
    found = store(world).read(key)
    store(world).write(type(found)(found.key, found.contracts, found.sizes, "another digest", found.blob))
    world.start_vm()
    assert world.vm.wait_for("snapshot_refused")["reason"] == "start"
    assert origins(world) == {"sources"}
    assert world.execute(world.signer.transfer(*world.users)).outcomes[0].receipt.status.code == 1


def test_an_unwritable_folder_costs_only_the_speed(world: VmWorld, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    world.restart_vm(cache_dir=tmp_path / "file" / "below")
    assert origins(world) == {"sources"}
    assert world.execute(world.signer.transfer(*world.users)).outcomes[0].receipt.status.code == 1
    time.sleep(0.1)
