"""The same chain gives the same bytes, however it is executed (tests/conformance/replay.py)."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from iost.vm.v1 import execution_service_pb2 as pb
from tests.conformance import replay
from tests.support.vm_world import running

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).parents[2]


@cache
def digests(*arguments: str, environment: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    """Executes the chain in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.replay", *arguments],
        cwd=ROOT,
        env={**os.environ, **dict(environment)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_chain_holds_successes_and_failures() -> None:
    verdicts = digests()["cold"]["verdicts"]
    assert verdicts["1/1"] > 100
    assert verdicts["1/5"] > 50
    assert sum(verdicts.values()) == sum(len(block.transactions) for block in replay.blocks())


def test_hot_gives_what_cold_gave() -> None:
    assert digests()["hot"] == digests()["cold"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--v8-flag=--jitless",),
        ("--v8-flag=--always-turbofan", "--v8-flag=--no-sparkplug"),
        ("--v8-flag=--max-lazy",),
        ("--v8-flag=--random-seed=7", "--v8-flag=--max-heap-size=300"),
        ("--fresh",),
        ("--snapshot",),
        ("--snapshot", "--v8-flag=--jitless"),
    ],
    ids=" ".join,
)
def test_engine_and_start_make_no_difference(arguments: tuple[str, ...]) -> None:
    assert digests(*arguments) == digests()


def test_time_zone_and_locale_make_no_difference() -> None:
    elsewhere = (("TZ", "Asia/Kolkata"), ("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8"), ("LANGUAGE", "tr"))
    assert digests(environment=elsewhere) == digests()


def through_service(folder: Path, **flags: object) -> tuple[dict[str, object], bytes]:
    """Executes the chain as blocks of a VM service; returns digests of its answers, and the last commitment."""
    found, parent = replay.Digests(), b""
    with running(folder, users=replay.USERS, **flags) as world:
        commitment = b""
        for block in replay.blocks():
            request = pb.ExecuteBlockRequest(parent_id=parent, header=block.header, transactions=block.transactions)
            response = world.execution.ExecuteBlock(request, timeout=30)
            found.add(response.outcomes)
            parent, commitment = response.block_id, response.commitment
    return found.result(), commitment


def test_workers_and_their_number_make_no_difference(tmp_path: Path) -> None:
    one, commitment = through_service(tmp_path / "one", worker_count_min=1, worker_count_max=1)
    # Four workers, each of which leaves after one block: every block meets another worker, cold or from a snapshot.
    four, same = through_service(tmp_path / "four", worker_count_min=4, worker_count_max=4, recycle_items=1)
    jitless, equal = through_service(tmp_path / "jitless", worker_count_min=1, worker_count_max=1, v8_flags="--jitless")
    assert one == four == jitless
    assert commitment == same == equal
    in_process = digests()["cold"]
    assert {name: one[name] for name in ("receipts", "events", "gas", "verdicts")} == {
        name: in_process[name] for name in ("receipts", "events", "gas", "verdicts")
    }
