"""The contracts of the workload as a sequential model: what a transaction does to lists and balances."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.fault.consistency.history import ACCOUNTS, INITIAL, Append, Fail, Look, Move, Step

CONTRACTS = 2
"""Contracts of the workload; a transaction may touch both."""


def balance_keys() -> list[str]:
    """Returns the keys of all balances."""
    return [f"{contract}/p{place}" for contract in range(CONTRACTS) for place in range(ACCOUNTS)]


@dataclass(slots=True)
class World:
    """Lists and balances between two transactions."""

    lists: dict[str, list[int]] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(balance_keys(), INITIAL))

    def run(self, steps: Sequence[Step]) -> list[list[int]] | None:
        """Applies a transaction whole, or not at all.

        Returns:
            What its looks saw; None when it fails.
        """
        lists: dict[str, list[int]] = {}
        balances: dict[str, int] = {}
        looked: list[list[int]] = []
        for step in steps:
            match step:
                case Append(key, value):
                    lists[key] = [*lists.get(key, self.lists.get(key, [])), value]
                case Look(key):
                    looked.append(lists.get(key, self.lists.get(key, [])))
                case Move(source, target, amount):
                    left = balances.get(source, self.balances[source]) - amount
                    if left < 0:
                        return None
                    balances[source] = left
                    balances[target] = balances.get(target, self.balances[target]) + amount
                case Fail():
                    return None
        self.lists |= lists
        self.balances |= balances
        return looked


def appended(steps: Iterable[Step]) -> list[tuple[str, int]]:
    """Returns the keys and values that a transaction appends."""
    return [(step.key, step.value) for step in steps if isinstance(step, Append)]


def looks(steps: Iterable[Step]) -> list[str]:
    """Returns the keys that a transaction looks at, in order."""
    return [step.key for step in steps if isinstance(step, Look)]
