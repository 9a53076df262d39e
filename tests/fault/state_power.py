"""Power loss: the writer is killed, and every byte that was not synced is taken away from its files.

What counts as synced is what the writer's witness noted (`state_writer`): the length of each log file after
`flush_wal`, the head record after its `fdatasync`. Of what lies behind, a random part may survive, as on a real disk:
nothing, all, or a prefix that ends anywhere. Table files and manifest are RocksDB's own affair; it syncs them before
it lets go of a log.

The same rounds with syncing switched off must report losses, or the harness proves nothing.
"""

import json
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fault.report import Report
from tests.fault.state_ledger import Acknowledged, Verdict, judge, parse
from tests.support.state_process import ROOT

WRITERS = 8
STORE_ROUNDS = 10
"""Rounds on one store."""

KILLED = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Told:
    """What a writer said before it died."""

    attempted: list[str]
    acknowledged: list[Acknowledged]
    exit_code: int


def run_writer(folder: Path, prefix: str, lifetime_s: float, *, sync: bool = True, failpoints: str = "") -> Told:
    """Runs a writer until it dies by itself or is killed."""
    command = [sys.executable, "-m", "tests.fault.state_writer", str(folder), prefix, str(WRITERS)]
    writer = subprocess.Popen(
        [*command, "sync" if sync else "nosync"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"V8VM_FAILPOINTS": failpoints},
    )
    assert writer.stdout is not None
    said, deadline = b"", time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([writer.stdout], [], [], 0.01)
            piece = writer.stdout.read1(1 << 20) if ready else b""
            if ready and not piece:
                break
            if not said and piece:
                deadline = time.monotonic() + lifetime_s
            said += piece
    finally:
        writer.kill()
        said += writer.stdout.read()
        writer.stdout.close()
        exit_code = writer.wait()
    lines = said.split(b"\n")[:-1]
    attempts = [json.loads(line)["attempt"] for line in lines if line.startswith(b'{"attempt"')]
    answers = parse(b"".join(line + b"\n" for line in lines if line.startswith(b'{"commit_id"')))
    return Told(attempts, answers, exit_code)


def lose_power(folder: Path, chance: random.Random) -> None:
    """Takes away what was not synced."""
    notes = folder.with_suffix(".durable").read_bytes().split(b"\n")[:-1]
    durable = json.loads(notes[-1])
    for log in (folder / "db").glob("*.log"):
        synced, size = durable["logs"].get(log.name, 0), log.stat().st_size
        kept = synced + chance.choice([0, 0, size - synced, chance.randint(0, max(0, size - synced))])
        with log.open("r+b") as file:
            file.truncate(min(size, kept))
    if chance.random() < 0.8:
        (folder / "HEAD").write_bytes(bytes.fromhex(durable["head"]))


def rounds_of(rounds: int, seed: int, *, sync: bool) -> tuple[Verdict, int]:
    """Runs rounds; returns what was found and how many commits were acknowledged."""
    chance, total, answers = random.Random(seed), Verdict(), 0
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            # A store lives through some rounds, and then a new one: checking all of its history takes ever longer.
            folder = Path(scratch) / f"state{number // STORE_ROUNDS}"
            told = run_writer(folder, f"r{number}", chance.uniform(0.05, 0.4), sync=sync)
            if told.exit_code != KILLED:
                total.broken = f"the writer ended by itself with exit code {told.exit_code}"
                break
            lose_power(folder, chance)
            total.add(judge(folder, told.attempted, told.acknowledged))
            answers += len(told.acknowledged)
            if not sync or not (number + 1) % STORE_ROUNDS:  # without syncs the store is not worth keeping
                shutil.rmtree(folder)
    return total, answers


def run(rounds: int, seed: int) -> Report:
    """Runs the rounds, and the control that must lose."""
    total, answers = rounds_of(rounds, seed, sync=True)
    control, _ = rounds_of(max(1, rounds // 10), seed, sync=False)
    text = f"{rounds} rounds, {total} ({answers} commits acknowledged); without syncs: {control.lost} lost"
    return Report("power", text, total.passed and control.lost > 0)
