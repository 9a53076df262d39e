"""The asyncio client of a gateway.

    async with AsyncClient("127.0.0.1:7001") as client:
        outcome = await client.send(alice, action("token.iost", "transfer", "iost", "alice", "bob", "1.5", ""))

Calls that fail raise `chassis.errors.RemoteError` with a gRPC code and a machine-readable reason. A transaction that
fails is an answer and no error, except from `send`, `publish` and `call`, which raise `TransactionError`: success needs
no check.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import grpc
import grpc.aio

from chassis.channels import aio_channel
from chassis.errors import from_rpc_error
from gateway.client import calls, events, transactions
from gateway.client.canonical import contract_id
from gateway.client.key_files import Account
from iost.chain.v1.contract_pb2 import Contract
from iost.chain.v1.transaction_pb2 import Action, Transaction
from iost.gateway.v1 import block_service_pb2 as blocks
from iost.gateway.v1 import contract_service_pb2 as contracts
from iost.gateway.v1 import inspection_service_pb2 as inspection
from iost.gateway.v1 import transaction_service_pb2 as tx
from iost.gateway.v1.block_service_pb2_grpc import BlockServiceStub
from iost.gateway.v1.contract_service_pb2_grpc import ContractServiceStub
from iost.gateway.v1.inspection_service_pb2_grpc import InspectionServiceStub
from iost.gateway.v1.outcome_pb2 import TransactionOutcome
from iost.gateway.v1.transaction_service_pb2_grpc import TransactionServiceStub

R = TypeVar("R")


async def _answer(call: Awaitable[R]) -> R:
    try:
        return await call
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error


class AsyncClient:
    """Calls a gateway. One instance serves any number of tasks. REQUIRES: a running event loop.

    Reads take `version` or `block_id` of the state to read: the block id wins over the version, the version over the
    newest. Every method takes `timeout_s`, the deadline in seconds; None means 30 s (120 s for blocks). Within it,
    calls are repeated while the gateway cannot be reached; that is safe for all of them.
    """

    def __init__(self, target: str = calls.DEFAULT_TARGET) -> None:
        """Opens a channel to `target` (`host:port`); connects at the first call."""
        self._channel = aio_channel(target, policies=calls.POLICIES)
        self._transactions = TransactionServiceStub(self._channel)
        self._blocks = BlockServiceStub(self._channel)
        self._contracts = ContractServiceStub(self._channel)
        self._inspection = InspectionServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the channel; calls in flight are cancelled."""
        await self._channel.close()

    # --- transactions and calls --------------------------------------------------------------------------------------

    async def execute(
        self,
        batch: Sequence[Transaction],
        *,
        dry_run: bool = False,
        trace: bool = False,
        assume_signed: bool = False,
        assume_paid: bool = False,
        timeout_s: float | None = None,
    ) -> tx.ExecuteTransactionsResponse:
        """Executes signed transactions in order and commits them; with `dry_run` nothing is kept.

        Args:
            batch: the transactions.
            dry_run: answer what would happen, and keep nothing.
            trace: with `dry_run`, answer lines and columns of failures.
            assume_signed: with `dry_run`, take signatures for granted.
            assume_paid: with `dry_run`, take gas and RAM of the publisher for granted.
            timeout_s: deadline in seconds.
        """
        request = tx.ExecuteTransactionsRequest(
            transactions=batch,
            dry_run=dry_run,
            trace=trace,
            assume_signed=assume_signed,
            assume_paid=assume_paid,
        )
        return await _answer(self._transactions.ExecuteTransactions(request, timeout=timeout_s))

    async def send(
        self,
        publisher: Account,
        *actions: Action,
        gas_limit: int = transactions.GAS_LIMIT,
        chain_id: int = transactions.CHAIN_ID,
        timeout_s: float | None = None,
    ) -> TransactionOutcome:
        """Builds, signs and executes one transaction.

        Raises:
            TransactionError: it was refused or failed.
        """
        signed = transactions.signed(publisher, *actions, gas_limit=gas_limit, chain_id=chain_id)
        response = await self.execute([signed], timeout_s=timeout_s)
        return calls.check(response.outcomes[0])

    async def validate(
        self, batch: Sequence[Transaction], *, time_ns: int = 0, trace: bool = False, timeout_s: float | None = None
    ) -> tx.ValidateTransactionsResponse:
        """Asks, for each signed transaction alone, whether it would be accepted now; `trace` as for `execute`."""
        request = tx.ValidateTransactionsRequest(transactions=batch, time_ns=time_ns, trace=trace)
        return await _answer(self._transactions.ValidateTransactions(request, timeout=timeout_s))

    async def call(
        self,
        contract: str,
        method: str,
        *args: object,
        data: str | None = None,
        publisher: str = "",
        gas_limit: int = 0,
        version: int = 0,
        block_id: bytes = b"",
        trace: bool = False,
        timeout_s: float | None = None,
    ) -> tx.CallOutcome:
        """Calls a method without a transaction; nothing is kept. With `trace`, a failure tells lines and columns.

        Arguments are Python values as for `action`, or `data`: the text of a JSON array, sent as it is.

        Raises:
            TransactionError: the call failed.
        """
        request = calls.call_request(
            contract,
            method,
            args,
            data=data,
            publisher=publisher,
            gas_limit=gas_limit,
            version=version,
            block_id=block_id,
            trace=trace,
        )
        response = await _answer(self._transactions.CallContracts(request, timeout=timeout_s))
        return calls.check_call(response.outcomes[0])

    # --- contracts ---------------------------------------------------------------------------------------------------

    async def compile(
        self, source: str, abi_json: str = "", *, timeout_s: float | None = None
    ) -> contracts.CompileOutcome:
        """Checks a source as publishing would; an empty ABI is derived from the source.

        Raises:
            CompileError: the source or the ABI is refused.
        """
        request = calls.compile_request(source, abi_json)
        response = await _answer(self._contracts.CompileContracts(request, timeout=timeout_s))
        return calls.check_compiled(response.outcomes[0])

    async def publish(
        self,
        publisher: Account,
        source: str,
        abi: Mapping[str, object] | None = None,
        *,
        gas_limit: int = transactions.PUBLISH_GAS_LIMIT,
        chain_id: int = transactions.CHAIN_ID,
        timeout_s: float | None = None,
    ) -> calls.Published:
        """Publishes a contract; without `abi` it is derived from the source.

        Raises:
            CompileError: no ABI was given and the source is refused.
            TransactionError: publishing was refused or failed, its `init` included.
        """
        if abi is None:
            abi = json.loads((await self.compile(source, timeout_s=timeout_s)).abi_json)
        signed = transactions.signed(
            publisher, transactions.publish_action(source, abi), gas_limit=gas_limit, chain_id=chain_id
        )
        response = await self.execute([signed], timeout_s=timeout_s)
        return calls.Published(contract_id(signed), calls.check(response.outcomes[0]))

    async def contracts(
        self, ids: Sequence[str], *, version: int = 0, block_id: bytes = b"", timeout_s: float | None = None
    ) -> Sequence[Contract]:
        """Reads published contracts; an unknown id is a RemoteError with reason CONTRACT_NOT_FOUND."""
        request = contracts.BatchGetContractsRequest(ids=ids, version=version, block_id=block_id)
        return (await _answer(self._contracts.BatchGetContracts(request, timeout=timeout_s))).contracts

    # --- blocks ------------------------------------------------------------------------------------------------------

    async def execute_block(
        self, request: blocks.ExecuteBlockRequest, *, timeout_s: float | None = None
    ) -> blocks.ExecuteBlockResponse:
        """Executes and commits a block; a known one is answered as the first time."""
        return await _answer(self._blocks.ExecuteBlock(request, timeout=timeout_s))

    async def validate_block(
        self, request: blocks.ValidateBlockRequest, *, timeout_s: float | None = None
    ) -> blocks.ValidateBlockResponse:
        """Executes a block again and compares; commits it only when the request says so."""
        return await _answer(self._blocks.ValidateBlock(request, timeout=timeout_s))

    async def finalize_block(self, block_id: bytes, *, timeout_s: float | None = None) -> blocks.FinalizeBlockResponse:
        """Makes a block and its ancestors final."""
        request = blocks.FinalizeBlockRequest(block_id=block_id)
        return await _answer(self._blocks.FinalizeBlock(request, timeout=timeout_s))

    async def discard_block(self, block_id: bytes, *, timeout_s: float | None = None) -> blocks.DiscardBlockResponse:
        """Drops a block that is not final, and its descendants."""
        request = blocks.DiscardBlockRequest(block_id=block_id)
        return await _answer(self._blocks.DiscardBlock(request, timeout=timeout_s))

    async def block(self, block_id: bytes, *, timeout_s: float | None = None) -> blocks.GetBlockResponse:
        """Reads number, time, parent and hash of a block; an unknown one is a RemoteError (BLOCK_NOT_FOUND)."""
        return await _answer(self._blocks.GetBlock(blocks.GetBlockRequest(block_id=block_id), timeout=timeout_s))

    async def record_block_hash(
        self, block_id: bytes, block_hash: bytes, *, timeout_s: float | None = None
    ) -> blocks.RecordBlockHashResponse:
        """Records the hash that consensus gave a block, against which `parent_hash` of its children is checked."""
        request = blocks.RecordBlockHashRequest(block_id=block_id, block_hash=block_hash)
        return await _answer(self._blocks.RecordBlockHash(request, timeout=timeout_s))

    # --- inspection --------------------------------------------------------------------------------------------------

    async def receipts(
        self, tx_hashes: Sequence[bytes], *, version: int = 0, block_id: bytes = b"", timeout_s: float | None = None
    ) -> Sequence[inspection.StoredReceipt]:
        """Reads receipts on the chain from one block down; that of a hash unknown there has no field `receipt`."""
        request = inspection.BatchGetReceiptsRequest(tx_hashes=tx_hashes, version=version, block_id=block_id)
        return (await _answer(self._inspection.BatchGetReceipts(request, timeout=timeout_s))).receipts

    async def state(
        self, names: Sequence[str], *, version: int = 0, block_id: bytes = b"", timeout_s: float | None = None
    ) -> Sequence[inspection.StateEntry]:
        """Reads state by logical names, all from one version."""
        request = inspection.BatchGetStateRequest(names=names, version=version, block_id=block_id)
        return (await _answer(self._inspection.BatchGetState(request, timeout=timeout_s))).entries

    async def list_state(
        self,
        prefix: str,
        *,
        version: int = 0,
        block_id: bytes = b"",
        page_size: int = 0,
        timeout_s: float | None = None,
    ) -> AsyncIterator[inspection.StateEntry]:
        """Lists all state below a prefix, page by page, all from one version. `timeout_s` is for each page."""
        page_token = ""
        while True:
            page = await self.state_page(
                prefix,
                version=version,
                block_id=block_id,
                page_size=page_size,
                page_token=page_token,
                timeout_s=timeout_s,
            )
            for entry in page.entries:
                yield entry
            if not page.next_page_token:
                return
            version, page_token = page.version, page.next_page_token

    async def state_page(
        self,
        prefix: str,
        *,
        version: int = 0,
        block_id: bytes = b"",
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
    ) -> inspection.ListStateResponse:
        """Lists one page of the state below a prefix; `page_token` is that of the page before."""
        request = inspection.ListStateRequest(
            prefix=prefix, version=version, block_id=block_id, page_size=page_size, page_token=page_token
        )
        return await _answer(self._inspection.ListState(request, timeout=timeout_s))

    async def balances(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        version: int = 0,
        block_id: bytes = b"",
        timeout_s: float | None = None,
    ) -> Sequence[inspection.Balance]:
        """Reads balances, each asked for as account and token, all from one version."""
        request = calls.balances_request(pairs, version, block_id)
        return (await _answer(self._inspection.BatchGetBalances(request, timeout=timeout_s))).balances

    async def head(self, *, timeout_s: float | None = None) -> inspection.GetHeadResponse:
        """Reads the newest block with number, time, id, parent and hash, and the live range."""
        return await _answer(self._inspection.GetHead(inspection.GetHeadRequest(), timeout=timeout_s))

    async def workers(self, *, timeout_s: float | None = None) -> inspection.ListWorkersResponse:
        """Lists the worker processes of the VM service."""
        return await _answer(self._inspection.ListWorkers(inspection.ListWorkersRequest(), timeout=timeout_s))

    async def status(self, *, timeout_s: float | None = None) -> inspection.GetStatusResponse:
        """Reads how every service of the node is doing; a service that does not answer is one row of it."""
        return await _answer(self._inspection.GetStatus(inspection.GetStatusRequest(), timeout=timeout_s))

    async def events(
        self, wanted: events.EventFilter = events.ALL, *, cursor: inspection.EventCursor | None = None
    ) -> AsyncIterator[inspection.StreamEventsResponse]:
        """Follows events of committed transactions, across lost connections, none lost and none twice.

        Args:
            wanted: which events.
            cursor: go on after this place, taken from an earlier event; None: only what is committed from now on.

        Yields:
            Events, and notices with `unwind` set (see StreamEventsResponse).
        """
        position = events.Position(wanted, cursor or events.after(await self.head()))
        while True:
            try:
                async for response in self._inspection.StreamEvents(position.request):
                    yield position.saw(response)
                if wanted.until_head:
                    return
            except grpc.RpcError as error:
                remote = from_rpc_error(error)
                if remote.code is not grpc.StatusCode.UNAVAILABLE:
                    raise remote from error
            await asyncio.sleep(position.next_delay_s())
