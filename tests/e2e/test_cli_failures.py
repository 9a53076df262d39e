"""What authors are shown when something fails, and `contract check`, against a running node."""

import json
from pathlib import Path

import pytest

from gateway.demo.plan import CONTRACTS
from tests.support import command
from tests.support.command import Result
from tests.support.node import Node

pytestmark = pytest.mark.timeout(120)

TRACING = """// Says where it is before it fails.
class Tracing {
    init() {}
    good() { console.log('step %s', 'one'); return 'done'; }
    bad() {
        console.log('step %s', 'one');
        const list = null;
        return list.length;
    }
    odd() { throw {code: 42}; }
}
module.exports = Tracing;
"""


@pytest.fixture(scope="module")
def tracing(node: Node, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Id of the contract."""
    file = tmp_path_factory.mktemp("tracing") / "tracing.js"
    file.write_text(TRACING)
    return v8vm(node, "publish", file, "--key", node.key_file("alice"), "--json").json["contract"]


def v8vm(node: Node, *arguments: object, code: int = 0) -> Result:
    done = command.v8vm(*arguments, "--gateway", node.gateway.address)
    assert done.code == code, done
    return done


def check(node: Node, file: Path, source: str, *more: object, code: int = 0) -> Result:
    file.write_text(source)
    return v8vm(node, "contract", "check", file, *more, code=code)


def test_a_failed_call_shows_hash_gas_and_console(node: Node, tracing: str) -> None:
    key = ("--key", node.key_file("alice"))
    people = v8vm(node, "call", tracing, "bad", *key, code=5).out
    for shown in ("transaction", "RUNTIME_ERROR", "gas", "info: step one", f"{tracing}/bad"):
        assert shown in people
    failed = v8vm(node, "call", tracing, "bad", *key, "--json", code=5).json
    good = v8vm(node, "call", tracing, "good", *key, "--json").json
    assert failed["console_lines"] == good["console_lines"] == ["info: step one"]
    assert failed["receipt"]["gas_usage"] > 0
    assert failed["failure"]["frames"] == [
        {"contract": tracing, "action_name": "bad", "function_name": "", "line": 0, "column": 0, "source_line": ""}
    ]
    stored = v8vm(node, "receipt", failed["tx_hash"], "--json").json[0]
    assert stored["receipt"] == failed["receipt"]


@pytest.mark.parametrize("command", ["dry run", "query", "trace", "validate"])
def test_the_line_is_shown_where_nothing_is_kept(node: Node, tracing: str, tmp_path: Path, command: str) -> None:
    key = ("--key", node.key_file("alice"))
    file = tmp_path / "tx.json"
    file.write_text(v8vm(node, "call", tracing, "bad", *key, "--print").out)
    commands = {
        "dry run": ("call", tracing, "bad", *key, "--dry-run"),
        "query": ("query", tracing, "bad"),
        "trace": ("trace", file),
        "validate": ("tx", "validate", file),
    }
    people = v8vm(node, *commands[command], code=5).out.splitlines()
    at = next(number for number, line in enumerate(people) if "return list.length;" in line)
    assert people[at].index("length") == people[at + 1].index("^")
    assert any("line 8, column 21" in line for line in people)


def test_a_thrown_object_is_shown(node: Node, tracing: str) -> None:
    assert '{"code":42}' in v8vm(node, "query", tracing, "odd", code=5).out


def test_a_transaction_that_was_executed_or_expired_is_traced(node: Node, tracing: str, tmp_path: Path) -> None:
    key = ("--key", node.key_file("alice"))
    file = tmp_path / "tx.json"
    file.write_text(v8vm(node, "call", tracing, "bad", *key, "--print").out)
    v8vm(node, "tx", "send", file, code=5)
    assert "line 8" in v8vm(node, "trace", file, code=5).out
    old = json.loads(file.read_text())
    old["time_ns"] = str(int(old["time_ns"]) - 10**12)
    old["expiration_ns"] = str(int(old["time_ns"]) + 10**9)
    file.write_text(json.dumps(old))
    traced = v8vm(node, "trace", file, code=5).out
    assert "line 8" in traced
    assert "expired" in traced


def test_a_source_is_checked_without_publishing(node: Node) -> None:
    before = node.client.head().version
    plain = v8vm(node, "contract", "check", CONTRACTS / "token.js").out
    for method in ("issue", "transfer", "balanceOf", "supply"):
        assert method in plain
    assert "--as ACCOUNT" in plain
    known = v8vm(node, "contract", "check", CONTRACTS / "token.js", "--json").json
    assert known["findings"] == []
    assert known["accepted"] is None
    assert node.client.head().version == before


def test_the_check_says_what_publishing_costs(node: Node) -> None:
    key = ("--key", node.key_file("alice"))
    checks = [
        v8vm(node, "contract", "check", CONTRACTS / "counter.js", *who, "--json").json
        for who in (key, ("--as", "alice"))
    ]
    published = v8vm(node, "publish", CONTRACTS / "counter.js", *key, "--json").json
    receipt = published["outcome"]["receipt"]
    for known in checks:
        assert known["accepted"] is True
        assert known["account"] == "alice"
        assert known["gas_usage"] == receipt["gas_usage"]
        assert [usage["bytes"] for usage in known["ram_usages"]] == [usage["bytes"] for usage in receipt["ram_usages"]]
        assert [usage["payer"] for usage in known["ram_usages"]] == ["(the contract)", "alice"]


def test_the_check_says_who_cannot_pay(node: Node) -> None:
    failed = v8vm(node, "contract", "check", CONTRACTS / "counter.js", "--as", "nobody", code=1)
    assert "publishing is refused for nobody: " in failed.err
    known = v8vm(node, "contract", "check", CONTRACTS / "counter.js", "--as", "nobody", "--json", code=1).json
    assert known["accepted"] is False
    assert "gas not enough" in known["refusal"]
    assert known["gas_usage"] > 200_000_00


BROKEN = {
    "syntax": ("class A {\n  init() {}\n  m() { return 5 6; }\n}\nmodule.exports = A;\n", "3:18", "Unexpected number"),
    "forbidden": (
        "class A {\n  init() {}\n  m() { @try { } catch (e) { } }\n}\nmodule.exports = A;\n",
        "",
        "try catch",
    ),
    "top level": ("const a = null;\nconst b = a.@b;\nclass A { init() {} }\nmodule.exports = A;\n", "", "Cannot read"),
    "init": ("class A {\n  init() {\n    @throw 'not today';\n  }\n}\nmodule.exports = A;\n", "", "not today"),
    "require": ("const fs = @require('fs');\nclass A { init() {} }\nmodule.exports = A;\n", "", 'module "fs"'),
    "names": (
        "class A { init() {} @m() { const a = 1; const a = 2; } }\nmodule.exports = A;\n",
        "",
        "already been declared",
    ),
    "no init": ("@class A { m() {} }\nmodule.exports = A;\n", "", "init not found"),
}


@pytest.mark.parametrize("kind", list(BROKEN))
def test_errors_of_a_source_carry_file_line_and_column(node: Node, tmp_path: Path, kind: str) -> None:
    marked, place, reason = BROKEN[kind]
    before, _, after = marked.partition("@")
    if not place:
        lines = before.split("\n")
        place = f"{len(lines)}:{len(lines[-1]) + 1}"
    source = marked if not after else before + after
    file = tmp_path / "a.js"
    failed = check(node, file, source, "--as", "alice", code=1)
    assert failed.err.startswith(f"v8vm: a.js:{place}: ")
    assert reason in failed.err
    assert "running action" not in failed.err
    shown, excerpt, caret = failed.out.splitlines()[:3]
    assert shown.startswith(f"a.js:{place}: ")
    line, _, column = place.partition(":")
    assert excerpt.endswith(source.split("\n")[int(line) - 1])
    assert caret.index("^") - excerpt.index("|") - 2 == int(column) - 1
    assert check(node, file, source, "--json", code=1).json["findings"][0]["line"] == int(line)


def test_the_abi_file_is_checked_as_well(node: Node, tmp_path: Path) -> None:
    file, abi = tmp_path / "a.js", tmp_path / "other.abi"
    methods = [{"name": "m", "args": ["number", "string"], "amountLimit": []}]
    abi.write_text(json.dumps({"lang": "javascript", "version": "1.0.0", "abi": methods}))
    source = "class A {\n  init() {}\n  m(a) { return a; }\n}\nmodule.exports = A;\n"
    failed = check(node, file, source, "--abi", abi, code=1)
    assert failed.err.startswith("v8vm: a.js:3:3: ")
    assert "args length not match: m" in failed.err


def test_console_lines_of_init_are_shown(node: Node, tmp_path: Path) -> None:
    source = "class A { init() { console.log('made for', tx.publisher); } }\nmodule.exports = A;\n"
    assert "made for alice" in check(node, tmp_path / "a.js", source, "--as", "alice").out
