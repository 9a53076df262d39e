"""A VM service between a real state service and a caller: processes, a small chain, signed transactions, stubs."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric import ed25519

from chassis.channels import channel_options
from iost.chain.v1 import transaction_pb2
from iost.state.v1 import admin_service_pb2_grpc as admin_rpc
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.state.v1 import inspection_service_pb2_grpc as inspection_rpc
from iost.state.v1 import state_service_pb2 as state_pb
from iost.state.v1 import state_service_pb2_grpc as state_rpc
from iost.vm.v1 import compilation_service_pb2_grpc as compilation_rpc
from iost.vm.v1 import execution_service_pb2 as pb
from iost.vm.v1 import execution_service_pb2_grpc as rpc
from iost.vm.v1 import worker_service_pb2 as worker_pb
from iost.vm.v1 import worker_service_pb2_grpc as worker_rpc
from tests.support.state_process import StateProcess
from tests.support.vm_process import VmProcess
from tests.support.waiting import wait_until
from vm_service import base58, genesis, transactions
from vm_service.convert import to_header
from vm_service.state_keys import StoredValue, field_key
from vm_service.worker.state_client import StateClient
from vm_service.worker.state_reader import CommitRequest

CHAIN_ID = 1024
SECOND_NS = 10**9
IOST = 10**8
"""Smallest units in one iost."""
BALANCE = 1_000
"""Whole iost of each user at genesis."""
MESSAGE_BYTES = 64 << 20

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes_raw()


def first_version(users: Sequence[str]) -> genesis.FirstVersion:
    """Builds a chain on which every user holds `BALANCE` iost and one key rules all accounts."""
    key = base58.encode(PUBLIC_KEY)
    accounts = [
        genesis.Account(name, key, key, gas=10**9, ram=10**8, balances={"iost": str(BALANCE)})
        for name in ("admin", *users)
    ]
    token = genesis.Token("iost", "admin", 21 * 10**9)
    return genesis.build(genesis.Genesis(0, "genesis", genesis.NATIVE_VERSIONS, accounts, tokens=[token], contracts=[]))


def commit_first_version(address: str, first: genesis.FirstVersion) -> None:
    """Commits the first version to an empty store."""
    store = StateClient(address, max_message_bytes=MESSAGE_BYTES, timeout_ms=20_000)
    store.connect(20)
    header = to_header(first.block).SerializeToString(deterministic=True)
    store.commit(CommitRequest(first.commit_id, b"", {}, first.writes, header=header))
    store.close()


class Signer:
    """Makes signed transactions, no two alike."""

    def __init__(self, chain_id: int = CHAIN_ID) -> None:
        self._chain_id = chain_id
        self._count = 0

    def transaction(
        self, publisher: str, *actions: tuple[str, str, Sequence[Any]], sign: bool = True, **fields: Any
    ) -> transaction_pb2.Transaction:
        """Makes a transaction of (contract, action, arguments); `fields` replace its own."""
        self._count += 1
        now_ns = time.time_ns() - SECOND_NS + self._count
        values: dict[str, Any] = {
            "time_ns": now_ns,
            "expiration_ns": now_ns + 80 * SECOND_NS,
            "gas_ratio": 100,
            "gas_limit": 400_000_000,
            "chain_id": self._chain_id,
            "publisher": publisher,
            "actions": [
                transaction_pb2.Action(contract=contract, action_name=action, data=json.dumps(list(arguments)))
                for contract, action, arguments in actions
            ],
            "amount_limits": [transaction_pb2.AmountLimit(token="*", value="unlimited")],
        }
        made = transaction_pb2.Transaction(**{**values, **fields})
        message = transactions.digest(transactions.canonical_forms(made).publish)
        signature = KEY.sign(message) if sign else bytes(64)
        made.publisher_signatures.add(algorithm=2, signature=signature, public_key=PUBLIC_KEY)
        return made

    def transfer(self, sender: str, receiver: str, amount: str = "1", **fields: Any) -> transaction_pb2.Transaction:
        """Makes a transfer of iost."""
        return self.transaction(sender, ("token.iost", "transfer", ("iost", sender, receiver, amount, "")), **fields)

    def publish(self, publisher: str, source: str, abi: Mapping[str, Any]) -> transaction_pb2.Transaction:
        """Makes the transaction that publishes a contract."""
        contract = json.dumps({"info": abi, "code": source})
        return self.transaction(publisher, ("system.iost", "setCode", (contract,)))


class VmWorld:
    """A running VM service with its store, and stubs for both."""

    def __init__(
        self,
        data_dir: Path,
        users: Sequence[str],
        *,
        with_genesis: bool = True,
        state_flags: Mapping[str, object] | None = None,
        **flags: object,
    ) -> None:
        """Starts both processes on a chain where each user has iost.

        Args:
            data_dir: folder of the store and of the VM service's cache.
            users: names of the accounts.
            with_genesis: whether the first version is committed; otherwise the store stays empty.
            state_flags: settings of the state service.
            flags: settings of the VM service.
        """
        self.users = users
        self.gateway_address = ""
        """Of the gateway in front of it; empty: none was started."""
        self.signer = Signer()
        self._data_dir = data_dir / "state"
        self._state_flags = dict(state_flags or {})
        self.state = StateProcess(self._data_dir, **self._state_flags)  # type: ignore[arg-type]
        self.flags = {"cache_dir": data_dir / "vm", **flags}
        self.vm: VmProcess | None = None
        self.channel: grpc.Channel | None = None
        self.state_channel: grpc.Channel | None = None
        try:
            if with_genesis:
                self.commit_genesis()
            self.start_vm()
        except BaseException:
            self.close()
            raise

    def commit_genesis(self) -> None:
        """Commits the first version of the chain to the store, which must be empty."""
        commit_first_version(self.state.address, first_version(self.users))

    def start_vm(self, **flags: object) -> None:
        """Starts the VM service with further settings, waits until it is ready, and makes the stubs."""
        self._close_channels()
        self.flags = {**self.flags, **flags}
        self.vm = VmProcess(self.state.address, **self.flags)  # type: ignore[arg-type]
        self.channel = grpc.insecure_channel(self.vm.address, options=channel_options(MESSAGE_BYTES))
        self.execution = rpc.ExecutionServiceStub(self.channel)
        self.compilation = compilation_rpc.CompilationServiceStub(self.channel)
        self.workers = worker_rpc.WorkerServiceStub(self.channel)
        self.state_channel = grpc.insecure_channel(self.state.address, options=channel_options(MESSAGE_BYTES))
        self.store = state_rpc.StateServiceStub(self.state_channel)
        self.inspection = inspection_rpc.InspectionServiceStub(self.state_channel)
        self.admin = admin_rpc.AdminServiceStub(self.state_channel)

    def restart_vm(self, **flags: object) -> None:
        """Ends the VM service and starts it again with further settings."""
        assert self.vm is not None
        self.vm.stop()
        self.start_vm(**flags)

    # -- asking ----------------------------------------------------------------------------------------------------

    def execute(self, *made: transaction_pb2.Transaction, **fields: Any) -> pb.ExecuteTransactionsResponse:
        """Executes transactions as one request."""
        request = pb.ExecuteTransactionsRequest(transactions=made, **fields)
        return self.execution.ExecuteTransactions(request, timeout=30)

    def hot(self) -> set[str]:
        """Returns the contracts that the worker last used holds hot."""
        workers = self.workers.ListWorkers(worker_pb.ListWorkersRequest()).workers
        return {name for worker in workers if worker.batch_count for name in worker.hot_contracts}

    def tiers(self) -> dict[str, int]:
        """Returns uses of contracts by the tier in which they were found, pinned ones left out."""
        uses = self.workers.ListWorkers(worker_pb.ListWorkersRequest()).uses
        return {"cold": uses.cold_count, "recent": uses.recent_count}

    def head(self) -> inspection_pb.GetHeadResponse:
        """Asks the store for its head."""
        return self.inspection.GetHead(inspection_pb.GetHeadRequest())

    def balance(self, account: str) -> int:
        """Returns an account's iost in smallest units."""
        key = field_key("token.iost", f"TB{account}", "iost").encode()
        entry = self.store.BatchGet(state_pb.BatchGetRequest(keys=[key])).entries[0]
        return int(StoredValue.decode(entry.value.decode()).data) if entry.HasField("value") else 0

    def total(self) -> int:
        """Returns the iost of all users together: transfers never change it."""
        return sum(self.balance(user) for user in self.users)

    def restart_state(self) -> None:
        """Kills the store and starts it again at the same address."""
        address = self.state.address
        lost = set(self.vm.worker_pids()) if self.vm is not None else set()
        self.state.kill()
        flags = {**self._state_flags, "port": address.rpartition(":")[2]}
        self.state = StateProcess(self._data_dir, **flags)  # type: ignore[arg-type]
        self.state.wait_for("service_ready")
        if self.vm is not None:
            self._wait_for_other_workers(lost)

    def _wait_for_other_workers(self, lost: set[int]) -> None:
        """Waits until workers that lost their connection to the store are gone, and another one takes work."""
        vm = self.vm
        assert vm is not None
        wait_until(lambda: not lost.intersection(vm.worker_pids()) and self._idle_count() > 0, 20.0)

    def _idle_count(self) -> int:
        listed = self.workers.ListWorkers(worker_pb.ListWorkersRequest()).workers
        return sum(worker.state == worker_pb.WORKER_STATE_IDLE for worker in listed)

    def _close_channels(self) -> None:
        for channel in (self.channel, self.state_channel):
            if channel is not None:
                channel.close()

    def close(self) -> None:
        """Ends both processes."""
        self._close_channels()
        for process in (self.vm, self.state):
            if process is None:
                continue
            if process.popen.poll() is None:
                process.kill()
            else:
                process.wait()


@contextmanager
def running(
    data_dir: Path, users: int | Sequence[str] = 8, *, with_genesis: bool = True, **flags: Any
) -> Iterator[VmWorld]:
    """Runs a world with users of these names, or so many of them; its processes are gone afterwards."""
    names = [f"user{number:05}" for number in range(users)] if isinstance(users, int) else users
    world = VmWorld(data_dir, names, with_genesis=with_genesis, **flags)
    try:
        yield world
    finally:
        world.close()
