"""Drives calls to the end of V8's own stack: `python -m tests.fault.stack [--step N] [--recursions]`.

Without the counted depth, V8 may refuse any call: of a helper, inside the number library, in code that restores the
meter. Each contract of `stack.json` is called at every N-th offset of 8 bytes near the end of the stack, in an isolate
whose stack is small. It ends as in a fresh isolate, with equal gas, or the isolate says that it is broken;
the meter is as before; and the next call ends as in a fresh isolate.

With `--recursions`, every function that a contract can reach is called by itself in all ways that
`tests/support/js/recursion_search.js` knows, to the end, at twice the limit of depth.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.support.language import SCRIPTS, Language, contract
from vm_service.sandbox import isolate

SMALL_STACK = "--stack-size=250"
"""kB: a few hundred calls fill it."""

OTHER = contract(
    "const n = new BigNumber(a === undefined ? 7 : a); storage.put('x', n.toFraction(3).toString());"
    " throw { toString() { return 'failed ' + n.plus(1).toString() } }"
)
"""The contract that subjects call: it fails, and its message calls back."""

SUBJECTS: Mapping[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
"""Bodies of methods, which call every helper and every function of the library between them."""

BEFORE = {"loose names": "function sloppy() { loose = 1 }"}
"""What stands before the class of some of them."""


def subject(name: str) -> str:
    """Returns a contract of `SUBJECTS`."""
    return contract(SUBJECTS[name], BEFORE.get(name, ""))


def drive(step: int, names: Sequence[str] = tuple(SUBJECTS)) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yields name of a subject, what `driveStack` found, and how the call ends in a fresh isolate with the usual stack.

    REQUIRES: no isolate was made in this process before.
    """
    with patch.object(isolate, "BASE_FLAGS", (*isolate.BASE_FLAGS, SMALL_STACK)), Language() as language:
        language.isolate.evaluate((SCRIPTS / "stack_offsets.js").read_text("utf-8") + "\n;0")
        other = language.install(OTHER).key
        for name in names:
            key = language.install(subject(name)).key
            found = json.loads(str(language.isolate.evaluate(f"V8VM.driveStack('{key}', '{other}', {step})")))
            with Language() as fresh:
                fresh.isolate.evaluate((SCRIPTS / "stack_offsets.js").read_text("utf-8") + "\n;0")
                fresh.install(OTHER)
                fresh.install(subject(name))
                alone = json.loads(str(fresh.isolate.evaluate(f"V8VM.callOnce('{key}', '{other}')")))
            yield name, found, alone


def faults(found: Mapping[str, Any], alone: str) -> list[str]:
    """Returns what is wrong with what `drive` has yielded."""
    wrong = [f"{count} times: {end}" for end, count in found["ends"].items() if end not in (alone, "broken", "refused")]
    if (found["first"], found["last"]) != (alone, alone):
        wrong.append(f"first {found['first']}, last {found['last']}, in a fresh isolate {alone}")
    return wrong


def recursions(*, short: bool, factor: int = 2) -> dict[str, Any]:
    """Returns {tried, found}: recursions through functions of the library, at a multiple of the limit of depth."""

    def edit(text: str) -> str:
        return text.replace("const DEPTH_SLOTS = 200000;", f"const DEPTH_SLOTS = {200000 * factor};")

    with Language(edit) as language:
        language.isolate.evaluate((SCRIPTS / "recursion_search.js").read_text("utf-8") + "\n;0")
        answer = language.isolate.evaluate(f"V8VM.searchRecursions({str(short).lower()})")
        result: dict[str, Any] = json.loads(str(answer))
        return result


def uncounted(found: Sequence[tuple[str, float, str]], least: int) -> list[str]:
    """Returns the recursions that count fewer slots than `least`, or that anything but the count has ended."""
    return [f"{way}: {slots} slots, {end}" for way, slots, end in found if slots < least or end not in ("", "depth")]


LEAST_SLOTS = 20
"""Of one level of a recursion: `apply`, the smallest of all."""

HARMLESS = (".call by a function at 0",)
"""V8 hands the call on without a frame of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fault.stack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--step", type=int, default=1, help="offsets of 8 bytes")
    parser.add_argument("--recursions", action="store_true", help="recursions instead of offsets")
    parser.add_argument("--only", action="append", metavar="NAME", help="a subject, instead of all; may be repeated")
    options = parser.parse_args(arguments)
    wrong: list[str] = []
    if options.recursions:
        answer = recursions(short=False)
        found = [item for item in answer["found"] if not item[0].endswith(HARMLESS)]
        wrong = uncounted(found, LEAST_SLOTS)
        print(f"{answer['tried']} functions, {len(found)} recursions")
    else:
        for name, driven, alone in drive(options.step, options.only or tuple(SUBJECTS)):
            print(f"{name}: {driven['tried']} offsets, {driven['ends'].get('broken', 0)} broken", flush=True)
            wrong += [f"{name}: {fault}" for fault in faults(driven, alone)]
    print("\n".join([*wrong, f"{len(wrong)} faults"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
