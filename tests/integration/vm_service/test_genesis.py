"""Genesis files and the first version that they give."""

import json
from pathlib import Path

import grpc
import pytest

from chassis.channels import sync_channel
from chassis.errors import from_rpc_error
from iost.chain.v1.block_pb2 import BlockHeader
from iost.state.v1 import inspection_service_pb2 as inspection_pb
from iost.state.v1 import inspection_service_pb2_grpc as inspection_rpc
from iost.state.v1 import state_service_pb2 as state_pb
from iost.state.v1 import state_service_pb2_grpc as state_rpc
from tests.support.command import v8vm
from tests.support.state_process import running as running_state
from vm_service import genesis_file
from vm_service.errors import GenesisError
from vm_service.genesis import build
from vm_service.genesis_file import load
from vm_service.model import Committed
from vm_service.state_keys import StoredValue, contract_key, field_key, plain_key
from vm_service.worker.state_client import StateClient
from vm_service.worker.state_reader import CommitRequest

KEY = "217WLmtNfLsTzNjuyKfBo4jvApUUdVoxVLEcEktS3zM3U"
FILE = f"""
chain: {{time: 2026-01-01T00:00:00Z, witness: first}}
natives: {{domain.iost: "1.0.0"}}
accounts:
  - {{id: admin, active: {KEY}, gas: 1000, ram: 100000, balances: {{iost: "1000.5"}}}}
  - {{id: alice, active: {KEY}, owner: {KEY}, balances: {{iost: "7"}}}}
tokens:
  - {{symbol: iost, issuer: admin, total_supply: 21000000000, full_name: IOST}}
contracts:
  - {{id: note.iost, code: note.js, abi: note.js.abi}}
"""
CODE = "class Note {\n  init() { storage.put('made', 'at genesis'); }\n  read() { return storage.get('made'); }\n}\n"
CODE += "module.exports = Note;\n"
ABI = {"lang": "javascript", "version": "1.0.0", "abi": [{"name": "read", "args": [], "amountLimit": []}]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "note.js").write_text(CODE, "utf-8")
    (tmp_path / "note.js.abi").write_text(json.dumps(ABI), "utf-8")
    path = tmp_path / "genesis.yaml"
    path.write_text(FILE, "utf-8")
    return path


def _data(writes: object, key: str) -> str:
    return StoredValue.decode(writes[key]).data  # type: ignore[index]


def test_a_file_gives_accounts_tokens_natives_and_contracts(file: Path) -> None:
    first = build(load(file))

    writes = first.writes
    assert (first.block.number, first.block.witness, first.block.time_ns) == (0, "first", 1_767_225_600 * 10**9)
    assert json.loads(_data(writes, field_key("auth.iost", "auth", "alice")))["permissions"]["owner"]["threshold"] == 1
    assert _data(writes, field_key("token.iost", "TBalice", "iost")) == "700000000"
    assert _data(writes, field_key("token.iost", "TIiost", "supply")) == "100750000000"
    assert _data(writes, plain_key("gas.iost", "admingl")) == "1000.00"
    assert json.loads(_data(writes, contract_key("token.iost")))["info"]["version"] == "1.0.6"
    assert json.loads(_data(writes, contract_key("domain.iost")))["info"]["version"] == "1.0.0"
    assert _data(writes, plain_key("note.iost", "made")) == "at genesis"
    assert _data(writes, field_key("system.iost", "contract_owner", "note.iost")) == "admin"
    assert int(_data(writes, field_key("token.iost", "TBadmin", "ram"))) < 100_000


def test_the_same_file_gives_the_same_version_and_another_gives_another(file: Path) -> None:
    first = build(load(file))
    again = build(load(file))
    file.write_text(FILE.replace("1000.5", "1000.6"), "utf-8")

    assert (again.commit_id, again.writes) == (first.commit_id, first.writes)
    assert build(load(file)).commit_id != first.commit_id


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("gas: 1000", "gass: 1000", "unknown: gass"),
        ("witness: first", "color: red", "unknown: color"),
        (f"active: {KEY}, gas", "active: not0base58, gas", "is no base58 character"),
        (f"{{id: admin, active: {KEY}", "{id: admin", "no public key of admin: give --key admin=PUBLIC_KEY"),
        (f"active: {KEY}, gas", "active: 217WLmtN, gas", "of admin is no public key: it has 6 bytes"),
        ("accounts:", "base: moon\naccounts:", "unknown base moon; known: iost"),
        ("code: note.js,", "code: missing.js,", "missing.js"),
        ("accounts:", "accounts: [", "genesis.yaml"),
        ("witness: first", "ram_token: no way", "true or false is needed"),
        ("abi: note.js.abi}", "abi: note.js.abi, calls: [{name: read}]}", "unknown: name"),
        ("abi: note.js.abi}", "abi: note.js.abi, calls: [{method: read, args: 7}]}", "args of read: a list is needed"),
        (
            "abi: note.js.abi}",
            "abi: note.js.abi, calls: [{method: read, args: [2026-01-01]}]}",
            "not JSON serializable",
        ),
        ("abi: note.js.abi}", "abi: note.js.abi, calls: [{method: read, args: [.nan]}]}", "not JSON compliant"),
        (
            "abi: note.js.abi}",
            "abi: note.js.abi, calls: [{method: read, args: [0.30000000000000000001]}]}",
            "lose digits",
        ),
        ('"1000.5"', "12345678901234567890.5", "12345678901234567890.5 would lose digits; write it as text"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(file: Path, old: str, new: str, text: str) -> None:
    file.write_text(FILE.replace(old, new), "utf-8")

    with pytest.raises(GenesisError, match=text):
        load(file)


def test_numbers_that_lose_no_digit_need_no_quotes(file: Path) -> None:
    file.write_text(FILE.replace('"1000.5"', "1000.50"), "utf-8")
    assert {account.id: account.balances for account in load(file).accounts}["admin"] == {"iost": "1000.5"}


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('"1000.5"', '"21000000001"', "token.iost issue (?s:.*)supply too much"),
        ("symbol: iost", "symbol: IOST", "token.iost create (?s:.*)token symbol invalid"),
        ("ram: 100000", "ram: 100", "pay ram failed. id: admin"),
        ("note.js.abi}", "genesis.yaml}", "JSONDecodeError"),
    ],
)
def test_what_block_0_refuses_is_an_error(file: Path, old: str, new: str, text: str) -> None:
    file.write_text(FILE.replace(old, new), "utf-8")

    with pytest.raises(GenesisError, match=text):
        build(load(file))


def test_a_contract_that_is_refused_is_an_error(file: Path) -> None:
    (file.parent / "note.js").write_text("class Note { read() {} }\nmodule.exports = Note;\n", "utf-8")

    with pytest.raises(GenesisError, match="init not found"):
        build(load(file))


CALLED = """
class Market {
  init() { storage.put('open', 'no'); }
  open(admin, prices) {
    if (block.number !== 0) throw new Error('only in block 0');
    storage.put('admin', admin);
    storage.put('prices', JSON.stringify(prices));
    blockchain.callWithAuth('token.iost', 'create', ['ram', 'ram.iost', 1000000, { decimal: 0 }]);
    blockchain.callWithAuth('token.iost', 'issue', ['ram', 'ram.iost', '500']);
  }
}
module.exports = Market;
"""


def test_contracts_are_called_after_their_deployment(file: Path) -> None:
    abi = {"lang": "javascript", "version": "1.0.0", "abi": [{"name": "open", "args": ["string", "json"]}]}
    (file.parent / "market.js").write_text(CALLED, "utf-8")
    (file.parent / "market.js.abi").write_text(json.dumps(abi), "utf-8")
    entry = "  - id: ram.iost\n    code: market.js\n    abi: market.js.abi\n"
    entry += "    calls: [{method: open, args: [admin, {byte: 0.005}]}]\n"
    file.write_text(FILE.replace("witness: first", "witness: first, ram_token: false") + entry, "utf-8")

    first = build(load(file))

    assert first.actions[-2:] == [("system.iost", "initSetCode"), ("ram.iost", "open")]
    assert _data(first.writes, plain_key("ram.iost", "admin")) == "admin"
    assert _data(first.writes, plain_key("ram.iost", "prices")) == '{"byte":0.005}'
    assert _data(first.writes, field_key("token.iost", "TBram.iost", "ram")) == "500"
    assert int(_data(first.writes, field_key("token.iost", "TBadmin", "ram"))) > 0


def test_a_call_that_fails_is_an_error(file: Path) -> None:
    file.write_text(FILE.replace("abi: note.js.abi}", "abi: note.js.abi, calls: [{method: write}]}"), "utf-8")

    with pytest.raises(GenesisError, match=r"note.iost write (?s:.*)abi write not found"):
        build(load(file))


# -- the ready file ----------------------------------------------------------------------------------------------------

READY = Path(genesis_file.__file__).parent / "system_contracts" / "iost.yaml"


def test_the_ready_file_gives_an_iost_style_chain_once_it_has_a_key() -> None:
    with pytest.raises(GenesisError, match="no public key of admin: give --key admin=PUBLIC_KEY"):
        load(READY)
    with pytest.raises(GenesisError, match="a key is given for bobby, which the file does not have"):
        load(READY, {"admin": KEY, "bobby": KEY})

    writes = build(load(READY, {"admin": KEY})).writes

    for contract in ("auth", "base", "bonus", "issue", "ram", "vote", "vote_producer"):
        name = f"{contract}.iost"
        assert json.loads(_data(writes, contract_key(name)))["id"] == name
        assert _data(writes, field_key("system.iost", "contract_owner", name)) == "admin"
    assert json.loads(_data(writes, field_key("auth.iost", "auth", "admin")))["permissions"]["owner"]["threshold"] == 1
    assert _data(writes, field_key("token.iost", "TIiost", "issuer")) == "issue.iost"
    assert _data(writes, field_key("token.iost", "TBadmin", "iost")) == str(21 * 10**17)
    assert _data(writes, plain_key("ram.iost", "leftSpace")) == str(128 << 30)
    assert json.loads(_data(writes, plain_key("vote_producer.iost", "pendingProducerList"))) == [KEY]


def test_a_file_changes_and_adds_to_its_base(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        f"""
base: iost
chain: {{time: 2025-01-01T00:00:00Z}}
accounts:
  - {{id: admin, active: {KEY}, balances: {{iost: "5"}}}}
  - {{id: alice, active: {KEY}, ram: 100}}
contracts:
  - {{id: base.iost, code: note.js, abi: note.js.abi}}
""",
        "utf-8",
    )
    (tmp_path / "note.js").write_text(CODE, "utf-8")
    (tmp_path / "note.js.abi").write_text(json.dumps(ABI), "utf-8")

    found = load(own)

    assert (found.time_ns, found.witness) == (1_735_689_600 * 10**9, "genesis")
    assert [(item.id, item.gas, item.ram, dict(item.balances)) for item in found.accounts] == [
        ("admin", 100_000_000, 10_000_000, {"iost": "5"}),
        ("alice", 0, 100, {}),
    ]
    codes = {item.id: item.code for item in found.contracts}
    assert codes["base.iost"] == CODE
    assert codes["auth.iost"] == (READY.parent / "account.js").read_text("utf-8")


# -- the command -------------------------------------------------------------------------------------------------------


def command(file: Path, *options: str) -> tuple[int, str]:
    """Runs `v8vm genesis`; returns its exit code and what it wrote."""
    done = v8vm("genesis", *options, file)
    return done.code, done.out + done.err


@pytest.mark.parametrize(
    ("moment", "shown"), [("2099-01-01T00:00:00Z", "2099-01-01T00:00:00Z"), ("1" + 25 * "0", "1" + 25 * "0" + " ns")]
)
def test_a_time_in_the_future_is_refused_with_its_reason(file: Path, moment: str, shown: str) -> None:
    file.write_text(FILE.replace("2026-01-01T00:00:00Z", moment), "utf-8")

    code, output = command(file, "--state-address=127.0.0.1:1")

    assert code == 4
    assert f"chain.time {shown} is in the future" in output
    assert "a block must be later than its parent" in output


def test_genesis_is_final_and_applying_it_again_changes_nothing(file: Path, tmp_path: Path) -> None:
    with running_state(tmp_path / "state") as state:
        first = command(file, f"--state-address={state.address}")
        again = command(file, f"--state-address={state.address}")
        assert first == again
        assert first[0] == 0
        block_id = bytes.fromhex(first[1].split("block ")[1].split(",")[0])
        with sync_channel(state.address) as channel, pytest.raises(grpc.RpcError) as caught:
            state_rpc.StateServiceStub(channel).DiscardBlock(state_pb.DiscardBlockRequest(block_id=block_id))
    assert from_rpc_error(caught.value).code is grpc.StatusCode.FAILED_PRECONDITION


def test_another_genesis_is_refused_by_a_chain_that_began(file: Path, tmp_path: Path) -> None:
    with running_state(tmp_path / "state") as state:
        assert command(file, f"--state-address={state.address}")[0] == 0
        for moment in ("2025-01-01T00:00:00Z", "2026-01-02T00:00:00Z"):
            file.write_text(FILE.replace("2026-01-01T00:00:00Z", moment), "utf-8")
            code, output = command(file, f"--state-address={state.address}")
            assert code == 6
            assert "STORE_NOT_EMPTY" in output
            assert "is not empty: it has version 1" in output


@pytest.mark.parametrize("with_header", [False, True])
def test_of_two_geneses_at_the_same_time_one_is_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_header: bool
) -> None:
    other = build(load(READY, {"admin": KEY}))
    header = BlockHeader(time_ns=2 * 10**18).SerializeToString() if with_header else b""
    commit = StateClient.commit

    def overtaken(store: StateClient, request: CommitRequest, *, validate_only: bool = False) -> Committed:
        answer = commit(store, request, validate_only=validate_only)
        if validate_only:
            commit(store, CommitRequest(other.commit_id, b"", {}, other.writes, header=header))
        return answer

    monkeypatch.setattr(StateClient, "commit", overtaken)
    with running_state(tmp_path / "state") as state:
        code, output = command(file, f"--state-address={state.address}")
        assert code != 0
        assert "is not empty: it has version 1" in output
        with sync_channel(state.address) as channel:
            head = inspection_rpc.InspectionServiceStub(channel).GetHead(inspection_pb.GetHeadRequest())
    assert (head.version, head.block_id) == (1, other.commit_id)
