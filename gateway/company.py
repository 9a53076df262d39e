"""Company: which transactions may share a batch on their way to the VM service.

A transaction waits for those before it in its batch, and the gateway does not know how long a contract takes. So
transactions wait only for code that they call themselves, or that the chain vouches for. The VM service judges a
batch by the same rule (`vm_service.manager.pace`); services share no code, so a test holds both equal.
"""

from iost.chain.v1.transaction_pb2 import Transaction

PUBLISHER = "system.iost"
"""Runs code that nobody has seen: a contract's `init`."""

Company = frozenset[str]
"""The contracts that all transactions of a batch call, beside those of the chain; empty: only the chain's own."""

_CHAIN: Company = frozenset()


def of(transaction: Transaction) -> Company | None:
    """Tells whose company a transaction keeps; None: nobody's, since it publishes."""
    called = [action.contract for action in transaction.actions if not is_trusted(action.contract)]
    if not called:
        return _CHAIN
    return None if PUBLISHER in called else frozenset(called)


def is_trusted(contract: str) -> bool:
    """The chain's own contracts are native, or part of its first version."""
    return contract.endswith(".iost") and contract != PUBLISHER
