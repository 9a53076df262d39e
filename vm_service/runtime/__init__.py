"""The JavaScript runtime as package data: which files there are, in which order, and their digest.

Order is the file name within a directory, and the directories in the order below (deno_core's habit). Bundled npm
libraries are made at setup and never committed.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

KERNEL: Final = "kernel"
"""Chain rules: journal, native contracts, transactions."""

LANGUAGE_V1: Final = "v1"
"""IOST's language: permits, operators, class libraries. Frozen once released."""


def _scripts(directory: str) -> list[tuple[str, str]]:
    root = files(__package__).joinpath(directory)
    names = sorted(entry.name for entry in root.iterdir() if entry.name.endswith(".js"))
    return [(f"{directory}/{name}", root.joinpath(name).read_text("utf-8")) for name in names]


@cache
def execution_sources() -> tuple[tuple[str, str], ...]:
    """Returns (name, text) of every script of the execution isolate, in evaluation order."""
    kernel, language = _scripts(KERNEL), _scripts(LANGUAGE_V1)
    base = [script for script in kernel if script[0] < "kernel/20"]
    rules = [script for script in kernel if script[0] >= "kernel/20"]
    bignumber = ("bundled/bignumber.js", files(__package__).joinpath("bundled/bignumber.js").read_text("utf-8"))
    return (*base, bignumber, *language, *rules)


@cache
def compiler_sources() -> tuple[tuple[str, str], ...]:
    """Returns (name, text) of every script of the compiler isolate, in evaluation order."""
    bundle = ("bundled/compiler.js", files(__package__).joinpath("bundled/compiler.js").read_text("utf-8"))
    scripts = (*_scripts(KERNEL), *_scripts(LANGUAGE_V1))
    tables = [script for script in scripts if script[0].endswith(("_permits.js", "_prices.js"))]
    return (bundle, *tables, *_scripts(f"{LANGUAGE_V1}/compiler"))


@cache
def digest() -> str:
    """Returns the hex SHA-256 over all runtime sources: part of the build id."""
    sha = hashlib.sha256()
    for name, text in (*execution_sources(), *compiler_sources()):
        data = text.encode()
        sha.update(f"{name}:{len(data)}:".encode())
        sha.update(data)
    return sha.hexdigest()
