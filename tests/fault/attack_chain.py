"""A chain for one hostile payload after another: publishes its text, calls `run`, and tells how that ended.

Runs inside a child process (`attack_child.py`), on the executor that workers use, with the limits of production:
4,000,000 gas, the transaction timer, the heap limit. One executor serves many payloads, as a worker would.
"""

import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tests.conformance import operations
from tests.conformance.scenario import ContractSource, Scenario
from tests.conformance.world import Outcome, World
from vm_service.model import Limits
from vm_service.sandbox.isolate import DeadlineError, IsolateError, OutOfMemoryError, StuckError

NATIVES = {
    "token.iost": "1.0.6",
    "token721.iost": "1.0.0",
    "system.iost": "1.0.0",
    "gas.iost": "1.0.0",
    "domain.iost": "0.0.0",
}
ACCOUNTS = ("alice", "bob", "victim")
KEY = "217WLmtNfLsTzNjuyKfBo4jvApUUdVoxVLEcEktS3zM3U"
ABI = {"lang": "javascript", "version": "1.0.0", "abi": [{"name": "run", "args": [], "amountLimit": []}]}
GAS_LIMIT = 400_000_000
"""Hundredths: 4,000,000 gas, the most that a transaction may buy."""

PLENTY = 10**12
BLOCK_TIME_NS = 1_600_000_000_000_000_000

HOST_TRACE = re.compile(
    r"\.py\b|\.so\b|/usr/|/home/|/work/|/tmp/|node_modules|_IOST\$|V8VM|py_mini_racer|kernel/\d|\bat .*:\d+:\d+"
)
"""What no text that a contract or a caller sees may hold."""


@dataclass(frozen=True)
class Ending:
    """How a payload ended."""

    kind: str
    """`error`, `gas` or `isolated` (it returned); `memory`, `timeout`, `wedged` or `bug` when no rule ended it."""
    text: str
    """Error, returned text, or what was measured."""
    gas: int = 0
    """Gas used by the transaction of the call, or of the publication when that failed."""
    cpu_s: float = 0.0
    """Processor time of the whole process for it."""
    call_cpu_s: float = 0.0
    """Processor time of the call alone, the least of all rounds; 0: it was not published, or no rule ended it."""
    fatal: bool = False
    """The executor takes no more work."""
    leaks_host: bool = False
    """A text that leaves the chain holds something of the host."""


class Chain:
    """Accounts with gas and RAM, and an executor."""

    def __init__(self, flags: tuple[str, ...] = ()) -> None:
        """Brings the executor up; `flags`: of V8, beyond the ones that workers have."""
        scenario = Scenario(Path("attacks"), "tx", [], [], {}, NATIVES, {})
        self.world = World(scenario, limits=Limits(flags=flags))
        self._count = 0
        operations.prepare(self.world)
        operations.set_block(
            self.world, {"number": 1, "time": BLOCK_TIME_NS, "witness": "witness", "parent_hash": "ZiCa"}
        )
        for name in ACCOUNTS:
            operations.set_account(self.world, {"id": name, "owner": KEY, "active": KEY})

    def close(self) -> None:
        """Frees the isolates."""
        self.world.close()

    def _fund(self) -> None:
        for name in ACCOUNTS:
            operations.set_gas(self.world, {"account": name, "gas": PLENTY})
            operations.set_ram(self.world, {"account": name, "bytes": PLENTY})

    def run(self, code: str, *, gas_limit: int = GAS_LIMIT, serial: int | None = None, rounds: int = 1) -> Ending:
        """Publishes `code` and calls its method `run`, each in a transaction of its own.

        Args:
            code: a contract's text.
            gas_limit: of the call, in hundredths.
            serial: decides the time, and with it the contract's id; the next one when it is None.
            rounds: how often it is called; the last call is told.
        """
        self._fund()
        self._count = self._count + 1 if serial is None else serial
        self.world.block.time_ns = BLOCK_TIME_NS + 1000 * self._count  # the same text twice is two contracts
        alias = f"payload{self._count}"
        self.world.scenario.contracts[alias] = ContractSource(code, dict(ABI))
        began = time.process_time()
        call_cpu_s = 0.0
        try:
            outcome = operations.deploy(self.world, {"contract": alias, "publisher": "alice"})
            if outcome.status == "SUCCESS":
                outcome, call_cpu_s = self._calls(alias, gas_limit, rounds)
        except (DeadlineError, OutOfMemoryError, StuckError) as error:
            return _stopped(error, time.process_time() - began)
        except IsolateError as error:
            return Ending("bug", f"{type(error).__name__}: {error}", cpu_s=time.process_time() - began, fatal=True)
        return replace(_ending(outcome, code, time.process_time() - began), call_cpu_s=call_cpu_s)

    def _calls(self, alias: str, gas_limit: int, rounds: int) -> tuple[Outcome, float]:
        """Calls a contract several times; returns how the last call ended, and the processor time of the quickest."""
        step = {"contract": alias, "api": "run", "args_json": "[]", "publisher": "alice", "gas_limit": gas_limit}
        times = []
        for _ in range(rounds):
            self._fund()
            began = time.process_time()
            outcome = operations.call(self.world, step)
            times.append(time.process_time() - began)
        return outcome, min(times)


def _stopped(error: IsolateError, cpu_s: float) -> Ending:
    kind = "memory" if isinstance(error, OutOfMemoryError) else "wedged" if isinstance(error, StuckError) else "timeout"
    return Ending(kind, str(error), cpu_s=cpu_s, fatal=True)


def _ending(outcome: Outcome, code: str, cpu_s: float) -> Ending:
    gas = (outcome.gas or 0) // 100
    texts = [outcome.message, *outcome.returns, *(note["content"] for note in outcome.receipts)]
    leaks = any(found.group() not in code for text in texts for found in HOST_TRACE.finditer(text))
    if outcome.status == "SUCCESS":
        return Ending("isolated", _returned(outcome.returns), gas, cpu_s, leaks_host=leaks)
    if outcome.status.startswith("STATUS_"):
        return Ending("bug", f"{outcome.status}: {outcome.message}", gas, cpu_s, leaks_host=leaks)
    kind = "gas" if outcome.message == "out of gas" else "error"
    return Ending(kind, outcome.message.partition("\n error: ")[2] or outcome.message, gas, cpu_s, leaks_host=leaks)


def _returned(returns: list[str]) -> str:
    """The text that the method returned: each action gives a list of results as JSON."""
    values = json.loads(returns[0]) if returns else []
    return str(values[0]) if values else ""
