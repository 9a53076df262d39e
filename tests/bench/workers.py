"""Workers: time to be ready from sources and from a snapshot, hot and cold calls, replacement, memory, time for gas."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.support.vm_world import VmWorld, running

CONTRACTS = 20
"""Hot contracts in place before a sandbox counts as ready."""

ROUNDS = 15
KILLS = 5


def _child(mode: str) -> dict[str, float]:
    """Measures in a process of its own: an engine is started once, with or without a snapshot."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.workers_child", mode, str(CONTRACTS), str(ROUNDS)],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _kill_to_replacement_ms(world: VmWorld) -> float:
    """Kills the busy worker and measures until the service answers again; the median of a few."""
    assert world.vm is not None
    taken = []
    for _ in range(KILLS):
        world.execute(world.signer.transfer(*world.users[:2]))
        while len([w for w in _workers(world) if w.uptime_ms > 0]) < 2:
            time.sleep(0.02)
        busy = max(_workers(world), key=lambda worker: worker.batch_count).pid
        world.vm.kill_worker(busy)
        started = time.perf_counter()
        world.execute(world.signer.transfer(*world.users[:2]))
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def _workers(world: VmWorld) -> list[worker_pb.Worker]:
    return list(world.workers.ListWorkers(worker_pb.ListWorkersRequest()).workers)


def _worker_ready_ms(world: VmWorld) -> float:
    """Returns spawn-to-ready as the pool saw it; the median over all workers so far."""
    assert world.vm is not None
    ready = [float(str(line["start_ms"])) for line in world.vm.log if line.get("event") == "worker_ready"]
    return statistics.median(ready)


def run() -> dict[str, float]:
    """Measures; all figures of one run."""
    figures = {**_child("sources"), **_child("snapshot"), **_child("calls"), **_child("gas")}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), users=4, worker_count_min=1, worker_count_max=1) as world,
    ):
        world.execute(world.signer.transfer(*world.users[:2]))
        figures["worker_rss_mib"] = max(worker.rss_bytes for worker in _workers(world)) / (1 << 20)
        figures["kill_to_replacement_ms"] = _kill_to_replacement_ms(world)
        figures["worker_ready_ms"] = _worker_ready_ms(world)
    return {name: round(value, 2) for name, value in figures.items()}
