"""Takes transactions in: form, hash and signatures of each, once, before the batch runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from iost.chain.v1 import transaction_pb2
from vm_service import transactions
from vm_service.model import KernelTransaction

ASSUME_SIGNED = "assume_signed"
"""Member of the kernel form: all signatures are taken for granted."""

ASSUME_PAID = "assume_paid"
"""Member of the kernel form: gas and RAM are taken for granted."""

NOTHING: Mapping[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Item:
    """A transaction as the batch sees it."""

    tx_hash: bytes
    """SHA3-256 of its full canonical form."""
    kernel: KernelTransaction = field(default_factory=dict)
    """Its kernel form; empty when refused."""
    refused: str | None = None
    """Why it must not be executed."""


class Intake:
    """Checks transactions against the settings of the service.

    Attributes:
        ahead_ns: how far the time of a transaction may lie ahead of the clock where no header is given.
    """

    def __init__(self, chain_id: int, *, trust_signature_claims: bool, ahead_ns: int = 0) -> None:
        """Sets what is accepted.

        Args:
            chain_id: the chain of this node.
            trust_signature_claims: honour callers who say that they checked all signatures.
            ahead_ns: how far the time of a transaction may lie ahead of the clock where no header is given.
        """
        self._chain_id = chain_id
        self._trust = trust_signature_claims
        self.ahead_ns = ahead_ns

    def least_time_ns(self, items: Sequence[Item], now_ns: int) -> int:
        """Returns the least time of a block that is not older than its transactions.

        Args:
            items: the transactions of the block; those too far ahead do not count, since they will be refused.
            now_ns: what the clock shows.
        """
        times = (int(item.kernel["time"]) for item in items if item.refused is None)
        return max((at for at in times if at <= now_ns + self.ahead_ns), default=0)

    def admit(
        self,
        received: Sequence[transaction_pb2.Transaction],
        *,
        signatures_checked: bool = False,
        assumed: Mapping[str, bool] = NOTHING,
        block: bool = False,
    ) -> list[Item]:
        """Checks transactions, in order.

        Args:
            received: as they came.
            signatures_checked: the caller says that all signatures are right.
            assumed: of a dry run: members of the kernel form that take signatures or payment for granted.
            block: they are a block, whose first may be its base transaction, which nobody signs.
        """
        trusted = signatures_checked and self._trust
        return [
            self._admit(
                transaction,
                trusted=trusted,
                assumed=assumed,
                base=block and place == 0 and transactions.is_base(transaction),
            )
            for place, transaction in enumerate(received)
        ]

    def _admit(
        self, transaction: transaction_pb2.Transaction, *, trusted: bool, assumed: Mapping[str, bool], base: bool
    ) -> Item:
        try:
            checked = trusted or ASSUME_SIGNED in assumed
            admitted = transactions.admit(transaction, self._chain_id, signatures_checked=checked, block_base=base)
        except transactions.RefusedError as error:
            tx_hash = transactions.digest(transactions.canonical_forms(transaction).full)
            return Item(tx_hash, refused=str(error))
        return Item(admitted.tx_hash, {**admitted.kernel, **assumed} if assumed else admitted.kernel)
