"""The guards that keep the chassis from becoming a drawer: closed list, size, no words of the chain."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

import chassis

FOLDER = Path(chassis.__file__).parent
MODULES = {
    "calls",
    "config",
    "logging",
    "lifecycle",
    "health",
    "limits",
    "channels",
    "errors",
    "metrics",
    "stall",
    "failpoint",
}
MAX_CODE_LINES = 200
FORBIDDEN_WORDS = re.compile(r"\b(contract|gas|balance|ledger|receipt|wallet|account)s?\b", re.IGNORECASE)


def code_lines(source: str) -> int:
    """Counts lines that hold code: no blank line, comment or docstring."""
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    trivia = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    used: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in trivia:
            used.update(range(token.start[0], token.end[0] + 1))
    return len(used - skipped)


def identifiers(source: str) -> set[str]:
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return names | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def test_the_list_of_modules_is_closed() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} == MODULES


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_is_small(module: str) -> None:
    assert code_lines((FOLDER / f"{module}.py").read_text()) <= MAX_CODE_LINES


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_knows_no_word_of_the_chain(module: str) -> None:
    words = " ".join(identifiers((FOLDER / f"{module}.py").read_text())).replace("_", " ")
    assert FORBIDDEN_WORDS.findall(words) == []


def imported(source: str) -> set[str]:
    """Returns the chassis modules that a source imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("chassis.")} & MODULES


@pytest.mark.parametrize("module", sorted(MODULES))
def test_at_least_two_services_need_a_module(module: str) -> None:
    within = {name: imported((FOLDER / f"{name}.py").read_text()) for name in MODULES}
    wanted = {module} | {name for name in MODULES if module in within[name]}
    services = ("gateway", "state_service", "vm_service")
    users = {
        service
        for service in services
        for path in (FOLDER.parent / service).rglob("*.py")
        if "node_modules" not in path.parts and imported(path.read_text()) & wanted
    }
    assert len(users) >= 2, users
