"""A crash at every named place around a write or a sync, at a random visit; every other one with power loss on top."""

import random
import shutil
import tempfile
from pathlib import Path

from chassis.failpoint import EXIT_PANIC
from tests.fault.report import Report
from tests.fault.state_ledger import Verdict, judge
from tests.fault.state_power import lose_power, run_writer

PLACES = (
    "state.journal.before_commit",
    "state.engine.before_write",
    "state.engine.after_write_before_sync",
    "state.engine.after_sync_before_head",
    "state.engine.after_head",
    "state.journal.after_commit_before_publish",
    "state.flush.before_chunk",
    "state.flush.after_chunk",
    "state.flush.before_trim",
)


def run(rounds: int, seed: int) -> Report:
    """Runs the rounds: each visits every place once, on one store that lives through all of its crashes."""
    chance, total, answers = random.Random(seed), Verdict(), 0
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            folder = Path(scratch) / f"state{number}"
            for index, place in enumerate(PLACES):
                failpoint = f"{place}=panic@{chance.randint(1, 30)}"
                told = run_writer(folder, f"r{number}p{index}", 10.0, failpoints=failpoint)
                if told.exit_code != EXIT_PANIC:
                    total.broken = f"{failpoint} was not reached: exit code {told.exit_code}"
                    break
                if chance.random() < 0.5:
                    lose_power(folder, chance)
                total.add(judge(folder, told.attempted, told.acknowledged))
                answers += len(told.acknowledged)
            shutil.rmtree(folder)
    text = f"{rounds * len(PLACES)} rounds, {total} ({answers} commits acknowledged)"
    return Report("failpoints", text, total.passed and answers > 0)
