"""One chain of blocks for every configuration: fixed keys, times and contents, all sample contracts and a nasty one.

`python -m tests.conformance.replay [--v8-flag=FLAG ...] [--snapshot] [--fresh]` executes it in this process, cold and
then hot, and prints a JSON object of digests: equal objects mean equal receipts, events, gas and state, byte for byte.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iost.chain.v1 import block_pb2, transaction_pb2
from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.memory_state import MemoryState
from tests.support.vm_world import KEY, PUBLIC_KEY, SECOND_NS, first_version
from vm_service import convert, transactions
from vm_service.model import Batch, Limits, Mode, View
from vm_service.sandbox import snapshot
from vm_service.worker.executor import Executor
from vm_service.worker.snapshot_builder import compile_all, run_step
from vm_service.worker.state_reader import CommitRequest

CHAIN_ID = 1024
START_NS = 1_700_000_000 * SECOND_NS
USERS = ("alice", "bobby", "carol", "david")
SAMPLES = Path(__file__).parents[2] / "gateway" / "demo" / "contracts"
BLOCK_SIZE = 40

NASTY = """class Nasty {
    init() {}
    numbers(seed) {
        let x = seed, out = [];
        for (let i = 0; i < 40; i++) {
            x = (x * 1103515245 + 12345) % 2147483648;
            out.push(x / 7, Math.sqrt(x), x.toFixed(3));
        }
        return JSON.stringify([out, 0.1 + 0.2, 1e21, -0, 1 / 3, NaN, Infinity, (25).toString(36)]);
    }
    sorting(seed) {
        let x = seed, list = [];
        for (let i = 0; i < 60; i++) { x = (x * 16807) % 2147483647; list.push({ k: x % 5, i: i }); }
        list.sort((a, b) => a.k - b.k);
        return list.map((item) => item.i).join();
    }
    texts(seed) {
        const s = 'İıŞß' + seed + 'é';
        const parts = [s.length, s.split('').reverse().join(''), s.indexOf('ß'), s.slice(1, 3)];
        return parts.concat([s.concat('x').charCodeAt(2)]).join('|');
    }
    depth(n) { return n === 0 ? 0 : 1 + this.depth(n - 1); }
    spin(n) { let s = 0; for (let i = 0; i < n; i++) { s = (s * 31 + i) % 1000003; } return s; }
    big(n) { return new BigNumber(2).pow(n).div(3).toString(); }
    boom(text) { throw new Error('boom ' + text); }
}
module.exports = Nasty;
"""
NASTY_ABI = {
    "lang": "javascript",
    "version": "1.0.0",
    "abi": [
        {"name": name, "args": [kind], "amountLimit": []}
        for name, kind in [
            ("numbers", "number"),
            ("sorting", "number"),
            ("texts", "string"),
            ("depth", "number"),
            ("spin", "number"),
            ("big", "number"),
            ("boom", "string"),
        ]
    ],
}


@dataclass(frozen=True)
class Block:
    """A block to execute."""

    header: block_pb2.BlockHeader
    transactions: Sequence[transaction_pb2.Transaction]


def _sign(made: transaction_pb2.Transaction) -> transaction_pb2.Transaction:
    signature = KEY.sign(transactions.digest(transactions.canonical_forms(made).publish))
    made.publisher_signatures.add(algorithm=2, signature=signature, public_key=PUBLIC_KEY)
    return made


def _transaction(number: int, publisher: str, *actions: tuple[str, str, list[object]]) -> transaction_pb2.Transaction:
    time_ns = START_NS + number
    return _sign(
        transaction_pb2.Transaction(
            time_ns=time_ns,
            expiration_ns=time_ns + 80 * SECOND_NS,
            gas_ratio=100,
            gas_limit=400_000_000 if number % 17 else 5_000_000,
            chain_id=CHAIN_ID,
            publisher=publisher,
            actions=[
                transaction_pb2.Action(contract=contract, action_name=name, data=json.dumps(arguments))
                for contract, name, arguments in actions
            ],
            amount_limits=[transaction_pb2.AmountLimit(token="*", value="unlimited")],
        )
    )


def _contracts() -> Iterator[tuple[str, dict[str, object]]]:
    for path in sorted(SAMPLES.glob("*.js")):
        yield path.read_text("utf-8"), json.loads(path.with_suffix(".js.abi").read_text("utf-8"))
    yield NASTY, NASTY_ABI


def _id_of(made: transaction_pb2.Transaction) -> str:
    return transactions.contract_id(transactions.digest(transactions.canonical_forms(made).full))


def _steps(ids: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, str, list[object]]]]]:
    """Yields publishers and actions without end, always the same."""
    counter, bet, token, nasty = ids
    dice = random.Random(42)
    while True:
        sender, receiver = dice.sample(USERS, 2)
        amount, number = f"{dice.randint(1, 900) / 100}", dice.randint(0, 10**6)
        yield dice.choice(
            [
                (sender, [("token.iost", "transfer", ["iost", sender, receiver, amount, "m"])]),
                (sender, [("token.iost", "transfer", ["iost", receiver, sender, amount, "theft"])]),
                (sender, [(counter, "add", [number])]),
                (sender, [(counter, "add", [-1])]),
                ("admin", [(token, "issue", [receiver, f"{number}"])]),
                (sender, [(token, "transfer", [sender, receiver, "5", "x"])]),
                (sender, [(bet, "bet", [sender, number % 10, "1.5"])]),
                (sender, [(nasty, dice.choice(["numbers", "sorting"]), [number])]),
                (sender, [(nasty, "texts", [f"{number}ğ"])]),
                (sender, [(nasty, "depth", [number % 400])]),
                (sender, [(nasty, "spin", [number % 30_000])]),
                (sender, [(nasty, "big", [number % 300])]),
                (sender, [(counter, "add", [1]), (nasty, "boom", [f"{number}"]), (counter, "add", [1])]),
                (sender, [("Contractnothing", "x", [])]),
            ]
        )


def blocks(count: int = 10) -> list[Block]:
    """Returns the chain: a block of publications, then blocks of everything."""
    published = [
        _transaction(n, "admin", ("system.iost", "setCode", [json.dumps({"info": abi, "code": source})]))
        for n, (source, abi) in enumerate(_contracts(), start=1)
    ]
    steps = _steps([_id_of(made) for made in published])
    contents = [published]
    number = len(published)
    for _ in range(count):
        content = []
        for _ in range(BLOCK_SIZE):
            number += 1
            publisher, actions = next(steps)
            content.append(_transaction(number, publisher, *actions))
        contents.append(content)
    return [
        Block(
            block_pb2.BlockHeader(
                number=height,
                parent_hash=bytes([height]) * 32,
                witness="witness",
                time_ns=START_NS + SECOND_NS * height,
            ),
            content,
        )
        for height, content in enumerate(contents, start=1)
    ]


class Digests:
    """Hashes over what came out."""

    def __init__(self) -> None:
        self._receipts = hashlib.sha256()
        self._events = hashlib.sha256()
        self._state = hashlib.sha256()
        self.gas: list[int] = []
        self.verdicts: dict[str, int] = {}

    def add(self, outcomes: Iterable[pb.TransactionOutcome]) -> None:
        """Takes the outcomes of a block in."""
        for outcome in outcomes:
            self._receipts.update(outcome.receipt.SerializeToString(deterministic=True) + outcome.message.encode())
            for event in outcome.events:
                self._events.update(event.SerializeToString(deterministic=True))
            self.gas.append(outcome.receipt.gas_usage)
            name = f"{outcome.verdict}/{outcome.receipt.status.code}"
            self.verdicts[name] = self.verdicts.get(name, 0) + 1

    def add_state(self, reads: Mapping[str, int], writes: Mapping[str, str | None]) -> None:
        """Takes what a block read and wrote in."""
        self._state.update(json.dumps([dict(reads), dict(writes)], sort_keys=True).encode())

    def result(self) -> dict[str, object]:
        """Returns everything that must be equal."""
        return {
            "receipts": self._receipts.hexdigest(),
            "events": self._events.hexdigest(),
            "state": self._state.hexdigest(),
            "gas": hashlib.sha256(json.dumps(self.gas).encode()).hexdigest(),
            "verdicts": dict(sorted(self.verdicts.items())),
        }


class Replay:
    """The chain on a store in memory, executed by an executor that may be replaced between blocks."""

    def __init__(self, flags: tuple[str, ...], *, fresh: bool) -> None:
        self._limits = Limits(flags=flags, transaction_ms=60_000)
        self._fresh = fresh
        self._state = MemoryState()
        self._state.commit(CommitRequest(b"genesis", b"", {}, _elsewhere("genesis")))
        self._executor = Executor(self._state, limits=self._limits)

    def execute(self, block: Block, digests: Digests, at: View | None = None) -> None:
        """Executes a block, on top or at an earlier version; commits it when on top."""
        if self._fresh:
            self._executor.close()
            self._executor = Executor(self._state, limits=self._limits)
        admitted = [transactions.admit(made, CHAIN_ID) for made in block.transactions]
        context = convert.block_context(block.header)
        batch = Batch(Mode.EXECUTE, lambda *_: context, [item.kernel for item in admitted], at=at)
        result = self._executor.run(batch)
        if at is None:
            commit_id = hashlib.sha256(block.header.SerializeToString(deterministic=True)).digest()
            committed = self._state.commit(CommitRequest(commit_id, b"", result.reads, result.writes))
            self._executor.settle(result, commit_id, committed)
        else:
            self._executor.drop(result)
        pairs = zip(admitted, result.results, strict=True)
        digests.add(convert.to_outcome(item.tx_hash, found, details=False) for item, found in pairs)
        digests.add_state(result.reads, result.writes)

    def run(self) -> dict[str, object]:
        """Executes the chain twice, the second time with everything hot; returns what came out."""
        chain, cold, hot = blocks(), Digests(), Digests()
        for block in chain:
            self.execute(block, cold)
        for height, block in enumerate(chain, start=1):
            self.execute(block, hot, View(height))
        self._executor.close()
        return {"cold": cold.result(), "hot": hot.result(), "commitment": self._state.commitment.hex()}


def _elsewhere(what: str) -> Any:
    """Returns what another process makes, which uses an engine of its own: `genesis` or `images`."""
    command = [sys.executable, "-m", "tests.conformance.replay", f"--only={what}"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def _make(what: str) -> object:
    if what == "genesis":
        return dict(first_version(USERS).writes)
    sources = {str(number): source for number, (source, _) in enumerate(_contracts())}
    found = [item.compiled for item in compile_all(sources, ())]
    return [(item.key, item.image, item.meta) for item in found]


def adopt_snapshot(flags: tuple[str, ...]) -> None:
    """Lets this process start its isolates from a snapshot of the runtime and all contracts of the chain."""
    images = {key: (key, image, meta) for key, image, meta in _elsewhere("images")}
    script = snapshot.source(item for _, item in sorted(images.items()))
    snapshot.adopt(run_step("make", flags, script.encode()), flags)


def main() -> None:
    """Prints the digests and leaves."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.replay", description=__doc__)
    parser.add_argument("--v8-flag", action="append", default=[], help="V8 flag beyond the fixed ones")
    parser.add_argument("--snapshot", action="store_true", help="start from a snapshot of everything")
    parser.add_argument("--fresh", action="store_true", help="each block in a sandbox of its own")
    parser.add_argument("--only", help="only make what the others need")
    options = parser.parse_args()
    flags = tuple(options.v8_flag)
    if options.only:
        print(json.dumps(_make(options.only)), flush=True)
        os._exit(0)
    if options.snapshot:
        adopt_snapshot(flags)
    print(json.dumps(Replay(flags, fresh=options.fresh).run()), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
