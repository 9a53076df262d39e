"""The bundled JavaScript libraries run in a bare V8, and are what the lock file says."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BUNDLED = ROOT / "vm_service/runtime/bundled"

# V8 is set up once per process, so this test takes one of its own.
EVALUATE = """
import sys
from pathlib import Path
from py_mini_racer import MiniRacer
with MiniRacer() as engine:
    names = "Object.getOwnPropertyNames(globalThis).join()"
    before = set(engine.eval(names).split(","))
    for path in sys.argv[2:]:
        engine.eval(Path(path).read_text())
    print(",".join(sorted(set(engine.eval(names).split(",")) - before)))
    print(engine.eval(sys.argv[1]))
"""


def evaluate(expression: str, *files: str) -> tuple[str, str]:
    """Loads bundles into a fresh V8; answers the globals they made and the value of the expression."""
    command = [sys.executable, "-c", EVALUATE, expression, *(str(BUNDLED / name) for name in files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    made, value = done.stdout.split("\n", 1)
    return made, value.removesuffix("\n")


def manifest() -> list[dict[str, object]]:
    entries: list[dict[str, object]] = json.loads((BUNDLED / "manifest.json").read_text())["bundles"]
    return entries


@pytest.mark.parametrize("entry", manifest(), ids=lambda entry: entry["file"])
def test_a_bundle_has_the_hash_of_its_manifest_and_makes_one_global(entry: dict[str, str]) -> None:
    code = (BUNDLED / entry["file"]).read_bytes()
    assert hashlib.sha256(code).hexdigest() == entry["sha256"]
    made, kind = evaluate(f"typeof {entry['global']}", entry["file"])
    assert made == entry["global"]
    assert kind in {"object", "function"}


def test_versions_are_those_of_the_lock_file() -> None:
    locked = json.loads((BUNDLED.parent / "package-lock.json").read_text())["packages"]
    for entry in manifest():
        for package in entry["packages"]:  # type: ignore[attr-defined]
            assert locked[f"node_modules/{package['name']}"]["version"] == package["version"]


def test_source_is_parsed_and_printed_inside_v8() -> None:
    source = "class A { f(a, b = 1) { return `x${a}` + b ** 2; } }"
    expression = f"v8vmCompiler.escodegen.generate(v8vmCompiler.esprima.parseScript({json.dumps(source)}))"
    assert evaluate(expression, "compiler.js")[1].split() == source.replace("${a}", "${ a }").split()


def test_the_parser_reports_a_syntax_error() -> None:
    attempt = "(() => { try { v8vmCompiler.esprima.parseScript('class {'); } catch (e) { return e.lineNumber; } })()"
    assert evaluate(attempt, "compiler.js")[1] == "1"


def test_bignumber_is_the_published_file_byte_for_byte() -> None:
    published = (BUNDLED.parent / "node_modules/bignumber.js/bignumber.js").read_bytes()
    assert published in (BUNDLED / "bignumber.js").read_bytes()
    assert evaluate("new BigNumber('0.1').plus('0.2').toString()", "bignumber.js")[1] == "0.3"
    assert evaluate("new BigNumber(1).div(3).toString()", "bignumber.js")[1] == "0.33333333333333333333"
