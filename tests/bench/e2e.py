"""Speed of a whole node: three processes, gRPC between them, every commit synced to disk.

- `block_e2e_tx_per_s`: blocks of 1,000 transfers, the work of `engine`, through gateway, VM and state service.
  Signatures are trusted, as from a transaction pool that has checked them (and as in `engine`);
- `block_e2e_verified_tx_per_s`: the same with every signature checked by the VM service;
- `unary_e2e_tx_per_s`: single transactions of 64 callers, every signature checked.
"""

import dataclasses
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import grpc.aio
import uvloop

from chassis.channels import aio_channel
from gateway.client import Account, Client, KeyPair, action, signed
from gateway.demo import genesis
from gateway.demo.plan import ADMIN
from gateway.demo.processes import Services
from iost.chain.v1.block_pb2 import BlockHeader
from iost.chain.v1.receipt_pb2 import STATUS_CODE_SUCCESS
from iost.chain.v1.transaction_pb2 import Transaction
from iost.gateway.v1.block_service_pb2 import ExecuteBlockRequest, ExecuteBlockResponse
from iost.gateway.v1.inspection_service_pb2 import GetHeadResponse
from iost.gateway.v1.transaction_service_pb2 import ExecuteTransactionsRequest, ExecuteTransactionsResponse
from tests.bench.echo import rate
from tests.support.node import Node

BLOCK_TRANSACTIONS = 1000
BLOCK_COUNT = 15
WARM_UP_BLOCKS = 4
UNARY_COUNT = 6000
WARM_UP_UNARY = 600
ACCOUNTS = 200
EXECUTE_BLOCK = "/iost.gateway.v1.BlockService/ExecuteBlock"
EXECUTE = "/iost.gateway.v1.TransactionService/ExecuteTransactions"

# One key for all accounts: what is measured does not depend on it.
KEY = KeyPair("ed25519", bytes(range(32)))
USERS = [Account(f"user_{number}", KEY) for number in range(ACCOUNTS)]


def transfers() -> Iterator[Transaction]:
    """Makes signed transfers, as those of `engine`: 200 accounts, a different memo each."""
    number = 0
    while True:
        sender, receiver = USERS[number % ACCOUNTS], USERS[(number * 7 + 1) % ACCOUNTS]
        call = action("token.iost", "transfer", "iost", sender.name, receiver.name, "0.01", f"m{number}")
        yield signed(sender, call)
        number += 1


class Blocks:
    """Makes serialized requests to execute blocks, each to be the child of the one before."""

    def __init__(self, source: Iterator[Transaction], head: GetHeadResponse) -> None:
        self._source = source
        self._number = head.number
        self._hash = head.block_hash

    def take(self, count: int, *, checked: bool) -> list[bytes]:
        """Makes the next requests."""
        return [self._next(checked).SerializeToString() for _ in range(count)]

    def _next(self, checked: bool) -> ExecuteBlockRequest:
        batch = [next(self._source) for _ in range(BLOCK_TRANSACTIONS)]
        self._number += 1
        # Later than its transactions.
        header = BlockHeader(number=self._number, parent_hash=self._hash, witness="witness", time_ns=time.time_ns())
        # A block that is named has its id for a hash.
        self._hash = self._number.to_bytes(32, "big")
        return ExecuteBlockRequest(block_id=self._hash, header=header, transactions=batch, signatures_checked=checked)


async def measure_blocks(channel: grpc.aio.Channel, requests: list[bytes]) -> float:
    """Executes blocks one after the other; returns transactions per second after the warm-up."""
    execute = channel.unary_unary(EXECUTE_BLOCK, None, ExecuteBlockResponse.FromString)
    spent = 0.0
    for number, request in enumerate(requests):
        started = time.perf_counter()
        response = await execute(request, timeout=120)
        if number >= WARM_UP_BLOCKS:
            spent += time.perf_counter() - started
        failed = [item for item in response.outcomes if item.receipt.status.code != STATUS_CODE_SUCCESS]
        if failed:
            raise RuntimeError(f"{len(failed)} transactions failed: {failed[0]}")
    return (len(requests) - WARM_UP_BLOCKS) * BLOCK_TRANSACTIONS / spent


async def measure_unary(channel: grpc.aio.Channel, source: Iterator[Transaction]) -> float:
    """Sends single transactions by concurrent callers; returns transactions per second after the warm-up."""
    execute = channel.unary_unary(EXECUTE, None, None)
    total = WARM_UP_UNARY + UNARY_COUNT
    requests = [ExecuteTransactionsRequest(transactions=[next(source)]).SerializeToString() for _ in range(total)]
    answers: list[bytes] = []

    async def call(number: int) -> None:
        answers.append(await execute(requests[number]))

    await rate(call, WARM_UP_UNARY)
    measured = await rate(lambda number: call(WARM_UP_UNARY + number), UNARY_COUNT)
    outcomes = [ExecuteTransactionsResponse.FromString(answer).outcomes[0] for answer in answers]
    failed = [item for item in outcomes if item.receipt.status.code != STATUS_CODE_SUCCESS]
    if failed:
        raise RuntimeError(f"{len(failed)} transactions failed: {failed[0]}")
    return measured


async def measure(address: str, head: GetHeadResponse) -> dict[str, float]:
    """Measures all three against a gateway."""
    source = transfers()
    blocks, count = Blocks(source, head), BLOCK_COUNT + WARM_UP_BLOCKS
    async with aio_channel(address) as channel:
        trusted = await measure_blocks(channel, blocks.take(count, checked=True))
        verified = await measure_blocks(channel, blocks.take(count, checked=False))
        unary = await measure_unary(channel, source)
    return {
        "block_e2e_tx_per_s": round(trusted),
        "block_e2e_verified_tx_per_s": round(verified),
        "unary_e2e_tx_per_s": round(unary),
    }


def run() -> dict[str, float]:
    """Starts a node, measures, stops it; returns the figures by name."""
    with tempfile.TemporaryDirectory() as folder:
        node = Node(Path(folder))
        state, vm, gateway = node.programs
        trusting = dataclasses.replace(vm, flags=(*vm.flags, "--trust-signature-claims=true"))
        with Services((state, trusting, gateway), node.folder / "logs") as services:
            services.start()
            file = node.folder / genesis.GENESIS_FILE
            file.write_text(genesis.document({user.name: user for user in (Account(ADMIN, KEY), *USERS)}))
            genesis.apply(file, state.address)
            with Client(gateway.address) as client:
                head = client.head()
            return uvloop.run(measure(gateway.address, head))


if __name__ == "__main__":
    print(json.dumps(run()))
