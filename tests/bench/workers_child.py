"""`python -m tests.bench.workers_child MODE CONTRACTS ROUNDS`: one engine, one question, figures as JSON.

sources    sandbox with hot contracts, from sources
snapshot   the same, from a startup snapshot
calls      a call of a contract that is installed, and of one that is not
gas        seconds for gas over the hostile contracts
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.fault import price_ratio
from tests.support.bare_runner import BLOCK
from tests.support.memory_state import MemoryState
from vm_service.compiler.pipeline import Compiler, CompileResult, image_key
from vm_service.model import Batch, Mode
from vm_service.sandbox import snapshot
from vm_service.sandbox.isolate import Engine, Isolate
from vm_service.sandbox.load_vm import Sandbox
from vm_service.state_keys import StoredValue, contract_key
from vm_service.worker.executor import Executor
from vm_service.worker.snapshot_builder import run_step

SAMPLES = Path(__file__).parents[2] / "gateway" / "demo" / "contracts"


def _images(count: int) -> list[CompileResult]:
    """Returns images of `count` contracts, all different, of the samples' size."""
    sources = [path.read_text("utf-8") for path in sorted(SAMPLES.glob("*.js"))]
    variants = [
        sources[number % len(sources)].replace("class ", f"const copy = {number};\nclass ", 1)
        for number in range(count)
    ]
    with Isolate() as isolate:
        compiler = Compiler(isolate)
        return [compiler.compile(source, "", False) for source in variants]


def _milliseconds(measure: Callable[[], float], rounds: int) -> float:
    return statistics.median(measure() for _ in range(rounds)) * 1000


def _compiled(count: int) -> list[tuple[str, str, str]]:
    """Compiles in another process: this one's engine must be untouched."""
    command = [sys.executable, "-m", "tests.bench.workers_child", "images", str(count), "0"]
    found: list[tuple[str, str, str]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def sources(count: int, rounds: int) -> dict[str, float]:
    """Libraries and hot contracts from text."""
    images = _compiled(count)
    Engine.start()

    def measure() -> float:
        started = time.perf_counter()
        sandbox = Sandbox({})
        for key, image, meta in images:
            sandbox.install(key, image, meta)
        taken = time.perf_counter() - started
        sandbox.close()
        return taken

    return {"isolate_cold_ms": _milliseconds(measure, rounds)}


def from_snapshot(count: int, rounds: int) -> dict[str, float]:
    """Libraries and hot contracts from a startup snapshot."""
    images = _compiled(count)
    blob = run_step("make", (), snapshot.source(images).encode())
    snapshot.adopt(blob)

    def measure() -> float:
        started = time.perf_counter()
        sandbox = Sandbox({})
        taken = time.perf_counter() - started
        if not sandbox.from_snapshot:
            raise RuntimeError("the snapshot was not used")
        sandbox.close()
        return taken

    return {"isolate_snapshot_ms": _milliseconds(measure, rounds), "snapshot_kib": len(blob) / 1024}


METHOD = "class C%d { init() {} m(n) { storage.put('n', '' + n); return storage.get('n'); } }\nmodule.exports = C%d;\n"
ABI = [{"name": "m", "args": ["number"], "amountLimit": []}]


def _record(number: int) -> tuple[str, str]:
    """Returns key and value of a published contract."""
    code, name = METHOD % (number, number), f"Contract{number:044}"
    info = {"lang": "javascript", "version": "1.0.0", "abi": ABI}
    record = {"id": name, "info": info, "code": code, "code_hash": image_key(code), "code_bytes": len(code)}
    return contract_key(name), StoredValue("j", json.dumps(record)).encode()


def calls(count: int, rounds: int) -> dict[str, float]:
    """Hot and cold calls of published contracts, batch of one, inside one worker."""
    executor = Executor(MemoryState(dict(_record(number) for number in range(count + 1))))

    def call(number: int, argument: int) -> float:
        asked = {"contract": f"Contract{number:044}", "action": "m", "data": f"[{argument}]", "publisher": "alice"}
        started = time.perf_counter()
        batch = Batch(Mode.CALL, lambda *_: BLOCK, calls=[{**asked, "gas_limit": 400_000_000}])
        result = executor.run(batch)
        taken = time.perf_counter() - started
        executor.drop(result)
        if result.results[0].status is None or result.results[0].status.code != 0:
            raise RuntimeError(str(result.results[0]))
        return taken

    call(0, 0)  # makes the compiler isolate
    hot = [call(0, argument) for argument in range(1000)]
    cold = [call(number, 1) for number in range(1, count + 1)]
    return {"hot_call_us": statistics.median(hot[300:]) * 1e6, "cold_call_us": statistics.median(cold) * 1e6}


def gas(_count: int, _rounds: int) -> dict[str, float]:
    """Processor time for a unit of gas over all hostile contracts, as `tests.fault.price_ratio` defines it."""
    found = price_ratio.ratio(price_ratio.measure_all(price_ratio.all_payloads([])))
    sys.stderr.write("\n".join(["processor time for a unit of gas", *found.lines(), ""]))
    return {"gas_worst_over_median": found.worst_over_median, "gas_worst_ns": found.ranking[0].ns}


def images(count: int, _rounds: int) -> list[tuple[str, str, str]]:
    """Images for the other modes."""
    return [(item.key, item.image, item.meta) for item in _images(count)]


MODES = {"sources": sources, "snapshot": from_snapshot, "calls": calls, "gas": gas, "images": images}

if __name__ == "__main__":
    print(json.dumps(MODES[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))), flush=True)
    os._exit(0)
