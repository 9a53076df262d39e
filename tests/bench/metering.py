"""What metering costs: contract loops as images, against the same text run by the engine as it is.

`metering_overhead` is the ratio for a loop of 100,000 additions and array pushes, minimum over minimum; the other
figures show loops that metering hits harder, and what a warm call of a small contract costs.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Final

from vm_service import host
from vm_service.compiler.pipeline import Compiler
from vm_service.sandbox.isolate import Isolate
from vm_service.sandbox.load_vm import Sandbox

ITERATIONS: Final = 100_000
REPEATS: Final = 25
"""Enough for V8 to have optimised; the minimum counts."""

CALLS: Final = 1000
"""Calls of one batch, for the price of a call."""

GAS_LIMIT: Final = 1 << 29

LOOPS: Final[Mapping[str, str]] = {
    "metering_overhead": "let s = 0; const list = [];"
    " for (let i = 0; i < n; i++) { s = s + i; list.push(i); } return s;",
    "metering_members_overhead": "this.c = 0;"
    " for (let i = 0; i < n; i++) { this.c++; this.d = this.c * 2; } return this.d;",
    "metering_calls_overhead": "const f = function (x) { return x + 1; };"
    " let s = 0; for (let i = 0; i < n; i++) { s = f(s); } return s;",
}

SMALL: Final = "const key = 'bal' + a; storage.put(key, b); return storage.get(key);"


def contract(body: str, parameters: str) -> str:
    """Returns a contract whose method `m` has that body."""
    return f"class A {{ init() {{}} m({parameters}) {{ {body} }} }}\nmodule.exports = A;"


def fastest_ms(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """Returns the shortest of several runs, in milliseconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times) * 1000


class Bench:
    """A sandbox and a compiler that run single methods on a bare host."""

    def __init__(self) -> None:
        """Brings both isolates up."""
        absent = {"state.get": lambda payload: {"entries": [[None, 0]] * len(payload["keys"]), "more": {}}}
        self.sandbox = Sandbox({**host.TABLE, **absent})
        self._isolate = Isolate()
        self._compiler = Compiler(self._isolate)

    def runner(self, source: str, arguments: list[object], calls: int = 1) -> Callable[[], object]:
        """Returns a function that calls method `m` that many times in one batch."""
        compiled = self._compiler.compile(source, "", False)
        if compiled.error is not None:
            raise ValueError(compiled.error)
        self.sandbox.install(compiled.key, compiled.image, compiled.meta)
        call = {
            "contract": "bench",
            "action": "m",
            "data": json.dumps(arguments),
            "publisher": None,
            "signers": [],
            "gas_limit": GAS_LIMIT,
            "source": source,
            "code_hash": compiled.key,
        }
        block = {"number": 1, "parent_hash": "1", "witness": "bench", "time": "1"}
        begin = {"op": "begin", "mode": "bare", "block": block, "changed": None, "entries": {}, "txs": []}
        request = {**begin, "calls": [call] * calls}
        installed = {"key": compiled.key, "code_bytes": compiled.code_bytes}

        def run() -> object:
            answer = self.sandbox.request(request)
            while answer["state"] == "needs":
                compiled_needs = {need["need_id"]: installed for need in answer["needs"]}
                answer = self.sandbox.request({"op": "resume", "compiled": compiled_needs})
            failed = [result["status"] for result in answer["results"] if result["status"]["code"] != 0]
            if failed:
                raise ValueError(f"the loop failed: {failed[0]}")
            self.sandbox.request({"op": "settle", "version": None})
            return answer

        return run

    def close(self) -> None:
        """Closes both isolates."""
        self.sandbox.close()
        self._isolate.close()


def plain_ms(body: str) -> float:
    """Returns the time of a loop that the engine runs as it is."""
    with Isolate() as isolate:
        isolate.evaluate(f"class A {{ m(n) {{ {body} }} }}; globalThis.run = () => String(new A().m({ITERATIONS})); 0")
        return fastest_ms(lambda: isolate.evaluate("run()"))


def run() -> dict[str, float]:
    """Measures; returns figures by name."""
    bench = Bench()
    try:
        figures = {
            name: round(fastest_ms(bench.runner(contract(body, "n"), [ITERATIONS])) / plain_ms(body), 2)
            for name, body in LOOPS.items()
        }
        small = fastest_ms(bench.runner(contract(SMALL, "a, b"), ["a", "b"], CALLS))
        return {**figures, "small_call_us": round(small / CALLS * 1000, 2)}
    finally:
        bench.close()


def metering_overhead() -> float:
    """Returns how many times longer the loop of additions and pushes takes when it is metered."""
    return run()["metering_overhead"]
