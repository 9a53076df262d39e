"""Measures processor time for a unit of gas over payloads: `python -m tests.fault.price_ratio [FILE …] [--json FILE]`.

FILE is a payload file of `attacks.py`; without any, all in `payloads` and the contracts of `hostile.py`. Each is
published and called ROUNDS times in a child process, with the accounts and limits of a real transaction. Its quickest
call counts, in processor time of the whole process, which does nothing else. The time and gas of an empty contract's
call are subtracted: what is left is the price of the work. The dearest are measured once more, each in a fresh child.

* The median is that of all payloads whose work used at least LEAST_GAS. A payload that one overpriced step ends early
  counts as well: it makes the median lower and the ratio stricter.
* The worst is that of all payloads that were called. One below LEAST_GAS (refused, or returned at once) counts as if it
  had used that: it cannot hide a long call, and the fixed time of a call does not pass for a price.
* A payload that is refused when it is published has no call. One that no rule ends (memory, time) has no price: such
  payloads are listed, and the command fails.

Exits with 1 when worst over median is above MOST, or a payload has no price.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.fault import hostile
from tests.fault.attacks import Runner, load

PAYLOADS = Path(__file__).parent / "payloads"
ROUNDS = 5
"""The first calls compile machine code; of five, the quickest is repeatable within a tenth."""

LEAST_GAS = 200_000
"""A twentieth of what a transaction may buy: below it, the fixed time of a call hides the price."""

REPEATED = 40
"""Payloads that are measured again: on a busy machine, a garbage collection or a neighbour makes some look dear."""

MOST = 10.0
SHOWN = 10
RULED = ("error", "gas", "isolated")
EMPTY = "class C { init() {} run() {} }\nmodule.exports = C;"


@dataclass(frozen=True)
class Priced:
    """What the work of a payload took."""

    name: str
    kind: str
    """As in `attack_chain.Ending`."""
    gas: int
    """Of the work: that of the call without that of an empty one."""
    cpu_s: float
    """Likewise."""
    is_called: bool
    """Whether it was published and called."""

    @property
    def is_ruled(self) -> bool:
        """Whether gas or an error ended it, or it returned."""
        return self.kind in RULED

    @property
    def ns(self) -> float:
        """Nanoseconds for a unit of gas."""
        return self.cpu_s * 1e9 / max(self.gas, LEAST_GAS)


@dataclass(frozen=True)
class Ratio:
    """The payloads by price, the dearest first."""

    ranking: Sequence[Priced]
    counted: int
    """Payloads that make the median."""
    median_ns: float
    uncalled: int
    unruled: Sequence[str]
    """Names of the payloads that no rule ended."""

    @property
    def worst_over_median(self) -> float:
        """The figure."""
        return self.ranking[0].ns / self.median_ns

    def lines(self, shown: int = SHOWN) -> Iterator[str]:
        """Yields what the command prints."""
        for item in self.ranking[:shown]:
            yield f"{item.ns:6.1f} ns  {item.gas:9,} gas  {item.kind:8}  {item.name}"
        yield f"{self.median_ns:6.1f} ns  median of {self.counted} payloads that use {LEAST_GAS:,} gas or more"
        below = len(self.ranking) - self.counted
        yield f"{below} use less, {self.uncalled} are refused when published, {len(self.unruled)} have no price"
        yield from (f"no rule ended {name}" for name in self.unruled)
        yield f"worst over median {self.worst_over_median:.1f}"


def all_payloads(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Reads payload files; without any, all that there are."""
    found = [payload for file in files or sorted(PAYLOADS.glob("*.json")) for payload in load(file)]
    return found if files else [*hostile.payloads(), *found]


def measure(payloads: Sequence[Mapping[str, Any]], rounds: int = ROUNDS) -> Iterator[Priced]:
    """Calls payloads, and yields what the work of each took."""
    runner = Runner()
    try:
        empty = min((runner.run(EMPTY, rounds=rounds) for _ in range(3)), key=lambda ending: ending["call_cpu_s"])
        for payload in payloads:
            ending = runner.run(payload["code"], rounds=rounds)
            is_called = ending["call_cpu_s"] > 0
            gas, cpu_s = ending["gas"] - empty["gas"], ending["call_cpu_s"] - empty["call_cpu_s"]
            yield Priced(payload["name"], ending["kind"], max(gas, 0), max(cpu_s, 0.0), is_called)
    finally:
        runner.close()


def measure_all(payloads: Sequence[Mapping[str, Any]], rounds: int = ROUNDS) -> list[Priced]:
    """Measures payloads, the dearest of them and those without a price once more in a fresh child each."""
    found = list(measure(payloads, rounds))
    by_price = sorted(range(len(found)), key=lambda at: (found[at].is_ruled, -found[at].ns))
    for at in by_price[:REPEATED]:
        again = next(measure([payloads[at]], rounds))
        if again.is_ruled and (not found[at].is_ruled or again.ns < found[at].ns):
            found[at] = again
    return found


def ratio(found: Sequence[Priced]) -> Ratio:
    """Ranks payloads by the price of their work. REQUIRES: the work of one uses LEAST_GAS."""
    called = [item for item in found if item.is_called]
    counted = [item.ns for item in called if item.gas >= LEAST_GAS]
    unruled = [f"{item.name} ({item.kind})" for item in found if not item.is_ruled]
    return Ratio(
        sorted(called, key=lambda item: -item.ns),
        len(counted),
        statistics.median(counted),
        len(found) - len(called) - len(unruled),
        unruled,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fault.price_ratio",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="payload file; default: all")
    parser.add_argument("--only", action="append", metavar="NAME", help="a payload, instead of all; may be repeated")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="calls of each")
    parser.add_argument("--json", type=Path, help="write what was measured there")
    options = parser.parse_args(arguments)
    payloads = [item for item in all_payloads(options.files) if not options.only or item["name"] in options.only]
    found = measure_all(payloads, options.rounds)
    if not any(item.is_called and item.gas >= LEAST_GAS for item in found):
        parser.error(f"no payload uses {LEAST_GAS:,} gas: there is no median")
    result = ratio(found)
    print("\n".join(result.lines()), flush=True)
    if options.json:
        options.json.write_text(
            json.dumps([asdict(item) | {"ns": item.ns} for item in found], indent=1) + "\n", "utf-8"
        )
    return 1 if result.unruled or result.worst_over_median > MOST else 0


if __name__ == "__main__":
    sys.exit(main())
