"""A full disk: commits are refused with a clear status, reads go on, and with space back the service goes on by itself.

Three kinds of rounds:

    guarded      small tmpfs, filled by a ballast file; the service keeps a reserve and refuses before a write begins
    unguarded    the same without reserve: RocksDB runs into the wall, the write is uncertain, the store is reopened
    limited      a limit on the size of a file instead of the small disk; needs no right to mount

Where mounting is not allowed all rounds are limited ones, and the line says so.
"""

import asyncio
import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from chassis.channels import aio_channel
from chassis.errors import from_rpc_error
from iost.state.v1 import state_service_pb2 as pb
from iost.state.v1 import state_service_pb2_grpc
from tests.fault.report import Report
from tests.fault.state_kill import NO_RETRY, SETTINGS, Round, judge_service, to_request
from tests.fault.state_ledger import Acknowledged, Verdict, judge
from tests.support.state_process import StateProcess

DISK_BYTES = 48 << 20
RESERVE_BYTES = 8 << 20
RESUME_S = 5.0
"""Within this the service takes commits again after space returned, without anybody's help."""

KINDS = ("guarded", "unguarded", "limited")

CLEAR = {"STORAGE_FULL", "WRITES_STOPPED"}
"""What a refused caller may be told."""


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """Mounts a small file system; None where that is not allowed."""
    with tempfile.TemporaryDirectory() as scratch:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", scratch]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            yield None
            return
        try:
            yield Path(scratch)
        finally:
            subprocess.run(["umount", scratch], check=True)


class Wall:
    """Where the service runs out of space, and how it gets it back."""

    def __init__(self, disk: Path | None, scratch: Path, name: str, kind: str) -> None:
        """Prepares a folder on the small disk, or anywhere for a limited round."""
        self.kind = kind
        self.disk = disk
        self.folder = (scratch if kind == "limited" or disk is None else disk) / name

    def close(self, process: StateProcess) -> None:
        """Takes space away until next to nothing is left."""
        if self.kind == "limited" or self.disk is None:
            largest = max(path.stat().st_size for path in (self.folder / "db").glob("*.log"))
            resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (largest + (256 << 10), resource.RLIM_INFINITY))
            return
        stat = os.statvfs(self.disk)
        left = RESERVE_BYTES + (1 << 20) if self.kind == "guarded" else 64 << 10
        with (self.disk / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, max(1, stat.f_bavail * stat.f_frsize - left))

    def open(self, process: StateProcess) -> None:
        """Gives the space back."""
        if self.kind == "limited" or self.disk is None:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, unlimited)
        else:
            (self.disk / "ballast").unlink()

    def remove(self) -> None:
        """Cleans up."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.disk is not None:
            (self.disk / "ballast").unlink(missing_ok=True)


async def commit_until(
    stub: state_service_pb2_grpc.StateServiceStub, writer: str, seen: Round, *, refused: bool, limit_s: float
) -> str:
    """Commits until one is refused, or until one is not.

    Returns:
        The reason of the last refusal; empty when there was none.
    """
    reason, deadline = "", time.monotonic() + limit_s
    for number in range(1_000_000):
        request = to_request(writer, number)
        request.answer = os.urandom(20_000)  # fills the disk soon
        seen.attempted.append(request.commit_id.decode())
        try:
            answer = await stub.Commit(request)
        except grpc.aio.AioRpcError as error:
            reason = from_rpc_error(error).reason
            if refused:
                return reason
            await asyncio.sleep(0.05)
        else:
            seen.acknowledged.append(
                Acknowledged(request.commit_id.decode(), answer.version, answer.commitment.hex(), durable=True)
            )
            if not refused:
                return reason
        if time.monotonic() > deadline:
            raise AssertionError(f"{'never refused' if refused else f'still refused with {reason}'}")
    raise AssertionError("unreachable")


async def one_round(process: StateProcess, wall: Wall, name: str) -> tuple[Verdict, str]:
    """Fills the disk under the service, looks at it, gives space back, looks again."""
    seen = Round()
    async with aio_channel(process.address, policies=NO_RETRY) as channel:
        stub = state_service_pb2_grpc.StateServiceStub(channel)
        await commit_until(stub, f"{name}a", seen, refused=False, limit_s=10)
        wall.close(process)
        reason = await commit_until(stub, f"{name}b", seen, refused=True, limit_s=20)
        await check_reads(stub, seen.attempted[0])
        wall.open(process)
        await commit_until(stub, f"{name}c", seen, refused=False, limit_s=RESUME_S)
    return await judge_service(process.address, seen), reason


async def check_reads(stub: state_service_pb2_grpc.StateServiceStub, commit_id: str) -> None:
    """Reads while the disk is full. Only while the store is reopened, which takes a moment, may a read have to wait."""
    deadline = time.monotonic() + 2
    while True:
        try:
            got = await stub.BatchGet(pb.BatchGetRequest(keys=[f"{commit_id}/0".encode()]))
        except grpc.aio.AioRpcError:
            if time.monotonic() > deadline:
                raise AssertionError("reads must go on while the disk is full") from None
            await asyncio.sleep(0.02)
            continue
        assert got.entries[0].value == commit_id.encode(), "a read must tell the truth while the disk is full"
        return


def run(rounds: int, seed: int) -> Report:
    """Runs the rounds, the kinds in turn."""
    chance, total, told = random.Random(seed), Verdict(), Counter[str]()
    with small_disk() as disk, tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            kind = KINDS[number % len(KINDS)] if disk else "limited"
            wall = Wall(disk, Path(scratch), f"state{number}", kind)
            settings = {**SETTINGS, "min_free_bytes": RESERVE_BYTES if kind == "guarded" else 0}
            process = StateProcess(wall.folder, **settings)
            try:
                verdict, reason = asyncio.run(one_round(process, wall, f"r{chance.randrange(10**6)}"))
                total.add(verdict)
                told[f"{kind} {reason}"] += 1
                if reason not in CLEAR:
                    total.broken = f"{kind}: refused with {reason}"
            except AssertionError as error:
                total.broken = total.broken or f"{kind}: {error}"
            finally:
                process.kill()
            total.add(judge(wall.folder, [], []))
            wall.remove()
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(told.items()))
    return Report("enospc", f"{rounds} rounds, {total} ({kinds})", total.passed)
