"""Stand-ins for the VM and state services, served over gRPC: the form of their answers, nothing of what they decide."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc

from chassis.calls import ErrorInterceptor
from chassis.errors import MalformedRequestError, ServiceError
from chassis.health import HealthServicer
from gateway.client.canonical import transaction_hash
from iost.chain.v1 import receipt_pb2
from iost.state.v1 import inspection_service_pb2 as inspection
from iost.state.v1 import inspection_service_pb2_grpc, state_service_pb2_grpc
from iost.state.v1 import state_service_pb2 as state
from iost.vm.v1 import compilation_service_pb2 as compilation
from iost.vm.v1 import compilation_service_pb2_grpc, execution_service_pb2_grpc, worker_service_pb2_grpc
from iost.vm.v1 import execution_service_pb2 as execution
from iost.vm.v1 import worker_service_pb2 as workers


class OddError(ServiceError):
    """An error that only its own service knows; must reach callers unchanged."""

    reason = "SOMETHING_ODD"
    code = grpc.StatusCode.FAILED_PRECONDITION
    retryable = True
    retry_delay_ms = 123


class WriteConflictError(ServiceError):
    """A conflict as the VM service answers it."""

    reason = "WRITE_CONFLICT"
    code = grpc.StatusCode.ABORTED


@dataclass
class FakeVm:
    """Executes by answering. The publisher decides: `malformed` refuses the request, `odd` raises OddError,
    `conflict` WriteConflictError, `slow` waits for `release`.

    Attributes:
        batches: publishers of each ExecuteTransactions request, in order.
        delay_s: how long each request takes.
        release: set to let slow requests go on.
        deadlines: seconds left when each request arrived.
        cancelled: requests that were cancelled while they took their time.
        refuse: unless empty, every transaction is refused with this message.
        fail: unless empty, every transaction and call is executed and fails with this message.
        pool: the workers; `hottest` their most used contracts.
        abi: the ABI that it derives from every source.
        requests: the transaction and call requests as they came.
    """

    delay_s: float = 0.0
    release: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[list[str]] = field(default_factory=list)
    deadlines: list[float | None] = field(default_factory=list)
    cancelled: int = 0
    refuse: str = ""
    fail: str = ""
    abi: str = ""
    pool: list[workers.Worker] = field(
        default_factory=lambda: [workers.Worker(worker_id="1", pid=7, state=workers.WORKER_STATE_IDLE)]
    )
    hottest: list[workers.HotContract] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)

    async def ExecuteTransactions(self, request: Any, context: Any) -> Any:
        publishers = [transaction.publisher for transaction in request.transactions]
        self.batches.append(publishers)
        self.requests.append(request)
        self.deadlines.append(context.time_remaining())
        try:
            await asyncio.sleep(self.delay_s)
            if "slow" in publishers:
                await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if "malformed" in publishers:
            raise MalformedRequestError("publisher is wrong", field=f"transactions[{publishers.index('malformed')}]")
        if "odd" in publishers:
            raise OddError("odd", metadata={"who": "vm"}, details=[state.ConflictDetail(version=9)])
        if "conflict" in publishers:
            raise WriteConflictError("changed again and again")
        outcomes = [self._outcome(transaction) for transaction in request.transactions]
        return execution.ExecuteTransactionsResponse(outcomes=outcomes, version=len(self.batches), build_id="fake")

    async def ValidateTransactions(self, request: Any, context: Any) -> Any:
        outcomes = [self._outcome(item) for item in request.transactions]
        return execution.ValidateTransactionsResponse(outcomes=outcomes)

    def _outcome(self, transaction: Any) -> execution.TransactionOutcome:
        if self.refuse:
            return execution.TransactionOutcome(verdict=execution.VERDICT_REFUSED, message=self.refuse)
        return execution.TransactionOutcome(
            tx_hash=transaction_hash(transaction),
            verdict=execution.VERDICT_EXECUTED,
            receipt=receipt_pb2.Receipt(status=self._status(), gas_usage=4200),
            message=transaction.publisher,
            **self._details(),
        )

    def _status(self) -> receipt_pb2.Status:
        code = receipt_pb2.STATUS_CODE_RUNTIME_ERROR if self.fail else receipt_pb2.STATUS_CODE_SUCCESS
        return receipt_pb2.Status(code=code, message=self.fail)

    def _details(self) -> dict[str, Any]:
        """What an answer to a failure holds beside the status."""
        if not self.fail:
            return {}
        place: dict[str, Any] = {
            "function_name": "half",
            "line": 3,
            "column": 6,
            "source_line": "    \tthrow {code: 42};",
        }
        frames = [
            execution.FailureFrame(contract="ContractInner", action_name="m", **place),
            execution.FailureFrame(contract="ContractOuter", action_name="n"),
        ]
        failure = execution.Failure(frames=frames, thrown_json='{"code":42}')
        return {"console_lines": ["info: step one"], "failure": failure}

    async def CallContracts(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        outcomes = [
            execution.CallOutcome(
                status=self._status(),
                returns="" if self.fail else item.data,
                gas_usage=4200,
                verdict=execution.VERDICT_EXECUTED,
                **self._details(),
            )
            for item in request.calls
        ]
        return execution.CallContractsResponse(outcomes=outcomes, version=request.version)

    async def ExecuteBlock(self, request: Any, context: Any) -> Any:
        return execution.ExecuteBlockResponse(block_id=request.block_id, version=5)

    async def ValidateBlock(self, request: Any, context: Any) -> Any:
        return execution.ValidateBlockResponse(valid=True)

    async def CompileContracts(self, request: Any, context: Any) -> Any:
        outcomes = [
            compilation.CompileOutcome(instrumented=source.source, abi_json=self.abi) for source in request.sources
        ]
        return compilation.CompileContractsResponse(outcomes=outcomes)

    async def ListWorkers(self, request: Any, context: Any) -> Any:
        return workers.ListWorkersResponse(
            workers=self.pool, hottest=self.hottest, restart_count=2, gas_schedule_version=7
        )


@dataclass
class FakeState:
    """A dictionary of one version, a few receipts, and a log of events of one contract.

    Attributes:
        contract: the contract that posts the events.
        streams: streams that were opened.
    """

    cells: dict[bytes, bytes] = field(default_factory=dict)
    receipts: dict[bytes, receipt_pb2.Receipt] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    version: int = 3
    contract: str = "c"
    streams: int = 0
    time_ns: int = 0
    added: asyncio.Event = field(default_factory=asyncio.Event)

    async def BatchGet(self, request: Any, context: Any) -> Any:
        entries = [state.Entry(key=key, value=self.cells.get(key), version=1) for key in request.keys]
        return state.BatchGetResponse(entries=entries, version=request.view.version or self.version)

    async def Scan(self, request: Any, context: Any) -> Any:
        start = bytes.fromhex(request.page_token)
        keys = sorted(key for key in self.cells if key.startswith(request.prefix) and key >= start)
        size = request.page_size or 100
        entries = [state.Entry(key=key, value=self.cells[key], version=1) for key in keys[:size]]
        token = keys[size].hex() if len(keys) > size else ""
        return state.ScanResponse(entries=entries, next_page_token=token, version=request.view.version or self.version)

    async def FinalizeBlock(self, request: Any, context: Any) -> Any:
        return state.FinalizeBlockResponse(version=5, dropped_block_ids=[request.block_id[::-1]])

    async def DiscardBlock(self, request: Any, context: Any) -> Any:
        return state.DiscardBlockResponse(dropped_block_ids=[request.block_id])

    async def GetHead(self, request: Any, context: Any) -> Any:
        return inspection.GetHeadResponse(
            version=self.version, block_id=b"head", commitment=b"c" * 32, time_ns=self.time_ns
        )

    async def BatchGetReceipts(self, request: Any, context: Any) -> Any:
        found = [inspection.StoredReceipt(receipt=self.receipts.get(item), version=2) for item in request.tx_hashes]
        return inspection.BatchGetReceiptsResponse(receipts=found)

    def post(self, data: str) -> None:
        """Adds an event, one version each."""
        self.events.append(data)
        self.version += 1
        self.added.set()
        self.added = asyncio.Event()

    async def StreamEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        # Version 4 is the first with an event: the fake begins at 3 without any.
        position = max(0, request.cursor.version - 3)
        self.streams += 1
        while True:
            while position < len(self.events):
                position += 1
                yield inspection.StreamEventsResponse(
                    cursor=inspection.EventCursor(version=position + 3, transaction_index=2**31 - 1),
                    event=receipt_pb2.Event(contract=self.contract, data=self.events[position - 1]),
                )
            if request.until_head:
                return
            await self.added.wait()


_ADDERS: tuple[tuple[type, Callable[[Any, grpc.aio.Server], None]], ...] = (
    (FakeVm, execution_service_pb2_grpc.add_ExecutionServiceServicer_to_server),
    (FakeVm, compilation_service_pb2_grpc.add_CompilationServiceServicer_to_server),
    (FakeVm, worker_service_pb2_grpc.add_WorkerServiceServicer_to_server),
    (FakeState, state_service_pb2_grpc.add_StateServiceServicer_to_server),
    (FakeState, inspection_service_pb2_grpc.add_InspectionServiceServicer_to_server),
)


class _Complete:
    """Lends a fake the methods that it lacks, so that it can be registered: they answer UNIMPLEMENTED."""

    def __init__(self, fake: object) -> None:
        self._fake = fake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fake, name, self._missing)

    @staticmethod
    async def _missing(request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not part of the fake")


class FakeServer:
    """Serves a fake on a free port of the loopback; can be stopped and started again on the same port."""

    def __init__(self, fake: FakeVm | FakeState) -> None:
        self.fake = fake
        self.port = 0
        self._server: grpc.aio.Server | None = None
        self.health = HealthServicer()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listens, on the port of the last time if there was one."""
        self._server = grpc.aio.server(interceptors=(ErrorInterceptor(),), options=(("grpc.so_reuseport", 0),))
        for kind, add in _ADDERS:
            if isinstance(self.fake, kind):
                add(_Complete(self.fake), self._server)
        self.health.set("", serving=True)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Breaks all connections."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None
