"""The command `v8vm`: what it prints, for people and for programs, and how it fails."""

import asyncio
import json
from importlib.metadata import version
from pathlib import Path

import pytest

from gateway.client import Account, AsyncClient, KeyPair, TransactionError, action, base58
from iost.chain.v1 import receipt_pb2
from tests.support import command
from tests.support.command import Result


async def v8vm(*arguments: object) -> Result:
    return await asyncio.to_thread(command.v8vm, *arguments)


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
    for name in (
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
        assert name in result.out


async def test_a_new_key_is_shown_without_its_secret(key: Path) -> None:
    shown = (await v8vm("key", "show", key, "--json")).json
    assert shown["account"] == "alice"
    assert len(base58.decode(shown["public_key"])) == 32
    assert secret_of(key) not in (await v8vm("key", "show", key)).out
    again = await v8vm("key", "new", key, "--account", "bob")
    assert (again.code, again.out) == (6, "")
    assert again.err.startswith("v8vm: ")


async def test_status_for_people_and_programs(world) -> None:
    people = await v8vm("status", "--gateway", world.address)
    assert people.code == 0
    assert [line.split()[0] for line in people.out.splitlines()[:5]] == ["service", "gateway", "vm", "workers", "state"]
    programs = (await v8vm("status", "--gateway", world.address, "--json")).json
    assert programs["ok"]
    assert programs["status"]["services"][-1]["head"]["version"] == 3


async def test_status_names_what_is_wrong_and_exits_1(world) -> None:
    world.state_server.health.set_submit("STORAGE_FULL")
    people = await v8vm("status", "--gateway", world.address)
    assert people.code == 1
    assert f"wrong: state {world.state_server.address}: commits are refused, STORAGE_FULL" in people.out
    away = await v8vm("status", "--gateway", "127.0.0.1:1", "--json")
    assert away.code == 1
    assert away.json["problems"] == ["gateway 127.0.0.1:1: no answer (PEER_UNAVAILABLE)"]


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


@pytest.mark.parametrize(
    "text", ["[1.10]", "[0.30000000000000000001]", "[12345678901234567890.5]", ' [ 1e5, "\\u00e4" ] ']
)
async def test_arguments_travel_as_typed(world, key: Path, tmp_path: Path, text: str) -> None:
    printed = await v8vm("call", "c", "m", text, "-k", key, "--print")
    assert printed.json["actions"][0]["data"] == text
    file = tmp_path / "tx.json"
    file.write_text(printed.out)
    assert (await v8vm("tx", "send", file, "-g", world.address)).code == 0
    assert world.vm.requests[-1].transactions[0].actions[0].data == text
    assert (await v8vm("query", "c", "m", text, "-g", world.address)).code == 0
    assert world.vm.requests[-1].calls[0].data == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [("[1e400]", "1.8e308"), ("[NaN]", "NaN is not JSON"), ("[" * 100_000, "nested too deeply"), ("5", "JSON array")],
)
async def test_arguments_that_cannot_be_sent_are_one_line(key: Path, text: str, reason: str) -> None:
    for command_line in (("call", "c", "m", text, "-k", key), ("query", "c", "m", text)):
        refused = await v8vm(*command_line)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert reason in refused.err
        assert len(refused.err) < 300


async def test_publishing_announces_the_abi(world, key: Path, tmp_path: Path) -> None:
    source, abi = tmp_path / "vault.js", tmp_path / "vault.abi"
    source.write_text("class Vault {}")
    world.vm.abi = '{"lang": "javascript", "version": "1.0.0", "abi": [{"name": "take", "args": []}]}'
    publish = ("publish", source, "-k", key, "-g", world.address)
    derived = await v8vm(*publish)
    assert (derived.code, derived.err.count("\n")) == (0, 1)
    assert "ABI derived from vault.js" in derived.err
    assert derived.err.endswith(": take()\n")
    abi.write_text('{"lang": "javascript", "version": "1.0.0", "abi": [{"name": "put", "args": ["number"]}]}')
    assert (await v8vm(*publish)).err == "v8vm: ABI from vault.abi: put(number)\n"
    published = world.vm.requests[-1].transactions[0].actions[0]
    assert '"name": "put"' in json.dumps(json.loads(json.loads(published.data)[0]))
    notice = json.loads((await v8vm(*publish, "--json")).err)["notice"]
    assert (notice["reason"], notice["metadata"]["methods"]) == ("ABI", ["put(number)"])
    abi.write_text("")
    refused = await v8vm(*publish)
    assert (refused.code, refused.err) == (2, f"v8vm: {abi} is empty\n")
    assert len(world.vm.requests) == 3


async def test_a_transaction_file_that_holds_none_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "tx.json"
    for content, reason in (
        (b"", "is empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"[" * 100_000, "recursion depth"),
        (b'{"x": 1}', "is not a transaction"),
    ):
        file.write_bytes(content)
        refused = await v8vm("tx", "show", file)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert reason in refused.err


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
    ("arguments", "code", "reason", "text"),
    [
        (("contract", "show", "ContractY"), 3, "CONTRACT_NOT_FOUND", "contract ContractY"),
        (("balance", "alice", "gold"), 3, "TOKEN_NOT_FOUND", "gold"),
        (("receipt", "1" * 32), 3, "NOT_FOUND", "no receipt"),
        (("account", "show", "nobody"), 3, "NOT_FOUND", "account nobody does not exist"),
        (("state", "get", "nonsense"), 2, "MALFORMED_REQUEST", "is not a name of state"),
        (("receipt", "xyz"), 2, "USAGE", "not a transaction hash"),
        (("query", "c", "m", "{}"), 2, "USAGE", "must be a JSON array"),
        (("call", "c", "-k", "/nowhere.json"), 2, "KEY_FILE", "/nowhere.json cannot be read"),
        (("publish", "/nowhere.js", "-k", "/nowhere.json"), 2, "KEY_FILE", "/nowhere.json cannot be read"),
        (("workers", "--nonsense"), 2, "USAGE", "No such option: --nonsense; see `v8vm workers --help`"),
        (("workers", "--gatewy=x"), 2, "USAGE", "Did you mean '--gateway'?"),
        (("receipt",), 2, "USAGE", "Missing argument 'hashes'"),
        (("state", "get", "b-c-\udcff"), 2, "USAGE", "is not UTF-8 text"),
        (("state", "get", "b-c-d", "--version", "9" * 30), 2, "USAGE", "should be less than or equal to"),
        (("events", "--since", "9" * 30), 2, "USAGE", "should be less than or equal to"),
        (("call", "c", "m", "--gas-limit", "5"), 2, "USAGE", "should be greater than or equal to 6000"),
        (("call", "c", "m", "--chain-id", "9" * 30), 2, "USAGE", "should be less than or equal to"),
    ],
)
async def test_failures_are_one_line_or_one_object(
    world, arguments: tuple[str, ...], code: int, reason: str, text: str
) -> None:
    for_people = await v8vm(*arguments, "-g", world.address)
    assert (for_people.code, for_people.out) == (code, "")
    assert for_people.err.startswith("v8vm: ")
    assert text in for_people.err
    assert for_people.err.count("\n") == 1
    for_programs = await v8vm(*arguments, "-g", world.address, "--json")
    assert (for_programs.code, for_programs.out, for_programs.err.count("\n")) == (code, "", 1)
    assert for_programs.error["reason"] == reason
    assert for_programs.error["exit_code"] == code
    assert text.partition(";")[0] in for_programs.error["message"]
    assert isinstance(for_programs.error["metadata"], dict)


@pytest.mark.parametrize(
    ("publisher", "code", "reason"),
    [("malformed", 2, "MALFORMED_REQUEST"), ("odd", 4, "SOMETHING_ODD"), ("conflict", 6, "WRITE_CONFLICT")],
)
async def test_errors_of_services_decide_the_exit_code(
    world, tmp_path: Path, publisher: str, code: int, reason: str
) -> None:
    file = tmp_path / "key.json"
    assert (await v8vm("key", "new", file, "--account", publisher)).code == 0
    result = await v8vm("call", "c", "m", "-k", file, "-g", world.address, "--json")
    assert (result.code, result.error["reason"], result.error["exit_code"]) == (code, reason, code)


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
async def test_a_refused_and_a_failed_transaction_have_their_own_exit_codes(
    world, key: Path, dry_run: tuple[str, ...]
) -> None:
    call = ("call", "c", "m", "-k", key, "-g", world.address, *dry_run)
    world.vm.refuse = "the reason"
    refused = await v8vm(*call)
    assert (refused.code, refused.err) == (4, "v8vm: VERDICT_REFUSED: the reason\n")
    world.vm.refuse, world.vm.fail = "", "the failure"
    failed = await v8vm(*call)
    assert (failed.code, failed.err) == (5, "v8vm: STATUS_CODE_RUNTIME_ERROR: the failure\n")
    assert (await v8vm(*call, "--json")).error == {
        "reason": "STATUS_CODE_RUNTIME_ERROR",
        "message": "the failure",
        "exit_code": 5,
        "metadata": {},
    }


async def test_a_failed_query_ends_as_a_failed_dry_run(world) -> None:
    world.vm.fail = "the failure"
    assert (await v8vm("query", "c", "m", "-g", world.address)).code == 5


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


@pytest.mark.parametrize(
    "arguments", [("workers",), ("events", "--since", "0"), ("balance", "alice"), ("query", "c", "m")]
)
async def test_a_gateway_that_is_not_there_is_named(arguments: tuple[str, ...]) -> None:
    result = await v8vm(*arguments, "-g", "127.0.0.1:1")
    assert result.code == 7
    assert result.err == "v8vm: no gateway answers at 127.0.0.1:1; is it running? See --gateway\n"


async def test_an_empty_address_is_a_usage_error() -> None:
    result = await v8vm("workers", "-g", "")
    assert (result.code, result.err) == (2, "v8vm: the address of the gateway is empty; see --gateway\n")


async def test_every_help_ends_with_the_exit_codes() -> None:
    for words in ((), ("state",), ("state", "get"), ("call",), ("store", "verify"), ("genesis",)):
        shown = " ".join((await v8vm(*words, "--help")).out.split())
        assert "Exit codes: 0 ok, 1 a check failed, 2 usage, 3 not found, 4 refused, 5 failed, 6 conflict" in shown
        assert "7 unavailable" in shown


async def test_the_version_and_the_completion_of_a_shell_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await v8vm("--version")).out == f"v8vm {version('v8vm')}\n"
    assert "--install-completion" in (await v8vm("--help")).out
    monkeypatch.setenv("_V8VM_COMPLETE", "source_bash")
    assert "complete -o default -F _v8vm_completion v8vm" in (await v8vm()).out
    for words, wanted in (("v8vm rec", "receipt"), ("v8vm state li", "list"), ("v8vm store ver", "verify")):
        monkeypatch.setenv("_V8VM_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        assert (await v8vm()).out.split() == [wanted]


async def test_a_command_that_is_missing_or_mistyped_is_a_usage_error() -> None:
    alone = await v8vm()
    assert (alone.code, alone.err) == (2, "v8vm: a command is missing; see `v8vm --help`\n")
    assert "publish" in alone.out
    mistyped = await v8vm("receiptt")
    assert (mistyped.code, mistyped.out) == (2, "")
    assert "Did you mean 'receipt'?" in mistyped.err
    assert (await v8vm("state", "list", "b-c-", "--limit", "0")).code == 2
