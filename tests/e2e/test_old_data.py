"""A data folder of the release before this schema opens, keeps its answers and takes new transactions and blocks.

`data/schema-1.tar.gz` was written by that release: a counter that got 20 calls outside blocks, then blocks 01..01 and
02..02 on the main chain, 03..03 and 04..04 on a branch, and a dropped one. Block 01..01 is final. The state service was
ended by kill -9, so that the newest versions stand in the log alone.
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import RemoteError
from gateway.client import Account, Client, action, key_files
from gateway.demo.processes import Services, programs
from iost.chain.v1.block_pb2 import BlockHeader
from iost.chain.v1.receipt_pb2 import Receipt
from iost.gateway.v1 import block_service_pb2 as blocks
from tests.support.node import free_ports

pytestmark = pytest.mark.timeout(120)

ARCHIVE = Path(__file__).parent / "data/schema-1.tar.gz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    return found


@pytest.fixture(scope="module")
def alice(folder: Path) -> Account:
    return key_files.load(folder / "keys/alice.json")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Client]:
    gateway, vm, state = free_ports(3)
    wanted = programs(folder, gateway_port=gateway, vm_port=vm, state_port=state)
    with Services(wanted, folder / "logs") as services:
        services.start()
        with Client(wanted[2].address) as client:
            yield client


def count(client: Client, counter: str) -> int:
    """Returns the value of the counter at the newest version."""
    (entry,) = client.state([f"b-{counter}-count"])
    return int(entry.value.text)


def test_the_head_and_its_commitment_are_kept(client: Client, facts: dict[str, Any]) -> None:
    head = client.head()
    assert (head.version, head.final_version) == (facts["head"]["version"], facts["head"]["final"])
    assert (head.block_id.hex(), head.commitment.hex()) == (facts["head"]["block_id"], facts["head"]["commitment"])


def test_state_and_receipts_are_kept(client: Client, facts: dict[str, Any]) -> None:
    assert count(client, facts["counter"]) == 20 + 100 + 10
    stored = bytes.fromhex(facts["receipt"])
    (found,) = client.receipts([Receipt.FromString(stored).tx_hash])
    assert found.receipt.SerializeToString(deterministic=True) == stored


def test_blocks_of_that_release_are_known_read_at_and_built_on(client: Client, facts: dict[str, Any]) -> None:
    branch = bytes.fromhex(facts["branch"]["block_id"])
    block, head = client.block(branch), client.head()
    assert (head.number, head.parent_id) == (facts["head"]["number"], b"\1" * 32)
    assert (block.header.number, block.parent_id, block.block_hash) == (facts["branch"]["version"] - 1, b"\3" * 32, b"")
    (entry,) = client.state([f"b-{facts['counter']}-count"], block_id=branch)
    assert int(entry.value.text) == 20 + 100 + 1000 + 2000
    stored = bytes.fromhex(facts["branch"]["receipt"])
    hashes = [Receipt.FromString(stored).tx_hash]
    assert client.receipts(hashes, block_id=branch)[0].receipt.SerializeToString(deterministic=True) == stored
    assert not client.receipts(hashes)[0].HasField("receipt")

    request = blocks.ExecuteBlockRequest(block_id=branch, parent_id=block.parent_id, header=block.header)
    with pytest.raises(RemoteError) as caught:  # its one transaction is missing
        client.execute_block(request)
    assert (caught.value.reason, caught.value.metadata["field"]) == ("BLOCK_DIFFERS", "transactions")
    header = BlockHeader(number=block.header.number + 1, time_ns=block.header.time_ns + 1)
    child = blocks.ValidateBlockRequest(parent_id=branch, header=header)
    assert client.validate_block(child).valid
    child.header.number += 1
    assert client.validate_block(child).difference.field == "header.number"


def test_a_transaction_and_a_branch_go_on(client: Client, facts: dict[str, Any], alice: Account) -> None:
    counter = facts["counter"]
    outcome = client.send(alice, action(counter, "add", 1))
    assert list(outcome.receipt.returns) == ['["131"]']
    branch = bytes.fromhex(facts["branch"]["block_id"])
    client.finalize_block(branch)
    assert count(client, counter) == 20 + 100 + 1000 + 2000
    assert client.head().commitment.hex() == facts["branch"]["commitment"]
