"""The command `v8vm`: what it prints, for people and for programs, and how it fails."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Account, AsyncClient, KeyPair, TransactionError, action, base58
from iost.chain.v1 import receipt_pb2


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def v8vm(*arguments: object) -> Result:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.cli.main",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
    return Result(process.returncode or 0, out.decode(), err.decode())


def secret_of(key: Path) -> str:
    return json.loads(key.read_text())["private_key"]


@pytest.fixture
async def key(tmp_path: Path) -> Path:
    path = tmp_path / "alice.json"
    assert (await v8vm("key", "new", path, "--account", "alice")).code == 0
    return path


async def test_help_names_the_commands() -> None:
    result = await v8vm("--help")
    assert result.code == 0
    for command in (
        "publish",
        "call",
        "query",
        "tx",
        "receipt",
        "state",
        "contract",
        "events",
        "status",
        "workers",
        "key",
    ):
        assert command in result.out


async def test_a_new_key_is_shown_without_its_secret(key: Path) -> None:
    shown = (await v8vm("key", "show", key, "--json")).json
    assert shown["account"] == "alice"
    assert len(base58.decode(shown["public_key"])) == 32
    assert secret_of(key) not in (await v8vm("key", "show", key)).out
    again = await v8vm("key", "new", key, "--account", "bob")
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith("v8vm: ")


async def test_status_for_people_and_programs(world) -> None:
    people = await v8vm("status", "--gateway", world.address)
    assert people.code == 0
    assert "version" in people.out
    programs = (await v8vm("status", "--gateway", world.address, "--json")).json
    assert programs["head"]["version"] == 3
    assert programs["workers"]["workers"][0]["pid"] == 7


async def test_state_and_receipts(world) -> None:
    world.state.cells[b"b9:ContractXcount"] = b"s[bold]7[/bold]@alice"
    tx_hash = bytes(range(32))
    status = receipt_pb2.Status(code=receipt_pb2.STATUS_CODE_SUCCESS)
    world.state.receipts[tx_hash] = receipt_pb2.Receipt(tx_hash=tx_hash, gas_usage=3012345, status=status)
    got = await v8vm("state", "get", "b-ContractX-count", "b-ContractX-none", "-g", world.address)
    assert "[bold]7[/bold]" in got.out
    assert "(absent)" in got.out
    listed = (await v8vm("state", "list", "b-ContractX-", "-g", world.address, "--json")).json
    assert listed[0]["value"] == {"type": "VALUE_TYPE_STRING", "text": "[bold]7[/bold]", "payer": "alice"}
    for text in (base58.encode(tx_hash), tx_hash.hex()):
        receipt = await v8vm("receipt", text, "-g", world.address)
        assert "30123.45" in receipt.out
        assert "SUCCESS" in receipt.out


async def test_a_call_is_signed_and_sent(world, key: Path) -> None:
    result = await v8vm("call", "c", "m", '["x",1]', "c", "n", "-k", key, "-g", world.address, "--json")
    assert result.code == 0, result.err
    assert result.json["receipt"]["status"]["code"] == "STATUS_CODE_SUCCESS"
    assert world.vm.batches == [["alice"]]


async def test_a_printed_transaction_can_be_sent_later(world, key: Path, tmp_path: Path) -> None:
    printed = await v8vm("call", "c", "m", '["ä"]', "-k", key, "--limit", "iost:5", "--print")
    file = tmp_path / "tx.json"
    file.write_text(printed.out)
    shown = (await v8vm("tx", "show", file, "--json")).json
    sent = (await v8vm("tx", "send", file, "-g", world.address, "--json")).json
    assert sent["tx_hash"] == shown["hash"]
    assert shown["transaction"]["amount_limits"] == [{"token": "iost", "value": "5"}]


async def test_events_come_one_a_line(world) -> None:
    for data in ("a", "b"):
        world.state.post(data)
    result = await v8vm("events", "--since", 0, "--until-head", "-g", world.address, "--json")
    assert [json.loads(line)["event"]["data"] for line in result.out.splitlines()] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("contract", "show", "ContractY"), "CONTRACT_NOT_FOUND"),
        (("balance", "alice", "gold"), "TOKEN_NOT_FOUND"),
        (("state", "get", "nonsense"), "MALFORMED_REQUEST"),
        (("receipt", "xyz"), "not a transaction hash"),
        (("receipt", "1" * 32), "no receipt"),
        (("query", "c", "m", "{}"), "must be a JSON array"),
        (("call", "c", "-k", "/nowhere.json"), "/nowhere.json cannot be read"),
        (("publish", "/nowhere.js", "-k", "/nowhere.json"), "/nowhere.json cannot be read"),
    ],
)
async def test_failures_are_one_line_and_an_exit_code(world, arguments: tuple[str, ...], reason: str) -> None:
    result = await v8vm(*arguments, "-g", world.address)
    assert result.code == 1
    assert result.out == ""
    assert reason in result.err
    assert result.err.startswith("v8vm: ")
    assert result.err.count("\n") == 1


async def test_a_failed_transaction_ends_with_its_reason(world, key: Path) -> None:
    world.vm.refuse = "the reason"
    result = await v8vm("call", "c", "m", "-k", key, "-g", world.address)
    assert result.code == 1
    assert result.err == "v8vm: VERDICT_REFUSED: the reason\n"


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
async def test_a_call_that_fails_shows_what_one_that_succeeds_shows(world, key: Path, more: tuple[str, ...]) -> None:
    world.vm.fail = "the reason"
    people = await v8vm("call", "c", "m", "-k", key, "-g", world.address, *more)
    assert people.code != 0
    for shown in ("transaction", "RUNTIME_ERROR", "42", "info: step one", "ContractInner/m", "line 3", "in half"):
        assert shown in people.out
    assert "ContractOuter/n" in people.out
    assert '{"code":42}' in people.out
    assert "the reason" in people.err
    assert people.err.count("\n") == 1
    programs = await v8vm("call", "c", "m", "-k", key, "-g", world.address, *more, "--json")
    assert programs.code == people.code
    assert programs.json["receipt"]["status"]["message"] == "the reason"
    assert programs.json["console_lines"] == ["info: step one"]
    assert programs.json["failure"]["frames"][0]["line"] == 3
    assert world.vm.requests[-1].trace == bool(more)


async def test_the_source_line_of_a_failure_has_a_caret(world, key: Path) -> None:
    world.vm.fail = "the reason"
    lines = (await v8vm("query", "c", "m", "-g", world.address)).out.splitlines()
    at = next(number for number, line in enumerate(lines) if "throw {code" in line)
    assert lines[at].index("throw") == lines[at + 1].index("^")


async def test_a_query_that_fails_shows_gas_and_console(world) -> None:
    world.vm.fail = "the reason"
    people = await v8vm("query", "c", "m", "-g", world.address)
    assert people.code != 0
    for shown in ("RUNTIME_ERROR", "42", "info: step one", "ContractInner/m"):
        assert shown in people.out
    programs = await v8vm("query", "c", "m", "-g", world.address, "--json")
    assert (programs.code, programs.json["gas_usage"]) == (people.code, 4200)
    assert world.vm.requests[-1].trace


async def test_the_error_of_the_client_carries_the_outcome(world) -> None:
    world.vm.fail = "the reason"
    async with AsyncClient(world.address) as client:
        with pytest.raises(TransactionError) as sent:
            await client.send(Account("alice", KeyPair.generate()), action("c", "m"))
        with pytest.raises(TransactionError) as called:
            await client.call("c", "m")
    assert sent.value.outcome.receipt.gas_usage == called.value.outcome.gas_usage == 4200
    assert list(sent.value.outcome.console_lines) == ["info: step one"]
    assert sent.value.outcome.failure.frames[0].contract == "ContractInner"


async def test_a_gateway_that_is_not_there_is_named() -> None:
    result = await v8vm("status", "-g", "127.0.0.1:1")
    assert result.code == 1
    assert result.err == "v8vm: no gateway answers at 127.0.0.1:1; is it running? See --gateway\n"


async def test_wrong_usage_has_its_own_exit_code() -> None:
    assert (await v8vm("nonsense")).code == 2
    assert (await v8vm("state", "list", "b-c-", "--limit", "0")).code == 2
