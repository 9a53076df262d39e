"""Random programs through compile gate and runtime: `python -m tests.fault.fuzz --count 10000 [--seed N] [--jobs N]`.

Each program of `grammar.py` is published and called in two children: one as workers run, one with another engine
configuration (no JIT, another stack). Every so many programs it also runs in a child that has run nothing before. All
must give the same outcome, text and gas. Between programs a sentinel looks whether anything was left in the realm.

A program fails when it kills or wedges a child, when the clock or the heap limit ends it, when the kernel stumbles,
when two children differ, or when the sentinel sees a change. Failures are printed with their seeds; `--show SEED`
prints a program. The last line counts; exits with 1 when any failed.
"""

import argparse
import queue
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fault.attacks import Child, Runner
from tests.fault.grammar import Grammar

GAS_LIMIT = 40_000_000
"""Hundredths: 400,000 gas. Ten times less than may be bought, so that many programs run."""

OTHER_ENGINE = ("--jitless", "--stack-size=20000")
COLD_EVERY = 50
"""A cold start takes as long as 30 programs."""
SENTINEL_EVERY = 10
SENTINEL = Path(__file__).with_name("sentinel.js").read_text("utf-8")
RULES = ("error", "gas", "isolated")
"""What the rules may end a program with."""


@dataclass(frozen=True)
class Finding:
    """What was wrong with a program."""

    seed: int
    kind: str
    """deaths, wedges, stops, bugs, differences, leaks or tells."""
    detail: str

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.kind}: {self.detail}"


def _essence(ending: dict[str, Any]) -> tuple[str, str, int]:
    return ending["kind"], ending["text"], ending["gas"]


class Fuzzer:
    """Runs programs and compares."""

    def __init__(self) -> None:
        """Starts the children at the first program."""
        self._hot = Runner()
        self._other = Runner(OTHER_ENGINE)
        self._realm = ""
        self.kinds: Counter[str] = Counter()

    def close(self) -> None:
        """Ends the children."""
        self._hot.close()
        self._other.close()

    def check(self, seed: int) -> Finding | None:
        """Runs one program; returns what is wrong with it."""
        code = Grammar(seed).program()
        options = {"gas_limit": GAS_LIMIT, "serial": seed}
        ending = self._hot.run(code, **options)
        self.kinds[ending["kind"]] += 1
        if ending["kind"] not in RULES:
            names = {"killed": "deaths", "wedged": "wedges", "bug": "bugs"}
            return Finding(seed, names.get(ending["kind"], "stops"), f"{ending['kind']}: {ending['text']}")
        if ending["leaks_host"]:
            return Finding(seed, "tells", ending["text"])
        return self._compare(seed, code, options, ending) or self._look(seed)

    def _compare(self, seed: int, code: str, options: dict[str, int], ending: dict[str, Any]) -> Finding | None:
        others = {"other engine": self._other.run(code, **options)}
        if seed % COLD_EVERY == 0:
            child = Child()
            others["cold"] = child.run(code, **options)["first"]
            child.stop()
        for name, other in others.items():
            if _essence(other) != _essence(ending):
                return Finding(seed, "differences", f"hot {_essence(ending)}, {name} {_essence(other)}")
        return None

    def _look(self, seed: int) -> Finding | None:
        if seed % SENTINEL_EVERY:
            return None
        digest = self._hot.run(SENTINEL)["text"]
        if not self._realm:
            child = Child()
            self._realm = child.run(SENTINEL)["first"]["text"]
            child.stop()
        return None if digest == self._realm else Finding(seed, "leaks", f"{self._realm} became {digest}")


def run_programs(seeds: Sequence[int], jobs: int, kinds: Counter[str]) -> Iterator[Finding | None]:
    """Yields a finding or None for each program, as they come; counts endings by kind."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    found: queue.SimpleQueue[Finding | Exception | None] = queue.SimpleQueue()
    for seed in seeds:
        waiting.put(seed)

    def work() -> None:
        fuzzer = Fuzzer()
        try:
            while True:
                found.put(fuzzer.check(waiting.get_nowait()))
        except queue.Empty:
            kinds.update(fuzzer.kinds)
        except Exception as error:  # noqa: BLE001 - handed to the caller's thread
            found.put(error)
        finally:
            fuzzer.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for _ in seeds:
        finding = found.get()
        if isinstance(finding, Exception):
            raise finding
        yield finding
    for thread in threads:
        thread.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="programs")
    parser.add_argument("--seed", type=int, default=0, help="of the first program; the next ones follow")
    parser.add_argument("--jobs", type=int, default=2, help="programs at once")
    parser.add_argument("--show", type=int, help="print the program of a seed and leave")
    options = parser.parse_args(arguments)
    if options.show is not None:
        print(Grammar(options.show).program())
        return 0
    kinds: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    for finding in run_programs(range(options.seed, options.seed + options.count), options.jobs, kinds):
        if finding is not None:
            findings[finding.kind] += 1
            print(finding, flush=True)
    endings = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    names = ("deaths", "wedges", "stops", "bugs", "differences", "leaks", "tells")
    print(f"{options.count} programs ({endings}): " + ", ".join(f"{findings[name]} {name}" for name in names))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
