"""One run: start the stack, load it, break it, let it heal, read the record, judge.

    python -m tests.fault.consistency.run --seconds 60 --seed 3 [--faults "kill state,kill workers"] [--keep FOLDER]

A round of `run` plays every fault once. The history and the logs of the services stay in the folder of a failed run.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chassis.channels import aio_channel
from gateway.client import Account, Client
from gateway.demo import genesis
from iost.chain.v1.block_pb2 import BlockHeader
from iost.state.v1.state_service_pb2 import StreamChangesRequest
from iost.state.v1.state_service_pb2_grpc import StateServiceStub
from tests.fault.consistency import check, stack, wire
from tests.fault.consistency import history as log
from tests.fault.consistency.nemesis import Nemesis
from tests.fault.consistency.workload import Workload, after
from tests.fault.report import Report

HERE = Path(__file__).parent
CALLERS = 8
SHORT = (
    "kill state again and again",
    "kill workers",
    "stop vm1",
    "another branch becomes final",
    "the head is discarded",
)
"""Faults of the short form: one of each sort."""

CAUGHT_UP_S = 15.0
"""Time in which subscribers must have read everything, once nothing is written any more."""

LEAST_ANSWERS = 50
"""Answers below which a run proves nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is played."""

    seed: int
    faults: Sequence[str] = ()
    """Names of the faults; empty: all."""
    settle_s: float = 3.0
    hold_s: Sequence[float] = (1.0, 3.0, 7.0)
    callers: int = CALLERS


@dataclass(slots=True)
class Result:
    """What a run came to."""

    findings: check.Findings
    history: Path
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the run was sound and nothing was found."""
        return self.findings.passed and not self.problems

    def __str__(self) -> str:
        return "\n".join([str(self.findings), *(f"PROBLEM {problem}" for problem in self.problems)])


async def play(folder: Path, options: Options) -> Result:
    """Plays one run in an empty folder."""
    async with stack.running(folder) as services:
        accounts, contracts = await asyncio.to_thread(_prepare, services, folder)
        workload = Workload([part.address for part in services.gateways], accounts, contracts, options.seed)
        try:
            first = (await workload.clients[0].head()).version
            await _load(services, workload, options)
            commits = await _record(services.state.address, first)
        finally:
            await workload.close()
        tracebacks = services.tracebacks()
    recorder = log.Recorder(folder / "history.jsonl")
    for entry in [*workload.entries(), *commits]:
        recorder.add(entry)
    recorder.close()
    history = log.History.load(folder / "history.jsonl")
    result = Result(check.check(history), folder / "history.jsonl")
    result.problems += [f"a traceback in a log: {line[:400]}" for line in tracebacks[:3]]
    answers = sum(made.answered for made in workload.made)
    if answers < LEAST_ANSWERS:
        result.problems.append(f"only {answers} answers: the run proves nothing")
    return result


def _prepare(services: stack.Stack, folder: Path) -> tuple[list[Account], list[str]]:
    """Makes the chain's first version and publishes the contracts of the workload."""
    with Client(services.gateways[0].address) as client:
        accounts = genesis.prepare(client, services.state.address, folder)
        source = (HERE / "lists.js").read_text()
        abi = {"lang": "javascript", "version": "1.0.0", "abi": [{"name": "run", "args": ["string", "json"]}]}
        contracts = [client.publish(accounts["admin"], source, abi).contract_id for _ in range(2)]
    return [account for name, account in accounts.items() if name != "admin"], contracts


async def _load(services: stack.Stack, workload: Workload, options: Options) -> None:
    head = await workload.clients[0].head()
    nemesis = Nemesis(services, workload, options.seed, hold_s=options.hold_s)
    async with asyncio.TaskGroup() as followers:
        following = [
            followers.create_task(workload.follow(after(head))),
            followers.create_task(workload.follow(after(head), final_only=True)),
            followers.create_task(workload.follow_by_hand(after(head))),
        ]
        async with asyncio.TaskGroup() as group:
            for _ in range(options.callers):
                group.create_task(workload.caller(with_blocks=True))
            for _ in range(2):
                group.create_task(workload.reader())
            group.create_task(workload.repeater())
            await asyncio.sleep(options.settle_s)
            await nemesis.run(options.faults or nemesis.plans(), options.settle_s)
            workload.stopping = True
        head = await workload.clients[0].head()
        await workload.clients[0].finalize_block(head.block_id)
        workload.seen.append(await workload.read(workload.keys.all))
        await _caught_up(workload)
        for task in following:
            task.cancel()


async def _caught_up(workload: Workload) -> None:
    """Waits until subscribers got nothing for a second; the judge finds out whether they got everything."""
    until = time.monotonic() + CAUGHT_UP_S
    count = -1
    while count != len(workload.seen) and time.monotonic() < until:
        count = len(workload.seen)
        await asyncio.sleep(1.5)


async def _record(address: str, first: int) -> list[log.Commit]:
    """Reads the main chain from the state service, from the version after `first` on."""
    found = []
    async with aio_channel(address) as channel:
        request = StreamChangesRequest(from_version=first + 1, until_head=True)
        async for record in StateServiceStub(channel).StreamChanges(request):
            header = BlockHeader.FromString(record.header)
            found.append(
                log.Commit(
                    *(record.version, record.commit_id.hex(), record.parent_id.hex(), record.commitment.hex()),
                    *(header.number, header.time_ns),
                    [wire.stored(item.tx_hash, item.receipt, item.events) for item in record.transactions],
                )
            )
    return found


def run(rounds: int, seed: int) -> Report:
    """Plays every fault once a round; fails on any anomaly."""
    chance = random.Random(seed)
    texts, passed = [], True
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="consistency-"))
        result = asyncio.run(play(folder, Options(chance.randrange(2**32))))
        passed &= result.passed
        counts = result.findings.counts
        texts.append(f"{counts['transactions']} transactions, {counts['versions']} versions")
        if not result.passed:
            texts.append(f"{result}\nhistory and logs: {folder}")
    return Report("consistency", "; ".join(texts), passed)


def main() -> int:
    """Plays one run and prints what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.consistency.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default="", help="names separated by commas; empty: all")
    parser.add_argument("--settle-s", type=float, default=3.0, help="seconds of rest after each fault")
    parser.add_argument("--folder", type=Path, help="keep everything here")
    arguments = parser.parse_args()
    faults = [name.strip() for name in arguments.faults.split(",") if name.strip()]
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="consistency-"))
    folder.mkdir(parents=True, exist_ok=True)
    result = asyncio.run(play(folder, Options(arguments.seed, faults, arguments.settle_s)))
    print(result)
    print(f"history and logs: {folder}")
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
