"""Rules for the kernel's JavaScript that no linter knows."""

import re

import pytest

from vm_service import runtime

# After lockdown these methods on prototypes are the charging ones that contracts see: the kernel uses primordials.
CHARGING = [
    "map",
    "push",
    "pop",
    "shift",
    "unshift",
    "join",
    "split",
    "slice",
    "splice",
    "filter",
    "indexOf",
    "lastIndexOf",
    "includes",
    "concat",
    "sort",
    "forEach",
    "every",
]
CHARGING += [
    "startsWith",
    "endsWith",
    "substring",
    "replace",
    "trim",
    "repeat",
    "charAt",
    "charCodeAt",
    "toLowerCase",
    "toUpperCase",
]
CALL = re.compile(rf"\.({'|'.join(CHARGING)})\(")
GLOBALS = re.compile(r"(?<![\w.])(JSON|Math|Object|Reflect|Array|String|Number|Date)\.\w")

TEXT = re.compile(r"'[^']*'")

FILES = [
    (name, text) for name, text in runtime.execution_sources() if name.startswith("kernel/") and name > "kernel/05"
]


def _code(text: str) -> list[tuple[int, str]]:
    lines = (line.split("//")[0] for line in text.splitlines())
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


@pytest.mark.parametrize(("name", "text"), FILES, ids=[name for name, _ in FILES])
def test_the_kernel_uses_primordials_only(name: str, text: str) -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for number, line in _code(text)
        if CALL.search(line) or GLOBALS.search(TEXT.sub("", line))
    ]

    assert not found


@pytest.mark.parametrize(("name", "text"), FILES, ids=[name for name, _ in FILES])
def test_every_kernel_file_is_strict_and_leaks_no_name(name: str, text: str) -> None:
    lines = [line for _, line in _code(text)]

    assert lines[0] == "(function (V8VM) {"
    assert lines[1] == "  'use strict';"
    assert lines[-1] == "})(globalThis.V8VM);"


CATCH = re.compile(r"^( *)\} catch (?:\((\w+)\) )?\{\n(.*?)\n\1\}", re.DOTALL | re.MULTILINE)
PASSES = re.compile(r"\s*(?:isUntidy = true;\s*meter\.depth = [^\n]*\s*)?meter\.pass\(\w+\);")
THROWS_AGAIN = re.compile(r"throw (?:error|thrownAgain|exception);")
TELLS = ("kernel/90_entry.js", "return true;")
"""What tells whether `pass` threw."""

SCRIPTS = [(name, text) for name, text in runtime.execution_sources() if name.startswith(("kernel/", "v1/"))]


def test_every_catch_lets_the_end_of_v8s_own_stack_through() -> None:
    found = [(name, body.strip()) for name, text in SCRIPTS for _, _, body in CATCH.findall(text)]
    swallowing = [
        (name, body)
        for name, body in found
        if not PASSES.match(body) and not THROWS_AGAIN.search(body) and (name, body) != TELLS
    ]

    assert swallowing == []
    assert len(found) > 20
