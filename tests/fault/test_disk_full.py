"""A node whose disk fills up: commits are refused, reads go on, health and `v8vm status` say why, and it recovers."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chassis.errors import RemoteError
from gateway.client import action
from tests.fault.state_enospc import CLEAR, RESERVE_BYTES, small_disk
from tests.support.node import Node, running

pytestmark = pytest.mark.timeout(120)

WAIT_S = 20.0


def status(node: Node) -> tuple[int, dict]:
    command = [sys.executable, "-m", "gateway.cli.main", "status", "--json", "--gateway", node.gateway.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, json.loads(done.stdout)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def transfer(node: Node) -> str:
    """Sends a transfer; returns why it was refused, empty when it was executed."""
    try:
        node.client.send(
            node.accounts["alice"],
            action("token.iost", "transfer", "iost", "alice", "bobby", "1", os.urandom(200).hex()),
            timeout_s=5,
        )
    except RemoteError as error:
        return error.reason
    return ""


def take_space(node: Node, disk: Path | None) -> None:
    """Leaves half of the reserve free; without a disk of its own no file of the store may grow."""
    if disk is None:
        limit = (4096, resource.RLIM_INFINITY)
        resource.prlimit(node.services.pids["state"], resource.RLIMIT_FSIZE, limit)
        return
    stat = os.statvfs(disk)
    with (disk / "ballast").open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, stat.f_bavail * stat.f_frsize - RESERVE_BYTES // 2)


def give_space(node: Node, disk: Path | None) -> None:
    if disk is None:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(node.services.pids["state"], resource.RLIMIT_FSIZE, unlimited)
    else:
        (disk / "ballast").unlink()


@pytest.mark.parametrize("own_disk", [True, False], ids=["small disk", "limited files"])
def test_a_full_disk_is_told_by_status_and_health(tmp_path: Path, own_disk: bool) -> None:
    with small_disk() as mounted:
        if own_disk and mounted is None:
            pytest.skip("mounting is not allowed here")
        disk = mounted if own_disk else None
        node = Node(tmp_path / "node")
        state, *others = node.programs
        data_dir = (disk or tmp_path) / "state"
        flags = (f"--data-dir={data_dir}", f"--checkpoint-dir={data_dir}-checkpoints")
        flags += (f"--min-free-bytes={RESERVE_BYTES if disk else 0}",)
        node.use((replace(state, flags=flags), *others))
        with running(node):
            assert transfer(node) == ""
            until(lambda: status(node)[0] == 0)  # that there is a genesis is known everywhere after a second
            take_space(node, disk)
            until(lambda: transfer(node) in CLEAR)
            until(lambda: status(node)[0] == 1)
            _, told = status(node)
            rows = {row["kind"]: row for row in told["status"]["services"]}
            assert rows["SERVICE_KIND_STATE"]["refusal"] in CLEAR
            if disk is not None:
                assert {row["refusal"] for row in rows.values()} == {"STORAGE_FULL"}
                assert all(row["serving"] for row in rows.values())
                assert node.client.balances([("alice", "iost")])[0].amount
            give_space(node, disk)
            until(lambda: status(node)[0] == 0)
            until(lambda: transfer(node) == "")
