"""Money, RAM, gas and authority on an IOST-style chain: gains that a transaction must not make."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chain_world import IOST, ChainWorld, contract_text

BET = Path(__file__).parents[3] / "gateway" / "demo" / "contracts" / "lucky_bet.js"
PUBLISHER = """
class Publisher {
  init() {}
  publish(contract) { return blockchain.call('system.iost', 'setCode', [contract])[0]; }
}
module.exports = Publisher;
"""
HOLDER = """
class Holder {
  init() {}
  send(symbol, to) {
    blockchain.callWithAuth('token721.iost', 'transfer', [symbol, blockchain.contractName(), to, '0']);
  }
}
module.exports = Holder;
"""
LARGE = """
class Large {
  init() {}
  can_update(data) { return true; }
}
const padding = 'PADDING';
module.exports = Large;
"""
SMALL = "class Large { init() {} can_update(data) { return true; } } module.exports = Large;"
METHODS = {"can_update": (("string",), {})}


@pytest.fixture
def world() -> Iterator[ChainWorld]:
    with ChainWorld() as world:
        yield world


def test_a_bonus_that_a_contract_pays_to_itself_is_refused(world: ChainWorld) -> None:
    world.succeed("alice", ("vote_producer.iost", "topupCandidateBonus", ["100", "alice"]))
    world.succeed("bobby", ("vote_producer.iost", "vote", ["bobby", "admin", "10"]))

    for action, arguments in [
        ("topupVoterBonus", ["admin", "100", "vote_producer.iost"]),
        ("topupCandidateBonus", ["100", "vote_producer.iost"]),
    ]:
        result = world.send("bobby", ("vote_producer.iost", action, arguments))
        assert result.status is not None
        assert "require auth failed > vote_producer.iost" in result.status.message

    before = world.balance("iost", "bobby")
    world.succeed("bobby", ("vote_producer.iost", "voterWithdraw", ["bobby"]))
    assert world.balance("iost", "bobby") == before
    assert world.balance("iost", "vote_producer.iost") == 100 * IOST


def test_a_game_takes_no_bet_from_itself(world: ChainWorld) -> None:
    methods = {"bet": (("string", "number", "string"), {"iost": "unlimited"})}
    game = world.publish("alice", BET.read_text("utf-8"), methods)
    world.succeed("alice", (game, "bet", ["alice", 3, "100"]))

    result = world.send("bobby", (game, "bet", [game, 5, "100"]))

    assert result.status is not None
    assert f"error: Uncaught exception: Error: no permission of {game}" in result.status.message
    pot = world.plain(game, "pot")
    assert pot is not None
    assert pot.data == "100.00000000"


def test_the_issuer_of_a_token_is_no_token_of_its_own(world: ChainWorld) -> None:
    world.succeed("alice", ("token721.iost", "create", ["art", "alice", 5]))

    for name in ("T721issuer", "supply", "totalSupply"):
        result = world.send("alice", ("token721.iost", "transfer", ["art", "alice", "bobby", name]))
        assert result.status is not None
        assert f"error tokenID not exists. art {name}" in result.status.message
        for method in ("ownerOf", "tokenMetadata"):
            result = world.send("alice", ("token721.iost", method, ["art", name]))
            assert result.status is not None
            assert "error: token exists" in result.status.message

    assert world.field("token721.iost", "T721Balice", "art") is None


def test_a_contract_can_send_a_token_whose_metadata_has_no_room(world: ChainWorld) -> None:
    holder = world.publish("alice", HOLDER, {"send": (("string", "string"), {})})
    for symbol, metadata in [("short", "first"), ("long_symbol", "")]:
        world.succeed("alice", ("token721.iost", "create", [symbol, "alice", 5]))
        world.succeed("alice", ("token721.iost", "issue", [symbol, holder, "first"]))

        world.succeed("alice", (holder, "send", [symbol, "bobby"]))

        owner = world.field("token721.iost", f"T721I{symbol}", "0")
        kept = world.field("token721.iost", f"T721M{symbol}#bobby", "0")
        assert owner is not None
        assert kept is not None
        assert (owner.data, kept.data) == ("bobby", metadata)


def test_a_pledge_of_another_takes_no_gas_from_an_account_of_the_genesis_file(world: ChainWorld) -> None:
    before = world.plain("gas.iost", "carolgs")
    assert before is not None

    world.succeed("bobby", ("gas.iost", "pledge", ["bobby", "carol", "1"]))

    after = world.plain("gas.iost", "carolgs")
    assert after is not None
    assert float(after.data) >= float(before.data)


def test_ram_that_was_never_paid_is_not_given_back(world: ChainWorld) -> None:
    publisher = world.publish("alice", PUBLISHER, {"publish": (("string",), {})})
    large = LARGE.replace("PADDING", "x" * 10_000)
    before = world.ram("bobby")
    result = world.succeed("bobby", (publisher, "publish", [contract_text(large, METHODS)]))
    contract_id = json.loads(result.returns[0])[0]
    paid = before - world.ram("bobby")
    assert paid < 1000  # the record itself is free below a contract

    world.succeed("bobby", ("system.iost", "updateCode", [contract_text(SMALL, METHODS, contract_id), ""]))
    assert world.ram("bobby") == before - paid

    larger = LARGE.replace("PADDING", "x" * 12_000)
    world.succeed("bobby", ("system.iost", "updateCode", [contract_text(larger, METHODS, contract_id), ""]))
    assert 2000 <= before - paid - world.ram("bobby") < 2100

    world.succeed("bobby", ("system.iost", "updateCode", [contract_text(SMALL, METHODS, contract_id), ""]))
    assert world.ram("bobby") == before - paid
