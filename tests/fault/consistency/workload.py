"""Concurrent callers, readers and subscribers of a node; everything they see goes into the history."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from chassis.channels import aio_channel
from chassis.errors import RemoteError, from_rpc_error
from gateway.client import Account, AsyncClient, EventFilter, build, sign, transaction_hash
from iost.chain.v1.block_pb2 import BlockHeader
from iost.chain.v1.transaction_pb2 import Transaction
from iost.gateway.v1 import block_service_pb2 as blocks
from iost.gateway.v1 import inspection_service_pb2 as inspection
from iost.gateway.v1.inspection_service_pb2_grpc import InspectionServiceStub
from tests.fault.consistency import history as log
from tests.fault.consistency import wire
from tests.fault.consistency.model import CONTRACTS, balance_keys

LIVE_KEYS = 5
"""Lists in use at a time: few, so that transactions meet."""

LIST_LENGTH = 25
"""Appends after which a list is replaced by a new one: answers hold whole lists."""

DEADLINES_S = (0.25, 1.0, 2.5, 6.0, 6.0)
"""Deadlines of calls. Short ones leave callers without an answer, so that they must ask again."""

GIVE_UP_S = 60.0
"""Time after which a caller no longer repeats a transaction."""

LAST = 2**31 - 1


@dataclass(slots=True)
class Made:
    """A transaction with what became of it so far."""

    transaction: Transaction
    tx_id: str
    steps: list[log.Step]
    kind: str
    attempts: list[log.Attempt] = field(default_factory=list)

    @property
    def tx_hash(self) -> bytes:
        """Its hash."""
        return transaction_hash(self.transaction)

    @property
    def answered(self) -> bool:
        """Whether an answer holds a receipt or a refusal."""
        return any(attempt.outcome is not None for attempt in self.attempts)


class Keys:
    """Lists in use."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._next = 0
        self._uses: dict[str, int] = {}
        self.all: list[str] = []
        for _ in range(LIVE_KEYS):
            self._add()

    def _add(self) -> None:
        key = f"{self._next % CONTRACTS}/{self._next}"
        self._next += 1
        self._uses[key] = 0
        self.all.append(key)

    @property
    def live(self) -> list[str]:
        """Lists in use now."""
        return list(self._uses)

    def take(self, *, append: bool) -> str:
        """Chooses a list for a step."""
        key = self._chance.choice(list(self._uses))
        if append:
            self._uses[key] += 1
            if self._uses[key] == LIST_LENGTH:
                del self._uses[key]
                self._add()
        return key


class Workload:
    """Everything that calls the gateways."""

    def __init__(
        self, gateways: Sequence[str], accounts: Sequence[Account], contracts: Sequence[str], seed: int
    ) -> None:
        self.clients = [AsyncClient(address) for address in gateways]
        self._channels = [aio_channel(address) for address in gateways]
        self._inspection = [InspectionServiceStub(channel) for channel in self._channels]
        self._gateways = list(gateways)
        self._accounts = list(accounts)
        self._contracts = list(contracts)
        self._chance = random.Random(seed)
        self.keys = Keys(self._chance)
        self.made: list[Made] = []
        self.seen: list[log.Entry] = []
        self.stopping = False
        self._next_value = 0

    async def close(self) -> None:
        """Closes all connections."""
        for client in self.clients:
            await client.close()
        for channel in self._channels:
            await channel.close()

    def entries(self) -> list[log.Entry]:
        """Returns everything seen so far, for the history."""
        sent = [
            log.Sent(made.tx_id, made.tx_hash.hex(), made.steps, made.kind, made.attempts)
            for made in self.made
            if made.attempts
        ]
        return [*sent, *self.seen]

    # -- transactions ----------------------------------------------------------------------------------------------

    def _make(self, kind: str) -> Made:
        tx_id = f"t{len(self.made)}"
        steps = self._steps()
        publisher = self._chance.choice(self._accounts)
        unsigned = build(publisher.name, wire.actions(tx_id, steps, self._contracts))
        made = Made(sign(unsigned, publisher), tx_id, steps, kind)
        self.made.append(made)
        return made

    def _steps(self) -> list[log.Step]:
        chance = self._chance
        if chance.random() < 0.25:
            contract, (one, other) = chance.randrange(CONTRACTS), chance.sample(range(log.ACCOUNTS), 2)
            return [log.Move(f"{contract}/p{one}", f"{contract}/p{other}", chance.choice((1, 3, 10, 700)))]
        steps: list[log.Step] = []
        for _ in range(chance.randint(1, 4)):
            if chance.random() < 0.55:
                self._next_value += 1
                steps.append(log.Append(self.keys.take(append=True), self._next_value))
            else:
                steps.append(log.Look(self.keys.take(append=False)))
        if chance.random() < 0.08:
            steps.append(log.Fail())
        return steps

    async def caller(self, *, with_blocks: bool) -> None:
        """Sends one transaction, batch or block after another until the run ends."""
        while not self.stopping:
            roll = self._chance.random()
            if roll < 0.84:
                await self._drive([self._make("single")], twin=roll < 0.07)
            elif roll < 0.94 or not with_blocks:
                made = [self._make("batch") for _ in range(self._chance.randint(2, 5))]
                await self._drive(made + made[:1] if roll < 0.87 else made)
            else:
                await self._block([self._make("block") for _ in range(self._chance.randint(1, 4))])
            await asyncio.sleep(self._chance.random() * 0.05)

    async def repeater(self) -> None:
        """Sends answered transactions again, recent and old ones."""
        while not self.stopping:
            await asyncio.sleep(0.1 + self._chance.random() * 0.3)
            done = [made for made in self.made[-400:] if made.answered]
            if done:
                await self._attempt(self._chance.sample(done, min(len(done), self._chance.choice((1, 1, 4)))), 3.0)

    async def _drive(self, made: Sequence[Made], *, twin: bool = False) -> None:
        """Sends transactions until there is an answer, to both gateways at once for a `twin`."""
        give_up = time.time() + GIVE_UP_S
        while not self.stopping and time.time() < give_up:
            deadline = self._chance.choice(DEADLINES_S)
            calls = [self._attempt(made, deadline, gateway) for gateway in ((0, 1) if twin else (None,))]
            if any(await asyncio.gather(*calls)):
                return
            await asyncio.sleep(self._chance.random() * 0.3)

    async def _attempt(self, made: Sequence[Made], deadline_s: float, gateway: int | None = None) -> bool:
        """Makes one call; tells whether it was answered."""
        gateway = self._chance.randrange(len(self.clients)) if gateway is None else gateway
        start = time.time()
        try:
            answer = await self.clients[gateway].execute([item.transaction for item in made], timeout_s=deadline_s)
        except RemoteError as error:
            self._failed(made, start, gateway, error)
            return False
        self._answered(made, start, gateway, answer)
        return True

    def _failed(self, made: Sequence[Made], start: float, gateway: int, error: RemoteError) -> None:
        attempt = log.Attempt(start, time.time(), gateway, None, error.code.name, error.reason)
        for item in {id(item): item for item in made}.values():
            item.attempts.append(attempt)

    def _answered(
        self,
        made: Sequence[Made],
        start: float,
        gateway: int,
        answer: "inspection.BatchGetStateResponse | blocks.ExecuteBlockResponse",
    ) -> None:
        for item, found in zip(made, answer.outcomes, strict=True):
            outcome = wire.outcome(found, answer.version, answer.commitment)
            item.attempts.append(log.Attempt(start, time.time(), gateway, outcome))

    # -- blocks ----------------------------------------------------------------------------------------------------

    async def _block(self, made: Sequence[Made]) -> None:
        """Executes a block on the newest one. A refused header means that another commit came first."""
        give_up = time.time() + GIVE_UP_S
        request = None
        while not self.stopping and time.time() < give_up:
            gateway, start = self._chance.randrange(len(self.clients)), time.time()
            try:
                request = request or await self._block_request(made, gateway)
                answer = await self.clients[gateway].execute_block(request, timeout_s=self._chance.choice(DEADLINES_S))
            except RemoteError as error:
                self._failed(made, start, gateway, error)
                if error.code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND):
                    request = None
                await asyncio.sleep(self._chance.random() * 0.2)
                continue
            self._answered(made, start, gateway, answer)
            return

    async def _block_request(self, made: Sequence[Made], gateway: int) -> blocks.ExecuteBlockRequest:
        return block_on(
            await self.clients[gateway].head(timeout_s=2), [item.transaction for item in made], self._chance
        )

    # -- readers ---------------------------------------------------------------------------------------------------

    async def reader(self) -> None:
        """Reads lists and balances of the newest and of earlier versions, and heads."""
        earlier: list[int] = []
        while not self.stopping:
            await asyncio.sleep(0.05 + self._chance.random() * 0.2)
            gateway, start = self._chance.randrange(len(self.clients)), time.time()
            try:
                if self._chance.random() < 0.25:
                    head = await self.clients[gateway].head(timeout_s=2)
                    self.seen.append(
                        log.Head(start, time.time(), head.version, head.final_version, head.commitment.hex())
                    )
                    continue
                version = self._chance.choice(earlier[-60:]) if earlier and self._chance.random() < 0.3 else 0
                keys = [*self.keys.live, *self._chance.sample(self.keys.all, min(3, len(self.keys.all)))]
                read = await self.read(keys, gateway=gateway, version=version)
            except RemoteError:
                continue
            self.seen.append(read)
            earlier.append(read.version)

    async def read(self, keys: Sequence[str], *, gateway: int = 0, version: int = 0) -> log.Read:
        """Reads lists and all balances at one version."""
        start = time.time()
        lists = [f"b-{self._contracts[int(key[0])]}-l{key[2:]}" for key in keys]
        balances = [f"b-{self._contracts[int(key[0])]}-{key[2:]}" for key in balance_keys()]
        request = inspection.BatchGetStateRequest(names=[*lists, *balances], version=version)
        try:
            answer = await self._inspection[gateway].BatchGetState(request, timeout=3)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        texts = [entry.value.text for entry in answer.entries]
        return log.Read(
            start,
            time.time(),
            answer.version,
            {key: json.loads(text or "[]") for key, text in zip(keys, texts, strict=False)},
            {key: int(text) for key, text in zip(balance_keys(), texts[len(keys) :], strict=True)},
            newest=version == 0,
        )

    # -- subscribers -----------------------------------------------------------------------------------------------

    async def follow(self, cursor: inspection.EventCursor, *, final_only: bool = False) -> None:
        """Subscribes with the client library, which reconnects by itself."""
        name = "final" if final_only else "library"
        try:
            async with AsyncClient(self._gateways[0]) as client:
                async for item in client.events(EventFilter(final_only=final_only), cursor=cursor):
                    self._delivered(name, item)
        except RemoteError as error:
            self.seen.append(log.StreamFailed(name, error.code.name, error.reason))

    async def follow_by_hand(self, cursor: inspection.EventCursor) -> None:
        """Subscribes to either gateway, breaks the stream off at random, and resumes by the last cursor."""
        while True:
            left = self._chance.choice((1, 7, 60, 400))
            stub = self._inspection[self._chance.randrange(len(self._inspection))]
            call = stub.StreamEvents(inspection.StreamEventsRequest(cursor=cursor), timeout=6)
            try:
                async for item in call:
                    cursor = item.cursor
                    self._delivered("by hand", item)
                    left -= 1
                    if not left:
                        call.cancel()
                        break
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    self.seen.append(log.StreamFailed("by hand", error.code().name, error.details() or ""))
            await asyncio.sleep(self._chance.random() * 0.3)

    def _delivered(self, subscriber: str, item: inspection.StreamEventsResponse) -> None:
        cursor = item.cursor
        self.seen.append(
            log.Delivered(
                subscriber,
                cursor.version,
                cursor.block_id.hex(),
                cursor.transaction_index,
                cursor.event_index,
                item.tx_hash.hex(),
                item.event.data,
                item.unwind,
            )
        )


def block_on(
    parent: inspection.GetHeadResponse, transactions: Sequence[Transaction], chance: random.Random
) -> blocks.ExecuteBlockRequest:
    """Makes the request of a block on a head."""
    header = BlockHeader(
        number=parent.number + 1,
        parent_hash=parent.block_id,
        witness="harness",
        time_ns=max(time.time_ns(), parent.time_ns + 1),
    )
    return blocks.ExecuteBlockRequest(
        block_id=chance.randbytes(32), parent_id=parent.block_id, header=header, transactions=transactions
    )


def after(head: inspection.GetHeadResponse) -> inspection.EventCursor:
    """Returns the cursor behind everything that a head holds."""
    return inspection.EventCursor(
        version=head.version, transaction_index=LAST, event_index=LAST, block_id=head.block_id
    )
