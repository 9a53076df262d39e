"""Attackers that use up what others need: `python -m tests.fault.exhaustion [--only NAME] [--seconds N]`.

Each attack runs beside honest callers on a VM service with a state service of its own. Honest callers are of three
kinds: of a contract that has been in use, of contracts that are new, and of dry runs. One line for each attack tells
how often each kind was answered and how long the slowest answer took.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from iost.chain.v1 import transaction_pb2
from iost.vm.v1 import compilation_service_pb2 as compilation_pb
from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.callers import Callers
from tests.support.vm_world import VmWorld, running
from vm_service.transactions import contract_id

ATTACKERS = tuple(f"mallo{number:02}" for number in range(8))
HONEST = tuple(f"user{number:05}" for number in range(6))
CALLERS = 8
"""Threads of an attack, each with one call in progress."""

ANSWER_S = 20.0
"""Time that honest callers wait for an answer."""

COUNTER = """class Counter {
    init() { storage.put('count', '0'); }
    add() { storage.put('count', new Int64(storage.get('count')).plus(1).toString()); return 'ok'; }
}
module.exports = Counter; // """
SLOW = """class Slow {
    init() {}
    quick() { return 'ok'; }
    run() { for (let i = 0; ; i++) storage.put('k' + i, 'v'); }
}
module.exports = Slow; // """


def abi(*methods: str) -> Mapping[str, Any]:
    """Returns an ABI of methods without arguments."""
    listed = [{"name": name, "args": [], "amountLimit": []} for name in methods]
    return {"lang": "javascript", "version": "1.0.0", "abi": listed}


def publish(world: VmWorld, sender: str, source: str, *methods: str) -> str:
    """Publishes a contract and returns its id."""
    outcome = world.execute(world.signer.publish(sender, source, abi(*methods))).outcomes[0]
    if outcome.receipt.status.code != 1:
        raise AssertionError(f"not published: {outcome.message} {outcome.receipt.status.message}")
    return contract_id(outcome.tx_hash)


class Honest(Callers):
    """Callers that wait for each answer and note how long it took; answers other than success are faults."""

    def __init__(self, world: VmWorld, users: tuple[str, ...]) -> None:
        super().__init__(len(users))
        self.world = world
        self.users = users
        self.times_s: list[float] = []
        self.faults: list[str] = []

    def ask(self, user: str) -> str:
        """Makes one call; returns what is wrong with its answer."""
        raise NotImplementedError

    def call(self, number: int) -> None:
        """Makes one call as user `number`."""
        began = time.monotonic()
        try:
            fault = self.ask(self.users[number])
        except grpc.RpcError as error:
            fault = f"{error.code().name}: {error.details()}"
        self.times_s.append(time.monotonic() - began)
        if fault:
            self.faults.append(fault)
            time.sleep(0.05)

    def send(self, made: transaction_pb2.Transaction) -> tuple[bytes, str]:
        """Sends a transaction; returns its hash and what is wrong with its outcome."""
        request = pb.ExecuteTransactionsRequest(transactions=[made])
        outcome = self.world.execution.ExecuteTransactions(request, timeout=ANSWER_S).outcomes[0]
        status = outcome.receipt.status
        fault = "" if status.code == 1 else f"{outcome.verdict} {outcome.message}{status.message}"
        return outcome.tx_hash, fault

    @property
    def slowest_s(self) -> float:
        """Seconds of the slowest answer."""
        return max(self.times_s, default=float("inf"))

    @property
    def median_s(self) -> float:
        """Seconds of the median answer."""
        return statistics.median(self.times_s) if self.times_s else float("inf")

    def __str__(self) -> str:
        times = f"median {self.median_s:.3f} s, slowest {self.slowest_s:.2f} s"
        return f"{len(self.times_s)} calls, {times}, {len(self.faults)} faults"


class Known(Honest):
    """Callers of a contract that was in use before the attack."""

    def __init__(self, world: VmWorld) -> None:
        super().__init__(world, HONEST[:3])
        self.contract = publish(world, HONEST[0], COUNTER, "add")
        for _ in range(3):
            self.ask(HONEST[0])

    def ask(self, user: str) -> str:
        """Calls the contract."""
        return self.send(self.world.signer.transaction(user, (self.contract, "add", ())))[1]


class New(Honest):
    """Callers that publish a contract and call it once."""

    def __init__(self, world: VmWorld) -> None:
        super().__init__(world, HONEST[3:5])
        self._serial = itertools.count()

    def ask(self, user: str) -> str:
        """Publishes and calls."""
        made = self.world.signer.publish(user, f"{COUNTER}new {next(self._serial)}", abi("add"))
        tx_hash, fault = self.send(made)
        return fault or self.send(self.world.signer.transaction(user, (contract_id(tx_hash), "add", ())))[1]


class Reads(Honest):
    """Callers of dry runs."""

    def __init__(self, world: VmWorld) -> None:
        super().__init__(world, HONEST[5:])
        self.contract = publish(world, HONEST[5], COUNTER + "read", "add")

    def ask(self, user: str) -> str:
        """Calls the contract and keeps nothing."""
        call = pb.ContractCall(contract=self.contract, action_name="add", data="[]", publisher=user)
        request = pb.CallContractsRequest(calls=[call])
        outcome = self.world.execution.CallContracts(request, timeout=ANSWER_S).outcomes[0]
        return "" if outcome.status.code == 1 else str(outcome)


class Attacker(Callers):
    """Threads that attack; what they are answered does not matter."""

    def __init__(self, world: VmWorld) -> None:
        super().__init__(CALLERS)
        self.world = world
        self.serial = itertools.count()
        self.times_s: list[float] = []
        """Seconds of each attack that was answered; at the end also those so far of the attacks that wait."""
        self._began: dict[int, float] = {}

    def start(self) -> None:
        """Starts threads that nothing waits for: calls of an attack may take minutes."""
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def end(self) -> None:
        """Ends the attack; calls in progress end with the channel."""
        self._stop.set()
        now = time.monotonic()
        self.times_s += [now - began for began in tuple(self._began.values())]

    def attack(self, number: int) -> None:
        """Attacks once."""
        raise NotImplementedError

    def call(self, number: int) -> None:
        """Attacks once as attacker `number`."""
        began = self._began[number] = time.monotonic()
        try:
            self.attack(number)
        except (grpc.RpcError, ValueError):  # ValueError: the channel was closed at the end
            time.sleep(0.01)
        if not self._stop.is_set():
            del self._began[number]
            self.times_s.append(time.monotonic() - began)

    @property
    def count(self) -> int:
        """Attacks that were answered, or wait at the end."""
        return len(self.times_s)

    @property
    def median_s(self) -> float:
        """Seconds of the median attack; endless while none has ended."""
        return statistics.median(self.times_s) if self.times_s else float("inf")


@dataclass
class Slowness:
    """Slow contracts, one for each attacker, published before the attack."""

    world: VmWorld
    contracts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.contracts = [publish(self.world, name, SLOW + name, "quick", "run") for name in ATTACKERS]


class Nothing(Attacker):
    """No attack: what the machine gives."""

    def attack(self, number: int) -> None:
        """Waits."""
        time.sleep(0.1)


class SlowQueries(Attacker):
    """Read-only calls that use up their gas: free, and many in one request."""

    def __init__(self, world: VmWorld) -> None:
        super().__init__(world)
        self._slow = Slowness(world).contracts

    def attack(self, number: int) -> None:
        """Asks for 100 slow calls."""
        calls = [pb.ContractCall(contract=self._slow[number], action_name="run", data="[]", publisher="mallo00")] * 100
        self.world.execution.CallContracts(pb.CallContractsRequest(calls=calls), timeout=600)


class SlowDryRuns(SlowQueries):
    """Dry runs of transactions for which signatures and payment are taken for granted."""

    def attack(self, number: int) -> None:
        """Asks for 100 slow dry runs."""
        made = [self.world.signer.transaction(ATTACKERS[number], (self._slow[number], "run", ())) for _ in range(100)]
        request = pb.ExecuteTransactionsRequest(transactions=made, dry_run=True, assume_signed=True, assume_paid=True)
        self.world.execution.ExecuteTransactions(request, timeout=600)


class Compiles(Attacker):
    """Requests to compile many large sources."""

    def attack(self, number: int) -> None:
        """Asks for 20 large sources."""
        line = "f(){ let a = [1,2,3].map(x => x + 1); return a.length + 'text'.length * 2; }\n"
        body = "".join(line.replace("f(", f"f{index}(") for index in range(700))
        sources = [
            compilation_pb.ContractSource(source=f"class A {{ init(){{}}\n{body} }}\nmodule.exports = A;// {index}")
            for index in range(20)
        ]
        self.world.compilation.CompileContracts(compilation_pb.CompileContractsRequest(sources=sources), timeout=600)


class SlowTrials(SlowQueries):
    """Transactions of slow contracts that use up their gas, many waiting at once."""

    def attack(self, number: int) -> None:
        """Sends 50 requests at once and waits for all."""
        pending = []
        for _ in range(50):
            if self._stop.is_set():
                return
            made = self.world.signer.transaction(ATTACKERS[number], (self._slow[number], "run", ()))
            request = pb.ExecuteTransactionsRequest(transactions=[made])
            pending.append(self.world.execution.ExecuteTransactions.future(request, timeout=600))
        for call in pending:
            if self._stop.is_set():
                call.cancel()
            else:
                call.result()


class UnsignedNames(Attacker):
    """Unsigned transactions that name thousands of contracts which do not exist."""

    def attack(self, number: int) -> None:
        """Names 2,000 contracts."""
        made = [
            transaction_pb2.Transaction(actions=[transaction_pb2.Action(contract=f"Contract{next(self.serial)}x")])
            for _ in range(2000)
        ]
        self.world.execute(*made)


class Framing(SlowQueries):
    """Transactions that name an honest contract beside a slow one, which was quick before."""

    target = ""

    def attack(self, number: int) -> None:
        """Makes a contract quick, then slow beside the honest one."""
        slow, sender = self._slow[number], ATTACKERS[number]
        self.world.execute(self.world.signer.transaction(sender, (slow, "quick", ())))
        self.world.execute(self.world.signer.transaction(sender, (self.target, "add", ()), (slow, "run", ())))
        time.sleep(0.5)


class FlipFlop(SlowQueries):
    """Contracts that are quick until they share batches with others, and slow then."""

    def attack(self, number: int) -> None:
        """Runs quickly, then slowly."""
        slow, sender = self._slow[number], ATTACKERS[number]
        self.world.execute(self.world.signer.transaction(sender, (slow, "quick", ())))
        self.world.execute(self.world.signer.transaction(sender, (slow, "run", ())))
        time.sleep(1)


ATTACKS: Mapping[str, Callable[[VmWorld], Attacker]] = {
    "nothing": Nothing,
    "queries": SlowQueries,
    "dry_runs": SlowDryRuns,
    "compiles": Compiles,
    "trials": SlowTrials,
    "names": UnsignedNames,
    "framing": Framing,
    "flips": FlipFlop,
}


@dataclass
class Toll:
    """What honest callers met during an attack."""

    known: Honest
    new: Honest
    reads: Honest
    attack: Attacker

    @property
    def kinds(self) -> Mapping[str, Honest]:
        """Callers by kind."""
        return {"known": self.known, "new": self.new, "reads": self.reads}

    def __str__(self) -> str:
        lines = [f"  {name}: {kind}" for name, kind in self.kinds.items()]
        lines += [f"    {fault[:200]}" for kind in self.kinds.values() for fault in kind.faults[:1]]
        attacks = f"{type(self.attack).__name__}: {self.attack.count} attacks, median {self.attack.median_s:.2f} s"
        return "\n".join([attacks, *lines])


def suffer(name: str, folder: Path, seconds: float, workers: int = 2) -> Toll:
    """Runs an attack beside honest callers on a fresh VM service."""
    sizes = {"worker_count_min": workers, "worker_count_max": workers}
    with running(folder, users=[*HONEST, *ATTACKERS], **sizes) as world:
        known, new, reads = Known(world), New(world), Reads(world)
        attack = ATTACKS[name](world)
        if isinstance(attack, Framing):
            attack.target = known.contract
        toll = Toll(known, new, reads, attack)
        attack.start()
        time.sleep(1)
        with known, new, reads:
            time.sleep(seconds)
        attack.end()
        return toll


def main() -> int:
    """Runs attacks and prints what honest callers met."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.exhaustion", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(ATTACKS), help="an attack, instead of all")
    parser.add_argument("--seconds", type=float, default=8, help="seconds of honest calls beside each attack")
    parser.add_argument("--workers", type=int, default=2, help="workers of the VM service")
    arguments = parser.parse_args()
    for name in arguments.only or ATTACKS:
        with tempfile.TemporaryDirectory() as folder:
            print(suffer(name, Path(folder), arguments.seconds, arguments.workers), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
