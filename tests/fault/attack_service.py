"""Runs hostile contracts against a whole VM service: `python -m tests.fault.attack_service FILE`.

The payloads are those of `tests.fault.attacks`, which runs them in executors; here they meet manager, worker process,
confinement and store. A payload is contained when it ended as it may, the worker is the same process as before (unless
it was stopped for its memory), and `then_code` returns `ok` or ends exactly as it does before the attack. One line for
each payload that is not contained; the last line counts.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iost.chain.v1 import block_pb2, transaction_pb2
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import worker_service_pb2 as worker_pb
from tests.fault.attacks import load, nameless
from tests.support.vm_world import VmWorld, running
from vm_service.transactions import contract_id

ABI: Mapping[str, Any] = {
    "lang": "javascript",
    "version": "1.0.0",
    "abi": [{"name": "run", "args": [], "amountLimit": []}],
}
NEXT = "class Contract{ init(){} run(){ return 'ok'; } }\nmodule.exports=Contract;"
"""What runs next in the same worker when a payload brings nothing of its own."""

OUT_OF_GAS = "out of gas"
CLEAN = ("isolated", '["ok"]')
LEAK = "LEAK"
ABNORMAL = {pb.VERDICT_MEMORY: "memory", pb.VERDICT_TIMEOUT: "timeout", pb.VERDICT_CRASH: "crash"}


@dataclass(frozen=True)
class Verdict:
    """What became of one payload."""

    name: str
    kind: str
    accepted: Sequence[str]
    got: str
    detail: str
    problem: str = ""
    """What was wrong afterwards; empty: nothing."""

    @property
    def contained(self) -> bool:
        """Whether it ended as it may, and left nothing behind."""
        return self.got in self.accepted and not self.problem

    def __str__(self) -> str:
        problem = f"; {self.problem}" if self.problem else ""
        text = self.detail.replace("\n", "\\n")[:160]
        return f"{self.name} ({self.kind}): got {self.got} [{text}], accepted {list(self.accepted)}{problem}"


class Range:
    """A VM service with one worker, on which payloads are tried one after the other."""

    def __init__(self, world: VmWorld) -> None:
        self._world = world

    def _worker(self) -> tuple[int, int]:
        """Returns how many workers were lost, and the process that takes work."""
        listing = self._world.workers.ListWorkers(worker_pb.ListWorkersRequest())
        busy = [worker.pid for worker in listing.workers if worker.batch_count]
        return listing.restart_count, busy[0] if busy else 0

    def attempt(self, code: str) -> tuple[str, str]:
        """Publishes and calls a contract; returns what became of it and the text of its answer."""
        sender = self._world.users[0]
        outcome = self._run(self._world.signer.publish(sender, code, ABI))
        got, text = classify(outcome)
        if got != "isolated":
            return got, text
        return classify(self._run(self._world.signer.transaction(sender, (contract_id(outcome.tx_hash), "run", ()))))

    def _run(self, made: transaction_pb2.Transaction) -> pb.TransactionOutcome:
        head = self._world.head()
        now_ns = max(time.time_ns(), head.time_ns + 1)
        header = block_pb2.BlockHeader(
            number=head.number + 1, parent_hash=head.block_hash, witness="witness", time_ns=now_ns
        )
        return self._world.execute(made, header=header).outcomes[0]

    def judge(self, payload: Mapping[str, Any]) -> Verdict:
        """Tries one payload."""
        probe = payload.get("then_code") or NEXT
        untouched = self.attempt(probe)
        before = self._worker()
        got, text = self.attempt(payload["code"])
        problem = "" if self._worker() == before or got == "memory" else "the worker did not survive"
        after = self.attempt(probe)
        if after != CLEAN and (LEAK in after[1] or nameless(repr(after)) != nameless(repr(untouched))):
            problem = problem or f"the next contract ended with {after}, before the attack with {untouched}"
        return Verdict(payload["name"], payload["class"], payload["accept"], got, text, problem)


def classify(outcome: pb.TransactionOutcome) -> tuple[str, str]:
    """Returns what became of a transaction, and its text."""
    if outcome.verdict in ABNORMAL:
        return ABNORMAL[outcome.verdict], outcome.message
    if outcome.verdict != pb.VERDICT_EXECUTED:
        return "error", outcome.message
    message = outcome.receipt.status.message
    if outcome.receipt.status.code == 1:
        return "isolated", outcome.receipt.returns[0]
    return ("gas" if message == OUT_OF_GAS else "error"), message


def run(payloads: Iterable[Mapping[str, Any]], data_dir: Path, **flags: object) -> Iterator[Verdict]:
    """Tries payloads on a fresh VM service; yields what became of each."""
    with running(data_dir, users=("alice", "bobby"), worker_count_min=1, worker_count_max=1, **flags) as world:
        place = Range(world)
        for payload in payloads:
            yield place.judge(payload)


def main() -> int:
    """Runs a payload file; returns 0 when everything was contained."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.attack_service", description=__doc__)
    parser.add_argument("file", type=Path, help="payloads, a JSON list")
    parser.add_argument("--only", action="append", metavar="NAME", help="a payload, instead of all; may be repeated")
    parser.add_argument("--verbose", action="store_true", help="a line for each payload")
    arguments = parser.parse_args()
    payloads = load(arguments.file)
    if arguments.only:
        payloads = [payload for payload in payloads if payload["name"] in arguments.only]
    contained = 0
    with tempfile.TemporaryDirectory() as folder:
        for verdict in run(payloads, Path(folder)):
            contained += verdict.contained
            if arguments.verbose or not verdict.contained:
                print(verdict, flush=True)
    print(f"{contained} contained, {len(payloads) - contained} not")
    return 0 if contained == len(payloads) else 1


if __name__ == "__main__":
    sys.exit(main())
