"""Company: the contracts that an item calls directly, without those of the chain.

Items of one company may share a batch once the company is known to be quick (`vm_service.manager.pace`). The gateway
gathers by the same rule (`gateway.company`); services share no code, so a test holds both equal.
"""

from collections.abc import Iterable
from typing import TypeAlias

PUBLISHER = "system.iost"
"""Runs code that was never run before: a contract's `init`."""

Company: TypeAlias = frozenset[str]
"""Contracts that are called directly; empty: only the chain's own."""


def of(contracts: Iterable[str]) -> Company:
    """Returns the company of an item that calls contracts directly."""
    return frozenset(name for name in contracts if not is_trusted(name))


def is_trusted(contract: str) -> bool:
    """The chain's own contracts are native, or part of its first version."""
    return contract.endswith(".iost") and contract != PUBLISHER
