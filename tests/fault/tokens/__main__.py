"""The long form: `python -m tests.fault.tokens --count 2000 [--seed N] [--chains N]`.

Each chain has a seed of its own, printed with what was found; the last line counts. Exits with 1 when any is wrong.
"""

import argparse
import random
import sys
from collections import Counter

from tests.fault.tokens.attacker import Attacker

SHOWN_FINDINGS = 3


def attack(seed: int, count: int, kinds: Counter[str]) -> list[str]:
    """Attacks one chain with `count` transactions, up to the first that does wrong; returns what was wrong."""
    attacker = Attacker(seed)
    try:
        for number in range(count):
            if found := attacker.step():
                return [f"seed {seed}, transaction {number}: {problem}" for problem in found]
    finally:
        kinds.update(attacker.kinds)
        attacker.close()
    return []


def main() -> int:
    """Runs the chains asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.tokens", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="transactions on each chain")
    parser.add_argument("--chains", type=int, default=1, help="chains, with seeds that count up")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the first chain")
    arguments = parser.parse_args()
    kinds: Counter[str] = Counter()
    wrong = 0
    for seed in range(arguments.seed, arguments.seed + arguments.chains):
        found = attack(seed, arguments.count, kinds)
        wrong += bool(found)
        print(*found[:SHOWN_FINDINGS], sep="\n", end="\n" if found else "", flush=True)
    told = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    print(f"seed {arguments.seed}: {kinds.total()} transactions on {arguments.chains} chains ({told}), {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
