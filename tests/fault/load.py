"""Callers that send transfers for a while, and the checks that nothing they sent was lost or done twice."""

import json
import threading
import time
from dataclasses import dataclass, field

import grpc

from iost.chain.v1 import transaction_pb2
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.callers import Callers
from tests.support.vm_world import IOST, VmWorld
from vm_service import transactions


@dataclass
class Ledger:
    """What callers were told."""

    executed: dict[bytes, transaction_pb2.Transaction] = field(default_factory=dict)
    failed: list[tuple[grpc.RpcError, transaction_pb2.Transaction]] = field(default_factory=list)
    other: list[pb.TransactionOutcome] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Load(Callers):
    """Callers in threads, each sending one transfer of one iost after another.

    Caller n moves money from user n to the next user, so that neighbours conflict.
    """

    def __init__(self, world: VmWorld, callers: int) -> None:
        super().__init__(callers)
        self.ledger = Ledger()
        self.times_s: list[float] = []
        self._world = world
        self._before = {user: world.balance(user) for user in world.users}

    @property
    def count(self) -> int:
        """Transactions answered as executed so far."""
        return len(self.ledger.executed)

    @property
    def slowest_s(self) -> float:
        """Seconds that the slowest answer took."""
        return max(self.times_s)

    def call(self, number: int) -> None:
        """Sends one transfer."""
        users = self._world.users
        sender, receiver = users[number % len(users)], users[(number + 1) % len(users)]
        made = self._world.signer.transfer(sender, receiver, "0.00000001")
        began = time.monotonic()
        try:
            outcome = self._world.execute(made).outcomes[0]
        except grpc.RpcError as error:
            with self.ledger.lock:
                self.ledger.failed.append((error, made))
            time.sleep(0.01)  # a service that is gone refuses at once
            return
        with self.ledger.lock:
            self.times_s.append(time.monotonic() - began)
            if outcome.verdict == pb.VERDICT_EXECUTED and outcome.receipt.status.code == 1:
                self.ledger.executed[outcome.tx_hash] = made
            else:
                self.ledger.other.append(outcome)

    def verify(self) -> None:
        """Checks that every acknowledged transfer took effect exactly once, and nothing else happened.

        REQUIRES: no call failed, since whether a failed call took effect is not known from its answer.
        """
        assert not self.ledger.failed, self.ledger.failed[:3]
        assert not self.ledger.other, self.ledger.other[:3]
        expected = dict(self._before)
        for made in self.ledger.executed.values():
            sender, receiver = _parties(made)
            expected[sender] -= 1
            expected[receiver] += 1
        assert {user: self._world.balance(user) for user in self._world.users} == expected
        assert sum(expected.values()) == sum(self._before.values()) > IOST
        assert all(self._receipts_of(list(self.ledger.executed)))

    def lost(self) -> int:
        """Returns how many calls failed although they took effect: accepted, executed, and not answered."""
        hashes = [transactions.digest(transactions.canonical_forms(made).full) for _, made in self.ledger.failed]
        return sum(self._receipts_of(hashes))

    def _receipts_of(self, hashes: list[bytes]) -> list[bool]:
        """Tells for each transaction whether the store has its receipt."""
        found: list[bool] = []
        for at in range(0, len(hashes), 1000):
            request = inspection_pb.BatchGetReceiptsRequest(tx_hashes=hashes[at : at + 1000])
            receipts = self._world.inspection.BatchGetReceipts(request).receipts
            found.extend(stored.HasField("receipt") for stored in receipts)
        return found


def _parties(made: transaction_pb2.Transaction) -> tuple[str, str]:
    arguments = json.loads(made.actions[0].data)
    return arguments[1], arguments[2]
