"""Searches work that gas prices too low: `python -m tests.fault.price_search --seconds N [--seed N] [--json FILE]`.

Crosses what a contract can reach (permits, class libraries, statements) with receivers and arguments in odd forms
(`price_search.json`) and sizes (`SIZES`): each pair is a contract that makes the forms once, then does the operation
until its gas is used up. First every operation meets forms at random; then the worst are varied in size, form and
argument, as long as there is time. The ranking says processor nanoseconds for a unit of gas, with the program.

Endings after little gas say nothing about its price and are left out, unless the call took long.
"""

import argparse
import contextlib
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.support.bare_runner import BareRunner, bare_batch
from vm_service.sandbox.isolate import IsolateError

DATA = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
"""A form is the body of a function of `n`. An operation is a statement about `R` (receiver), `A` and `B` (arguments),
`k` (counts up), `x`, `o`, `list` (of the call's own), `f`, `id`, `Plain` (functions); a touch comes before it."""

FORMS_OF = {kind: list(forms) for kind, forms in DATA["forms"].items()}
FORMS = {name: body for forms in DATA["forms"].values() for name, body in forms.items()}
KINDS = {name: kind for kind, names in FORMS_OF.items() for name in names}
TOUCHES = DATA["touches"]
TOUCHED = 0.5
"""How often there is one."""
SIZES = (0, 1, 2, 4, 8, 16, 20, 50, 63, 65, 100, 256, 300, 1000, 1025, 3000, 10000, 16000, 16384, 30000, 100000)

TRANSACTION_MS = 4_000
GAS = 1_500_000
"""For a first look; what is suspect is measured with all that a transaction may buy."""
FULL_GAS = 4_000_000
LEAST_GAS = 200_000
LONG_CALL_NS = 60e6
SUSPECT_NS = 40.0
CLIMBED = 24
"""Pairs that are varied, at most one for an operation and a form."""
FIRST_PART = 0.6
"""Of the time, for the random part."""


def _operations() -> list[str]:
    names = DATA["methods of the receiver"].split()
    found = [f"x = R.{name}({given});" for name in names for given in ("", "A", "A, B")]
    for owner, names in DATA["functions"].items():
        for name in names.split():
            found += [f"x = {owner}.{name}({given});" for given in ("R", "R, A", "R, A, B", "...R")]
            found.append(f"R.forEach({owner}.{name}, A);")
    found += [f"R.forEach({name}, A);" for name in DATA["makers"].split()]
    for value, names in DATA["methods as callbacks"].items():
        for name in names.split():
            found += [f"R.forEach({value}.{name}, A);", f"x = +{{ valueOf: {value}.{name}, p: R }};"]
    for name in DATA["methods for any receiver"].split():
        found += [f"x = [].{name}.call(R, A);", f"x = [].{name}.apply(R, A);"]
    return [*found, *DATA["statements"]]


@dataclass(frozen=True)
class Pair:
    """An operation on a receiver and up to two arguments, each a form and a size."""

    operation: str
    forms: tuple[str, str, str]
    sizes: tuple[int, int, int]
    touch: str
    """What happens to the receiver before each time."""

    def program(self) -> str:
        """The contract."""
        made = "".join(
            f"  const n{name} = {size};\n  let {name} = make{name}(n{name});\n"
            for name, size in zip("RAB", self.sizes, strict=True)
        )
        makers = "".join(
            f"function make{name}(n) {{ {FORMS[form]} }}\n" for name, form in zip("RAB", self.forms, strict=True)
        )
        return (
            f"{makers}function f() {{}}\nfunction id(x) {{ return x; }}\nfunction Plain() {{}}\n"
            f"class C {{ init() {{}} run() {{\n{made}  let x; const R0 = R; const o = {{}}; const list = [];\n"
            f"  for (let k = 1; ; k++) {{ {self.touch} {self.operation} }}\n}} }}\nmodule.exports = C;\n"
        )


def measure(runner: BareRunner, pair: Pair, gas: int) -> tuple[float, int, str]:
    """Returns nanoseconds for a unit of gas, gas, and how it ended."""
    executor, batch = runner.executor(), bare_batch(pair.program(), gas)
    started = time.process_time()
    try:
        result = executor.run(batch)
    except IsolateError as error:
        return (time.process_time() - started) * 1e9 / gas, gas, type(error).__name__
    taken = time.process_time() - started
    executor.drop(result)
    used = result.results[0].gas_usage // 100
    status = result.results[0].status
    return taken * 1e9 / max(used, LEAST_GAS), used, "" if status is None else status.message[:100]


class Chooser:
    """Chooses at random what was not refused before: most operations are an error for most kinds of values."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._scores: dict[tuple[str, ...], tuple[int, int]] = {}

    def learn(self, pair: Pair, is_counted: bool) -> None:
        """Remembers whether a pair came to something."""
        for key in self._keys(pair):
            good, all_of_them = self._scores.get(key, (0, 0))
            self._scores[key] = (good + is_counted, all_of_them + 1)

    def _keys(self, pair: Pair) -> list[tuple[str, ...]]:
        receiver, argument, _ = (KINDS[form] for form in pair.forms)
        return [(pair.operation, receiver), (pair.operation, "", argument), (pair.touch, receiver)]

    def _hope(self, pair: Pair) -> float:
        hope = 1.0
        for key in self._keys(pair):
            good, all_of_them = self._scores.get(key, (0, 0))
            hope *= (good + 0.5) / (all_of_them + 0.5)
        return hope

    def pair(self, operation: str) -> Pair:
        """A pair that promises something."""
        hopeful = [self._any(operation) for _ in range(12)]
        return self._random.choices(hopeful, [self._hope(pair) for pair in hopeful])[0]

    def _any(self, operation: str) -> Pair:
        forms = [self._random.choice(FORMS_OF[self._random.choice(list(FORMS_OF))]) for _ in range(3)]
        sizes = [self._random.choice(SIZES) for _ in range(3)]
        touch = self._random.choice(TOUCHES) if self._random.random() < TOUCHED else ""
        return Pair(operation, (forms[0], forms[1], forms[2]), (sizes[0], sizes[1], sizes[2]), touch)

    def shuffle(self, operations: list[str]) -> None:
        """Another order."""
        self._random.shuffle(operations)

    def varied(self, pair: Pair) -> Pair:
        """A neighbour: another size, form or touch."""
        chance = self._random
        place, kind = chance.randrange(3), chance.random()
        if kind < 0.6:
            sizes = list(pair.sizes)
            near = SIZES.index(sizes[place]) + chance.choice((-2, -1, 1, 2)) if sizes[place] in SIZES else 0
            sizes[place] = SIZES[max(0, min(near, len(SIZES) - 1))]
            return replace(pair, sizes=(sizes[0], sizes[1], sizes[2]))
        if kind < 0.85:
            forms = list(pair.forms)
            forms[place] = chance.choice(FORMS_OF[KINDS[forms[place]]] if kind < 0.75 else list(FORMS))
            return replace(pair, forms=(forms[0], forms[1], forms[2]))
        return replace(pair, touch=chance.choice(TOUCHES))


Found = dict[tuple[str, str], tuple[float, Pair, str]]


def _keep(found: Found, pair: Pair, ns: float, ending: str) -> None:
    key = (pair.operation, pair.forms[0])
    if key not in found or found[key][0] < ns:
        found[key] = (ns, pair, ending)


def _best(found: Found) -> Iterator[tuple[float, Pair, str]]:
    """The worst pairs, no operation more than twice."""
    times: dict[str, int] = {}
    for ns, pair, ending in sorted(found.values(), key=lambda item: -item[0]):
        times[pair.operation] = times.get(pair.operation, 0) + 1
        if times[pair.operation] <= 2:
            yield ns, pair, ending


def search(seconds: float, seed: int, only: str = "") -> tuple[int, int, Found]:
    """Returns how many pairs were tried, how many of them ran long enough to count, and what they cost."""
    chooser, found = Chooser(seed), Found()
    operations = [operation for operation in _operations() if only in operation]
    tried = counted = 0
    started = time.monotonic()
    with contextlib.closing(BareRunner(TRANSACTION_MS)) as runner:

        def look(pair: Pair) -> float:
            nonlocal tried, counted
            tried += 1
            ns, used, ending = measure(runner, pair, GAS)
            if ns > SUSPECT_NS:
                ns, used, ending = min(measure(runner, pair, FULL_GAS) for _ in range(2))
            is_counted = used >= LEAST_GAS
            chooser.learn(pair, is_counted)
            counted += is_counted
            if is_counted or ns * LEAST_GAS > LONG_CALL_NS:
                _keep(found, pair, ns, ending)
            return ns

        while time.monotonic() - started < seconds * FIRST_PART:
            chooser.shuffle(operations)
            for operation in operations:
                look(chooser.pair(operation))
                if time.monotonic() - started >= seconds * FIRST_PART:
                    break
        while time.monotonic() - started < seconds:
            for _, pair, _ in list(_best(found))[:CLIMBED]:
                if time.monotonic() - started >= seconds:
                    break
                look(chooser.varied(pair))
    return tried, counted, found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fault.price_search",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long to search")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices")
    parser.add_argument("--only", default="", help="operations that hold this text")
    parser.add_argument("--json", type=Path, help="write the ranking with the programs there")
    options = parser.parse_args()
    tried, counted, found = search(options.seconds, options.seed, options.only)
    ranking = list(_best(found))
    for ns, pair, ending in ranking[:30]:
        forms = ", ".join(f"{form} {size}" for form, size in zip(pair.forms, pair.sizes, strict=True))
        print(f"{ns:8.1f} ns  {pair.touch} {pair.operation}   [{forms}] {ending}")
    middle = sorted(item[0] for item in found.values())[len(found) // 2]
    print(f"{tried} pairs tried, {counted} used gas enough to count; median {middle:.1f} ns of {len(found)}")
    if options.json:
        rows = [{"ns": ns, "ending": ending, **asdict(pair), "code": pair.program()} for ns, pair, ending in ranking]
        options.json.write_text(json.dumps(rows, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
