"""Blocks: what a request says of one, and what the store keeps of it. A block id is bound to its content.

A known id is answered from the store and nothing is executed: with the first response when the request describes the
stored block, with the first difference when it describes another one.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence

from iost.chain.v1 import block_pb2
from iost.state.v1 import state_service_pb2 as state_pb
from iost.vm.v1 import block_answer_pb2 as answer_pb
from iost.vm.v1 import execution_service_pb2 as execution_pb
from vm_service import convert
from vm_service.model import BlockContext, Place, View
from vm_service.worker import header_rules
from vm_service.worker.state_client import StateClient

Outcome = execution_pb.TransactionOutcome
Difference = execution_pb.BlockDifference
StoredBlock = state_pb.GetBlockContentResponse

MAX_ANCESTORS = 64
"""Ancestors of the head among which a repeated request without parent finds its block, as the interface says: half a
minute of half-second blocks, and 20 ms of questions to the store."""

_HEADER_FIELDS = ("number", "parent_hash", "witness", "time_ns")
"""Fields of a header in the order in which they are compared."""


class KnownBlockError(Exception):
    """The block of a request was committed before; nothing was executed or committed for it now.

    Attributes:
        stored: what the store keeps of it.
    """

    def __init__(self, stored: StoredBlock) -> None:
        """Creates the error."""
        super().__init__(f"block {stored.block.block_id.hex()} is known")
        self.stored = stored


class Claim:
    """A block as a request describes it.

    Attributes:
        header: its header.
        parent_id: id of its parent; empty: the request names none.
        hashes: hashes of its transactions, in order.
        block_id: its id; empty as long as the parent is not known by which it is derived.
        named: the request gives the id.
    """

    def __init__(
        self,
        store: StateClient,
        header: block_pb2.BlockHeader,
        hashes: Sequence[bytes],
        *,
        parent_id: bytes = b"",
        block_id: bytes = b"",
        ahead_ms: int,
        build_id: str,
    ) -> None:
        """Takes the claim in.

        Args:
            store: where blocks are looked up.
            header: header of the block.
            hashes: hashes of its transactions, in order.
            parent_id: id of its parent; empty: the newest block.
            block_id: its id; empty: derived.
            ahead_ms: how far its time may lie ahead of the clock.
            build_id: names what executes it.
        """
        self._store = store
        self._ahead_ms = ahead_ms
        self._build_id = build_id
        self.header = header
        self.parent_id = parent_id
        self.hashes = hashes
        self.named = bool(block_id)
        self.block_id = block_id or (derived_id(parent_id, header, hashes) if parent_id else b"")

    @property
    def at(self) -> View | None:
        """The view of its parent; None: the newest."""
        return View(0, self.parent_id) if self.parent_id else None

    def look_up(self) -> None:
        """Looks for the block, if its id is certain without a view.

        Raises:
            KnownBlockError: it was committed before.
            RemoteError: the store cannot be reached.
        """
        if self.block_id:
            self.check_known(self.block_id)

    def check(self, view: View) -> None:
        """Holds the claim against the opened view of its parent, before anything runs.

        Raises:
            KnownBlockError: the block was committed before.
            BlockRefusedError: the header does not fit the parent.
            RemoteError: the store cannot be reached.
        """
        if not self.named and not self.parent_id:
            # A repeated request meets its own block as the head, or below it.
            self.block_id = derived_id(view.block_id, self.header, self.hashes)
            self.check_known(self._ancestor(view) or self.block_id)
        header_rules.check(self.header, view, now_ns=time.time_ns(), ahead_ms=self._ahead_ms)

    def context(self, _view: View, _place: Place | None) -> BlockContext:
        """Returns the block context: that of the header. REQUIRES: it was checked."""
        return convert.block_context(self.header)

    def check_known(self, block_id: bytes) -> None:
        """Asks the store for a block.

        Raises:
            KnownBlockError: it has it.
            RemoteError: it cannot be reached.
        """
        stored = self._store.block(block_id)
        if stored is not None:
            raise KnownBlockError(stored)

    def _ancestor(self, view: View) -> bytes:
        """Returns the id of the block on the chain from a view down that this claim describes; empty: none."""
        at: View | None = view
        for _ in range(MAX_ANCESTORS + 1):
            if at is None or (at.number or 0) < self.header.number or not at.parent_id:
                break
            if at.number == self.header.number:  # numbers increase along a chain: there is no other candidate
                return at.block_id if at.block_id == derived_id(at.parent_id, self.header, self.hashes) else b""
            at = self._store.block_view(at.parent_id)
        return b""

    def answer(self, outcomes: Sequence[Outcome]) -> bytes:
        """Returns what the store keeps, beside the transactions, to answer the block again."""
        left_out = [
            answer_pb.LeftOut(transaction_index=index, outcome=outcome)
            for index, outcome in enumerate(outcomes)
            if outcome.verdict != execution_pb.VERDICT_EXECUTED
        ]
        answer = answer_pb.BlockAnswer(left_out=left_out, build_id=self._build_id)
        return answer.SerializeToString(deterministic=True)

    # -- against the stored block ----------------------------------------------------------------------------------

    def difference(self, stored: StoredBlock) -> Difference | None:
        """Compares the claim with the stored block; `hashes` are those of all transactions of the first request."""
        hashes = [outcome.tx_hash for outcome in first_outcomes(stored)]
        return next(self._differences(stored, hashes), None)

    def validated(
        self, stored: StoredBlock, request: execution_pb.ValidateBlockRequest
    ) -> execution_pb.BlockDifference | None:
        """Compares the claim, receipts and commitment included, with the stored block, whose transactions it lists."""
        hashes = [record.tx_hash for record in stored.transactions]
        found = next(self._differences(stored, hashes), None)
        if found is None:
            outcomes = [convert.to_stored_outcome(record) for record in stored.transactions]
            found = convert.first_difference(outcomes, request.receipts)
        if found is None and request.commitment not in (b"", stored.block.commitment):
            found = convert.block_difference(-1, "commitment", stored.block.commitment, request.commitment)
        return found

    def _differences(self, stored: StoredBlock, hashes: Sequence[bytes]) -> Iterator[Difference]:
        for name in _HEADER_FIELDS:
            expected, actual = getattr(stored.block.header, name), getattr(self.header, name)
            if expected != actual:
                yield convert.block_difference(-1, f"header.{name}", expected, actual)
        if self.parent_id not in (b"", stored.block.parent_id):
            yield convert.block_difference(-1, "parent_id", stored.block.parent_id, self.parent_id)
        for index, (expected, actual) in enumerate(zip(hashes, self.hashes, strict=False)):
            if expected != actual:
                yield convert.block_difference(index, "tx_hash", expected, actual)
        if len(hashes) != len(self.hashes):
            expected, actual = f"{len(hashes)} transactions", f"{len(self.hashes)} transactions"
            yield convert.block_difference(-1, "transactions", expected, actual)


def derived_id(parent_id: bytes, header: block_pb2.BlockHeader, hashes: Sequence[bytes]) -> bytes:
    """Returns the id of a block to which none is given: a hash over parent, header and all its transactions."""
    encoded = header.SerializeToString(deterministic=True)
    sha = hashlib.sha256(b"v8vm.block.id.1")
    for part in (parent_id, encoded):
        sha.update(len(part).to_bytes(4, "big") + part)
    for tx_hash in hashes:
        sha.update(tx_hash)
    return sha.digest()


def first_outcomes(stored: StoredBlock) -> list[Outcome]:
    """Returns the outcomes of the first response. A block without a stored answer left nothing out."""
    records = iter(stored.transactions)
    left_out = {item.transaction_index: item.outcome for item in _answer(stored).left_out}
    count = len(stored.transactions) + len(left_out)
    return [
        left_out[index] if index in left_out else convert.to_stored_outcome(next(records)) for index in range(count)
    ]


def first_build_id(stored: StoredBlock) -> str:
    """Returns the build id of the first response; empty when it is not known."""
    return _answer(stored).build_id


def _answer(stored: StoredBlock) -> answer_pb.BlockAnswer:
    return answer_pb.BlockAnswer.FromString(stored.answer)
