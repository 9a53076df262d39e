"""Which free worker a batch should go to: one that holds its contracts hot, else the one that worked last.

Pure functions over what is known of the free workers; the pool keeps them in order of their last use.
"""

from collections.abc import Collection, Sequence


def choose(free: Sequence[Collection[str]], contracts: Collection[str]) -> int:
    """Chooses among free workers.

    Args:
        free: contracts that each free worker holds hot, the worker used last at the end. REQUIRES: not empty.
        contracts: contracts that the batch calls directly.

    Returns:
        Index into `free`: the one that holds most of `contracts`; among equals the one used last, whose caches are
        warmest, so that the others may be scaled away.
    """
    best, best_hits = len(free) - 1, -1
    for index in range(len(free) - 1, -1, -1):
        held = free[index]
        hits = sum(1 for contract in contracts if contract in held)
        if hits > best_hits:
            best, best_hits = index, hits
    return best
