"""A compiler that counts its steps: work as a number that is the same on every machine."""

import re
from functools import cache
from typing import Final, Self
from unittest.mock import patch

from tests.support.language import SCRIPTS
from vm_service import runtime
from vm_service.compiler.pipeline import Compiler
from vm_service.sandbox.isolate import Isolate

STEP: Final = "++globalThis.STEPS"


@cache
def with_steps(script: str) -> str:
    """Returns a script that counts each call of its functions and each pass of its loops.

    REQUIRES: it is printed as prettier or esbuild do it: blocks open with `) {` and `=> {`.
    """
    script = re.sub(r"\bwhile \(", f"while ({STEP}, ", script)
    script = re.sub(r"\bdo \{", f"do {{ {STEP};", script)
    script = re.sub(r"=> \{", f"=> {{ {STEP};", script)
    script = re.sub(r"\((?P<names>[\w\s,]*)\) => (?![{])", _expression_arrow, script)
    return _with_block_steps(script)


def _expression_arrow(match: re.Match[str]) -> str:
    """A rest parameter is evaluated by each call, whatever its arguments."""
    names = match["names"].strip()
    return f"({names}{', ' if names else ''}...{{ [{STEP}]: _steps }}) => "


def _with_block_steps(script: str) -> str:
    parts, end = [], 0
    for match in re.finditer(r"\) \{", script):
        opening = _opening(script, match.start())
        if not script.endswith("switch ", 0, opening):
            parts += [script[end : match.end()], f" {STEP};"]
            end = match.end()
    return "".join((*parts, script[end:]))


def _opening(script: str, closing: int) -> int:
    """Returns the offset of the parenthesis that belongs to a closing one."""
    depth = 0
    for at in range(closing, -1, -1):
        depth += {")": 1, "(": -1}.get(script[at], 0)
        if depth == 0:
            return at
    return 0


class CountingCompiler:
    """A compiler whose scripts count their steps."""

    def __init__(self) -> None:
        """Brings the isolate up."""
        scripts = [(name, with_steps(text)) for name, text in runtime.compiler_sources()]
        counter = (SCRIPTS / "step_counter.js").read_text("utf-8")
        self._isolate = Isolate()
        with patch.object(runtime, "compiler_sources", lambda: (("step_counter.js", counter), *scripts)):
            self.compiler = Compiler(self._isolate)

    def take_steps(self) -> int:
        """Returns the steps since the last time."""
        steps = self._isolate.evaluate("globalThis.STEPS")
        self._isolate.evaluate("globalThis.STEPS = 0")
        assert isinstance(steps, int | float)
        return int(steps)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes the isolate."""
        self._isolate.close()
