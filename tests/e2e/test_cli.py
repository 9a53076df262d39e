"""The command `v8vm` against a running node."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.demo.plan import CONTRACTS
from tests.support.node import Node

pytestmark = pytest.mark.timeout(120)


def v8vm(node: Node, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", *map(str, arguments), "--gateway", node.gateway.address],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_publish_call_query_and_look(node: Node) -> None:
    key = ("--key", node.key_file("alice"))
    published = json.loads(v8vm(node, "publish", CONTRACTS / "counter.js", *key, "--json").stdout)
    contract = published["contract"]
    called = json.loads(v8vm(node, "call", contract, "add", "[5]", *key, "--json").stdout)
    assert called["receipt"]["returns"] == ['["5"]']
    assert json.loads(v8vm(node, "query", contract, "get", "--json").stdout)["returns"] == '["5"]'
    assert '["5"]' in v8vm(node, "query", contract, "get").stdout
    shown = json.loads(v8vm(node, "receipt", called["tx_hash"], "--json").stdout)
    assert shown[0]["receipt"] == called["receipt"]
    assert "SUCCESS" in v8vm(node, "receipt", called["tx_hash"]).stdout
    state = json.loads(v8vm(node, "state", "get", f"b-{contract}-count", "--json").stdout)
    assert state[0]["value"]["text"] == "5"
    assert f"b-{contract}-count" in v8vm(node, "state", "list", f"b-{contract}-", "--wide").stdout
    assert "did you mean add?" in v8vm(node, "query", contract, "ad", code=5).stderr
    assert "add(number)" in v8vm(node, "contract", "show", contract).stdout
    assert v8vm(node, "contract", "show", contract, "--source").stdout == (CONTRACTS / "counter.js").read_text()
    events = v8vm(node, "events", "--since", "0", "--until-head", "--contract", contract, "--json").stdout
    assert [json.loads(line)["event"]["contract"] for line in events.splitlines()] == [contract]
    assert "transactions" in v8vm(node, "workers").stdout
    assert json.loads(v8vm(node, "status", "--json").stdout)["ok"]


def test_accounts_and_balances(node: Node) -> None:
    assert {"admin", "alice"} <= set(json.loads(v8vm(node, "account", "list", "--json").stdout))
    shown = v8vm(node, "account", "show", "alice").stdout
    assert "active" in shown
    v8vm(node, "call", "token.iost", "transfer", '["iost","alice","carol","0.25",""]', "-k", node.key_file("alice"))
    balances = json.loads(v8vm(node, "balance", "carol", "iost", "ram", "--json").stdout)
    assert [item["token"] for item in balances] == ["iost", "ram"]
    assert v8vm(node, "account", "show", "nobody", code=3).stderr == "v8vm: account nobody does not exist\n"
    assert v8vm(node, "balance", "nobody", code=3).stderr == "v8vm: account nobody does not exist\n"
    assert "(did you mean alice?)" in v8vm(node, "balance", "alcie", code=3).stderr
    assert "(did you mean iost?)" in v8vm(node, "balance", "alice", "isot", code=3).stderr


def test_a_contract_is_replaced(node: Node, tmp_path: Path) -> None:
    key = ("--key", node.key_file("alice"))
    contract = json.loads(v8vm(node, "publish", CONTRACTS / "counter.js", *key, "--json").stdout)["contract"]
    changed = tmp_path / "counter.js"
    changed.write_text(
        (CONTRACTS / "counter.js").read_text().replace("throw new Error('amount", "throw new Error('the amount")
    )
    v8vm(node, "publish", changed, "--update", contract, *key)
    failed = v8vm(node, "call", contract, "add", "[-1]", *key, code=5)
    assert "the amount must be positive" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("call", "ContractNothing", "add"), "contract ContractNothing not found"),
        (("call", "token.iost", "transfer", '["iost","alice","bobby","9999999999",""]'), "balance not enough"),
    ],
)
def test_failures_have_one_line_of_reason(node: Node, arguments: tuple[str, ...], reason: str) -> None:
    failed = v8vm(node, *arguments, "--key", node.key_file("alice"), code=5)
    assert "RUNTIME_ERROR" in failed.stdout
    assert failed.stderr.startswith("v8vm: STATUS_CODE_RUNTIME_ERROR: ")
    assert reason in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_a_source_is_checked_without_publishing(node: Node, tmp_path: Path) -> None:
    version = node.client.head().version
    abi = json.loads(v8vm(node, "contract", "abi", CONTRACTS / "token.js").stdout)
    assert [method["name"] for method in abi["abi"]] == ["issue", "transfer", "balanceOf", "supply"]
    broken = tmp_path / "broken.js"
    broken.write_text("class A {")
    assert v8vm(node, "contract", "check", broken, code=1).stderr.startswith("v8vm: ")
    assert node.client.head().version == version
