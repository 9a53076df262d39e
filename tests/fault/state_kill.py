"""kill -9 of the state service at random moments under concurrent commits over gRPC.

One store lives through all rounds. A round: start the service, let callers commit, kill it, start it again, compare
with what the callers were told; `VerifyRange` recomputes the chain. A round in which too little was acknowledged
proves nothing and is run again. After the last round the store is checked offline.
"""

import asyncio
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from chassis.channels import CallPolicy, aio_channel
from iost.state.v1 import admin_service_pb2, admin_service_pb2_grpc, state_service_pb2_grpc
from iost.state.v1 import state_service_pb2 as pb
from tests.fault.report import Report
from tests.fault.state_ledger import FIELDS, Acknowledged, Verdict, batch, judge
from tests.support.state_process import StateProcess

CALLERS = 16
MINIMUM_ANSWERS = 20
"""A round with fewer acknowledged commits is not counted."""

SETTINGS = {
    "retained_versions": 8,
    "flush_age_ms": 5,
    "flush_bytes": 1,
    "feed_versions": 1_000_000,
    "cache_bytes": 65_536,
    "min_free_bytes": 0,
}
NO_RETRY = (CallPolicy(attempts=1, timeout_ms=5000),)


@dataclass(slots=True)
class Round:
    """What one round's callers did and heard."""

    attempted: list[str] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)


def to_request(writer: str, number: int) -> pb.CommitRequest:
    """Makes the commit of a writer with a number, as a message."""
    made = batch(writer, number)
    writes = [pb.Write(key=key, value=value) for key, value in made.writes.items()]
    durability = pb.DURABILITY_BUFFERED if number % 10 == 9 else pb.DURABILITY_SYNCED
    return pb.CommitRequest(commit_id=made.commit_id, writes=writes, durability=durability)


async def call_until_dead(stub: state_service_pb2_grpc.StateServiceStub, writer: str, seen: Round) -> None:
    """Commits until the service is gone."""
    for number in range(1_000_000):
        request = to_request(writer, number)
        seen.attempted.append(request.commit_id.decode())
        try:
            answer = await stub.Commit(request)
        except grpc.aio.AioRpcError:
            return
        # A killed process loses no page of the operating system: buffered commits must be there as well.
        seen.acknowledged.append(
            Acknowledged(request.commit_id.decode(), answer.version, answer.commitment.hex(), durable=True)
        )


async def load_and_kill(process: StateProcess, prefix: str, seed: random.Random) -> Round:
    """Lets callers commit and kills the service under them."""
    seen = Round()
    async with aio_channel(process.address, policies=NO_RETRY) as channel:
        stub = state_service_pb2_grpc.StateServiceStub(channel)
        calls = [asyncio.create_task(call_until_dead(stub, f"{prefix}w{n}", seen)) for n in range(CALLERS)]
        await asyncio.sleep(seed.uniform(0.05, 0.4))
        await asyncio.to_thread(process.kill)
        await asyncio.gather(*calls)
    return seen


async def judge_service(address: str, seen: Round, first_version: int = 0) -> Verdict:
    """Compares the restarted service with what the callers heard: every commit is sent again, every key is read.

    Args:
        address: Where the service listens.
        seen: What the callers heard.
        first_version: Where recomputing the commitments begins; 0: at the oldest recorded.
    """
    verdict = Verdict()
    async with aio_channel(address, policies=NO_RETRY) as channel:
        state = state_service_pb2_grpc.StateServiceStub(channel)
        first = {answer.commit_id: answer for answer in seen.acknowledged}
        for commit_id in seen.attempted:
            keys = [f"{commit_id}/{n}".encode() for n in range(FIELDS)]
            entries = (await state.BatchGet(pb.BatchGetRequest(keys=keys))).entries
            present = [entry.value == commit_id.encode() for entry in entries]
            dry = pb.CommitRequest(commit_id=commit_id.encode(), validate_only=True)
            answer = await state.Commit(dry)
            verdict.torn += present != [answer.duplicate] * FIELDS
            told = first.get(commit_id)
            if told is not None:
                same = (answer.version, answer.commitment.hex()) == (told.version, told.commitment)
                verdict.lost += not (answer.duplicate and same)
        admin = admin_service_pb2_grpc.AdminServiceStub(channel)
        report = await admin.VerifyRange(admin_service_pb2.VerifyRangeRequest(first_version=first_version))
        if report.mismatch_version:
            verdict.broken = f"commitment of version {report.mismatch_version}"
    return verdict


def run(rounds: int, seed: int) -> Report:
    """Runs the rounds."""
    chance, total, answers, done = random.Random(seed), Verdict(), 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "state"
        process = StateProcess(folder, **SETTINGS)
        try:
            for attempt in range(rounds * 3):
                seen = asyncio.run(load_and_kill(process, f"r{attempt}", chance))
                process = StateProcess(folder, **SETTINGS)
                oldest = min((answer.version for answer in seen.acknowledged), default=0)
                total.add(asyncio.run(judge_service(process.address, seen, oldest)))
                answers += len(seen.acknowledged)
                done += len(seen.acknowledged) >= MINIMUM_ANSWERS
                if done == rounds or not total.passed:
                    break
        finally:
            process.kill()
        total.add(judge(folder, [], []))
    passed = total.passed and done == rounds
    return Report("kill", f"{done} rounds, {total} ({answers} commits acknowledged)", passed)
