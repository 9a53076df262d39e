"""Drains under load: SIGTERM at random moments; every accepted call is answered, and the process leaves with 0."""

import random
import tempfile
import time
from pathlib import Path

import grpc

from tests.fault.load import Load
from tests.fault.report import Report
from tests.support.vm_world import VmWorld, running

CALLERS = 6
REFUSED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""How a call ends that was not accepted; the second when it arrived while the server was closing."""

EXIT_SECONDS = 15
"""The grace of a drain (`drain_ms`, 10 s), and the end of the workers: 2 s, on a busy machine twice that."""


def one_round(world: VmWorld, moment_s: float) -> tuple[int, int, str]:
    """Drains once under load; returns answered calls, lost calls and what else was wrong."""
    assert world.vm is not None
    load = Load(world, CALLERS)
    with load:
        while load.count < CALLERS:
            time.sleep(0.002)
        time.sleep(moment_s)
        asked_at = time.monotonic()
        code = world.vm.stop()
        took_s = time.monotonic() - asked_at
        load.stop()
    problem = ""
    if code != 0:
        problem = f"exit code {code}"
    elif took_s > EXIT_SECONDS:
        problem = f"took {took_s:.1f} s"
    elif load.ledger.other:
        problem = f"an answer that says {load.ledger.other[0]}"
    elif any(error.code() not in REFUSED for error, _ in load.ledger.failed):
        problem = f"refused with {load.ledger.failed[0][0]}"
    return load.count, load.lost(), problem


def run(rounds: int, seed: int) -> Report:
    """Drains as often as asked for; fails on any lost call or other trouble."""
    dice = random.Random(seed)
    answered = lost = 0
    problems: list[str] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), users=CALLERS, worker_count_min=2, worker_count_max=2) as world,
    ):
        for number in range(rounds):
            if number:
                world.start_vm()
            count, missing, problem = one_round(world, dice.uniform(0, 0.3))
            answered += count
            lost += missing
            problems += [problem] if problem else []
    text = f"{rounds} drains under load, {answered} calls answered, {lost} accepted calls lost"
    return Report("drain", "; ".join([text, *problems[:3]]), passed=not lost and not problems)
