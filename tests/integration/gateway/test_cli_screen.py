"""What commands show to people: tables of 80 columns, cut lists, and hints for names that do not exist."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.client import Account, KeyPair, base58, key_files
from iost.chain.v1 import receipt_pb2
from iost.vm.v1 import worker_service_pb2 as workers
from tests.support import command
from tests.support.command import Result

HASH = base58.encode(bytes(range(1, 33)))
KEY = base58.encode(bytes(range(2, 34)))
CONTRACT = f"Contract{HASH}"
CUT = f"Contract{HASH[:6]}…{HASH[-6:]}"
ABI = [
    {"name": "transfer", "args": ["string"] * 5, "amountLimit": [{"token": "iost", "val": "unlimited"}] * 4},
    {"name": "balanceOf", "args": ["string"], "amountLimit": []},
]


def listed(contract: str, kind: str, *parts: str) -> bytes:
    """A stored key."""
    *head, last = (contract, *parts)
    return (kind + "".join(f"{len(part)}:{part}" for part in head) + last).encode()


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def chain(world):
    """A world with a contract of a long id, accounts, tokens and workers."""
    record = {"id": CONTRACT, "info": {"lang": "javascript", "version": "1.0.0", "abi": ABI}, "code": "class A {}"}
    items = [{"id": KEY, "is_key_pair": True, "weight": 100}]
    account = {"id": "alice", "permissions": {"active": {"items": items, "threshold": 100}}}
    world.state.cells.update(
        {
            listed(CONTRACT, "b", "count"): b"s7@alice",
            listed(CONTRACT, "b", "colour"): f"s{'blue ' * 100}@alice".encode(),
            listed(CONTRACT, "b", "owner"): f"s{KEY}@{CONTRACT}".encode(),
            listed(CONTRACT, "l", "balances"): b"s@alice@",
            listed(CONTRACT, "m", "balances", "alice"): b"i12@bob",
            f"c{CONTRACT}".encode(): f"j{json.dumps(record)}@alice".encode(),
            b"ctoken.iost": f"j{json.dumps(record | {'id': 'token.iost'})}@".encode(),
            listed("auth.iost", "m", "auth", "alice"): f"j{json.dumps(account)}@".encode(),
            listed("auth.iost", "m", "auth", "alina"): b"j{}@",
            listed("gas.iost", "b", "alicegs"): b"f12345.6789@gas.iost",
            listed("token.iost", "l", "TIiost"): b"s@decimal@",
            listed("token.iost", "m", "TIiost", "decimal"): b"i8@",
            listed("token.iost", "m", "TBalice", "iost"): b"i1250000001@",
            listed("token.iost", "m", "TBghost", "iost"): b"i100000000@",
        }
    )
    world.vm.pool = [
        workers.Worker(
            worker_id="12",
            pid=4194304,
            state=workers.WORKER_STATE_DRAINING,
            origin="snapshot",
            transaction_count=123_456_789,
            batch_count=12_345_678,
            rss_bytes=300 << 20,
            uptime_ms=10**9,
        )
    ]
    world.vm.hottest = [workers.HotContract(contract=CONTRACT, use_count=10**9)]

    async def v8vm(*arguments: object, wide: bool = False) -> Result:
        more = ("--wide",) if wide else ()
        return await asyncio.to_thread(command.v8vm, *arguments, *more, "-g", world.address)

    return v8vm


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("state", "get", f"b-{CONTRACT}-count", f"b-{CONTRACT}-owner"), ("count", "owner")),
        (("state", "list", f"b-{CONTRACT}-"), ("count", "colour", "owner")),
        (("contract", "show", CONTRACT), ("transfer", "balanceOf")),
        (("account", "list"), ("alice",)),
        (("account", "show", "alice"), ("active",)),
        (("balance", "alice"), ("12.50000001",)),
        (("workers",), ("DRAINING", "123456789", "12345678")),
        (("status",), ("gateway",)),
    ],
)
async def test_tables_fit_80_columns(chain, arguments: tuple[str, ...], names: tuple[str, ...]) -> None:
    shown = await chain(*arguments)
    assert shown.code in (0, 1), shown.err
    table = [line for line in shown.out.splitlines() if not line.startswith(("code hash", "commitment", "wrong"))]
    assert max(map(len, table)) <= 80
    assert all(name in shown.out for name in names)


@pytest.mark.parametrize(
    "arguments",
    [("state", "get", f"b-{CONTRACT}-owner"), ("state", "list", f"b-{CONTRACT}-")],
)
async def test_ids_are_cut_in_the_middle_unless_the_table_may_be_wide(chain, arguments: tuple[str, ...]) -> None:
    cut, whole = await chain(*arguments), await chain(*arguments, wide=True)
    assert f"{KEY[:6]}…{KEY[-6:]}" in cut.out
    assert KEY not in cut.out.replace("\n", "")
    assert "…" not in whole.out
    assert KEY in whole.out
    assert len(whole.out.splitlines()) <= len(cut.out.splitlines())


async def test_ids_stay_whole_where_they_fit(chain) -> None:
    assert CONTRACT in (await chain("contract", "show", CONTRACT)).out
    assert CONTRACT in (await chain("workers")).out
    assert KEY in (await chain("account", "show", "alice")).out


async def test_long_values_of_a_list_are_cut_and_say_so(chain) -> None:
    cut = await chain("state", "list", f"b-{CONTRACT}-colour")
    assert "(500 characters)" in " ".join(cut.out.split())
    assert "blue " * 100 in (await chain("state", "list", f"b-{CONTRACT}-colour", wide=True)).out


async def test_a_cut_list_says_so_and_how_to_go_on(chain) -> None:
    first = await chain("state", "list", f"b-{CONTRACT}-", "--limit", 2, "--json")
    assert [cell["name"].rpartition("-")[2] for cell in first.json] == ["colour", "count"]
    notice = json.loads(first.err)["notice"]
    assert (notice["reason"], notice["metadata"]["count"]) == ("LIST_CUT", 2)
    rest = await chain("state", "list", f"b-{CONTRACT}-", "--page", notice["metadata"]["page"], "--json")
    assert [cell["name"].rpartition("-")[2] for cell in rest.json] == ["owner"]
    assert rest.err == ""
    people = await chain("state", "list", f"b-{CONTRACT}-", "--limit", 2)
    assert f"v8vm: 2 cells are shown, more follow: go on with --page {notice['metadata']['page']}" in people.err
    assert "no cell is below b-Nothing-" in (await chain("state", "list", "b-Nothing-")).err


async def test_a_list_longer_than_a_page_goes_on_where_it_was_cut(chain, world) -> None:
    world.state.cells.update({listed("c", "b", f"{number:05}"): b"s1@" for number in range(2500)})
    first = await chain("state", "list", "b-c-", "--limit", 1500, "--json")
    page = json.loads(first.err)["notice"]["metadata"]["page"]
    rest = await chain("state", "list", "b-c-", "--limit", 5000, "--page", page, "--json")
    assert [len(first.json), len(rest.json), rest.err] == [1500, 1000, ""]
    assert rest.json[0]["name"] == "b-c-01500"


async def test_events_cut_ids_unless_they_may_be_wide(chain, world) -> None:
    world.state.contract = CONTRACT
    world.state.post("data")
    events = ("events", "--since", 0, "--until-head")
    assert f" {CUT}/" in (await chain(*events)).out
    assert f" {CONTRACT}/" in (await chain(*events, wide=True)).out


async def test_gas_has_two_decimals_wherever_people_look(chain, world, tmp_path: Path) -> None:
    key = tmp_path / "alice.json"
    key_files.save(key, Account("alice", KeyPair.generate()))
    status = receipt_pb2.Status(code=receipt_pb2.STATUS_CODE_SUCCESS)
    for hundredths, text in ((3012345, "30123.45"), (3012340, "30123.40"), (3012300, "30123.00"), (7, "0.07")):
        tx_hash = bytes([hundredths % 256]) * 32
        world.state.receipts[tx_hash] = receipt_pb2.Receipt(tx_hash=tx_hash, gas_usage=hundredths, status=status)
        assert f" {text}\n" in (await chain("receipt", tx_hash.hex())).out
    assert "42.00" in (await chain("call", CONTRACT, "balanceOf", "-k", key)).out
    assert "42.00" in (await chain("query", CONTRACT, "balanceOf")).out
    assert "12345.67" in (await chain("account", "show", "alice")).out
    printed = await asyncio.to_thread(command.v8vm, "call", "c", "m", "-k", key, "--print", "--gas-limit", 6000)
    file = tmp_path / "tx.json"
    file.write_text(printed.out)
    assert "6000.00" in (await asyncio.to_thread(command.v8vm, "tx", "show", file)).out


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("query", CONTRACT, "balanceof"), "(did you mean balanceOf?)"),
        (("query", "tokn.iost", "transfer"), "(did you mean token.iost?)"),
        (("contract", "show", "token.iots"), "(did you mean token.iost?)"),
        (("balance", "alice", "isot"), "token isot does not exist (did you mean iost?)"),
        (("balance", "alcie"), "account alcie does not exist (did you mean alice?)"),
        (("account", "show", "alin"), "account alin does not exist (did you mean alina?)"),
        (("state", "get", f"b-{CONTRACT}-cuont"), f"b-{CONTRACT}-cuont is absent; did you mean b-{CONTRACT}-count?"),
        (("state", "get", f"m-{CONTRACT}-balances-alcie"), f"did you mean m-{CONTRACT}-balances-alice?"),
        (("state", "get", f"m-{CONTRACT}-balance-alice"), f"did you mean m-{CONTRACT}-balances?"),
        (("state", "get", "c-token.isot"), "did you mean token.iost?"),
        (("events", "--until-head", "--contract", CONTRACT, "--method", "transferr"), "did you mean transfer?"),
        (("events", "--until-head", "--contract", "token.isot"), "contract token.isot does not exist at present"),
    ],
)
async def test_a_mistyped_name_gets_a_hint(chain, world, arguments: tuple[str, ...], hint: str) -> None:
    world.vm.fail = "not found"
    result = await chain(*arguments)
    assert hint in result.err
    assert result.err.count("\n") == 1


async def test_a_failing_method_that_exists_gets_no_hint(chain, world, tmp_path: Path) -> None:
    world.vm.fail = "the failure"
    key = tmp_path / "alice.json"
    key_files.save(key, Account("alice", KeyPair.generate()))
    assert (await chain("query", CONTRACT, "transfer")).err == "v8vm: STATUS_CODE_RUNTIME_ERROR: the failure\n"
    mistyped = await chain("call", CONTRACT, "transfer", "[]", CONTRACT, "balancOf", "-k", key, "--json")
    assert (mistyped.code, mistyped.error["message"]) == (5, "the failure (did you mean balanceOf?)")


async def test_the_balance_of_an_account_that_does_not_exist_says_so(chain) -> None:
    unknown = await chain("balance", "nobody", "--json")
    assert (unknown.code, unknown.out, unknown.error["metadata"]) == (3, "", {"account": "nobody"})
    assert unknown.error["message"] == "account nobody does not exist"
    assert (await chain("balance", "alina")).code == 0  # exists, holds nothing
    assert (await chain("balance", CONTRACT)).code == 0
    ghost = await chain("balance", "ghost")
    assert ghost.code == 0
    assert ghost.err == "v8vm: account ghost does not exist, but holds tokens\n"


async def test_validation_tells_of_an_earlier_execution(chain, world, tmp_path: Path) -> None:
    key, file = tmp_path / "alice.json", tmp_path / "tx.json"
    key_files.save(key, Account("alice", KeyPair.generate()))
    file.write_text((await asyncio.to_thread(command.v8vm, "call", CONTRACT, "transfer", "-k", key, "--print")).out)
    tx_hash = base58.decode((await asyncio.to_thread(command.v8vm, "tx", "show", file, "--json")).json["hash"])
    world.state.receipts[tx_hash] = receipt_pb2.Receipt(tx_hash=tx_hash)
    again = await chain("tx", "validate", file)
    assert again.code == 0
    assert again.err == "v8vm: the transaction was executed in version 2; sending it again answers that receipt\n"


async def test_a_contract_cannot_send_commands_to_the_terminal(chain, world) -> None:
    world.state.cells[listed("c", "b", "k")] = b"s\x1b[2Jgone@"
    world.state.post("\x1b[2Jgone")
    world.vm.fail = "\x1b[2Jgone"
    for arguments in (
        ("state", "get", "b-c-k"),
        ("events", "--since", 0, "--until-head"),
        ("query", CONTRACT, "transfer"),
    ):
        shown = await chain(*arguments)
        assert "\x1b" not in shown.out + shown.err
        assert "\\x1b[2Jgone" in shown.out + shown.err


async def test_lines_do_not_end_with_blanks(chain) -> None:
    for more in ((), ("--wide",)):
        shown = await chain("state", "list", f"b-{CONTRACT}-", *more)
        assert not any(line.endswith(" ") for line in shown.out.splitlines())


@pytest.mark.parametrize(
    ("refuse", "fail", "code", "shown"),
    [("", "", 0, "SUCCESS"), ("signer error", "", 4, "REFUSED"), ("", "the failure", 5, "RUNTIME_ERROR")],
)
async def test_validation_says_what_it_checked(
    chain, world, tmp_path: Path, refuse: str, fail: str, code: int, shown: str
) -> None:
    world.vm.refuse, world.vm.fail = refuse, fail
    key, file = tmp_path / "alice.json", tmp_path / "tx.json"
    key_files.save(key, Account("alice", KeyPair.generate()))
    file.write_text((await asyncio.to_thread(command.v8vm, "call", CONTRACT, "transfer", "-k", key, "--print")).out)
    people = await chain("tx", "validate", file)
    assert people.code == code
    for text in (
        shown,
        "checked",
        "signatures, permissions",
        "time and expiry",
    ):
        assert text in people.out
    assert ("all actions, alone, on the newest state; nothing was kept" in people.out) == (not refuse)
    assert ("no action ran" in people.out) == bool(refuse)
    assert (refuse + fail) in people.err
    programs = await chain("tx", "validate", file, "--json")
    assert programs.code == code
    assert "executed in version" not in people.err
    assert programs.json["verdict"] == ("VERDICT_REFUSED" if refuse else "VERDICT_EXECUTED")
