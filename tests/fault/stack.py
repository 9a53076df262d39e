"""Drives calls to the end of V8's own stack: `python -m tests.fault.stack [--step N] [--recursions]`.

Without the counted depth, V8 may refuse any call: of a helper, inside the number library, in code that restores the
meter. Each contract of `SUBJECTS` is called at every N-th offset of 8 bytes near the end of the stack, in an isolate
whose stack is small. It ends as in a fresh isolate, with equal gas, or the isolate says that it is broken;
the meter is as before; and the next call ends as in a fresh isolate.

With `--recursions`, every function that a contract can reach is called by itself in all ways that
`tests/support/js/recursion_search.js` knows, to the end, at twice the limit of depth.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
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

SUBJECTS: Mapping[str, str] = {
    "operators": "const o = { valueOf() { return 3 }, toString() { return 'k' } };"
    " return o + 1 - o * o / o % 2 + (o < 4) + `${o}` + ('k' === o) + [1][o] + (o >>> 1) + (~o) + (o ** 2)",
    "callbacks": "return [3, 1, 2].map((x) => x + 1).filter((x) => x > 1).sort((x, y) => x - y).concat([1], 2).slice(1)"
    ".find((x) => x > 2) + [1].findIndex((x) => x) + [1, [2, 3]].join()",
    "accessors": "const l = [1, 2, 3]; Object.defineProperty(l, 1, { get() { return 7 }, set() {} });"
    " l.reverse(); l.splice(0, 1, 5, 6); return l.indexOf(7) + l.concat([1]).toString() + l.slice(1) + l.push(8, 9)",
    "objects": "const o = { a: 1, get b() { return 2 } }; const p = Object.assign({}, o);"
    " Object.defineProperties(p, { c: { value: 3 } }); return Object.entries(p).join() + Object.keys(o) +"
    " p.hasOwnProperty('a')"
    " + Object.prototype.toLocaleString.call(o) + JSON.stringify(Object.getOwnPropertyDescriptors(o))",
    "texts": "return 'abcabc'.replace('b', (x) => x + x).split('c').join('-') + String.raw({ raw: ['a', 'b'] }, 1)"
    " + 'abc'.search('b+') + [...'xyz'].length + 'a'.concat({ toString() { return 'b' } }) + new Error('e')",
    "JSON": 'return JSON.stringify(JSON.parse(\'{"a":[1,2,{"b":"c"}]}\', (k, v) => (v === 1 ? 2 : v)),'
    " (k, v) => v, 1) + JSON.stringify({ toJSON() { return { a: 1 } } })",
    "numbers": "return new BigNumber('1.5').pow(7).sqrt().toFixed(9) + new BigNumber('ff.8', 16).toString(3)"
    " + new BigNumber(1).div(3).toFraction(99) + BigNumber.max(1, { valueOf() { return 2 } })",
    "classes of numbers": "return new Int64(7).plus('8').multi(new Int64(3)).toString() + new"
    " Float64('1.5').div(7).toFixed(3)"
    " + new Int64(3).pow(4).gt(5)",
    "console": "const o = { toString() { return 'x' } }; console.log('%s %v %d', o, { a: o }, 1, 2);"
    " console._format = (x) => x; console.info(o); return format('%s', o) + formatWithOptions({}, '%s', o)",
    "calls": "function f(a, b) { return a + b } return f.apply(null, [1, 2]) + f.call(null, 1, 2) + f.bind(null, 1)(2)"
    " + f(...[1, 2]) + Math.max(...[1, 2, 3])",
    "generators": "function* g() { yield 1; yield* h(); } function* h() { yield 2; } let n = 0; for (const x of"
    " g()) n += x;"
    " return n + [...g()].join()",
    "iterators": "const it = { [Symbol.iterator]() { let i = 0; return { next() { return { value: ++i, done: i > 3 } },"
    " return() { storage.put('r', 'x'); return {} } } } }; for (const x of it) { if (x > 1) return 'r' + x }",
    "storage": "storage.put('k', 'v'); storage.mapPut('m', 'f', 'v'); return storage.get('k') +"
    " storage.mapKeys('m').join()"
    " + JSON.stringify(tx) + JSON.stringify(block)",
    "classes": "class B { constructor(x) { this.x = x } get y() { return this.x } static s() { return 1 } }"
    " class D extends B { constructor() { super(2) } m() { return super.y } } return new D().m() + D.s() + (new D()"
    " instanceof B)",
    "an error": "const e = new Error('m'); Object.defineProperty(e, 'name', { get() { return [1, 2].join() } });"
    " throw e",
    "a call of a contract": "return blockchain.call('other', 'm', []).toString()",
    "a call within a callback": "return [1].map(() => blockchain.call('other', 'm', [])).toString()",
    "a call within an iterator": "const it = { [Symbol.iterator]() { return { next() { return { value: 1, done:"
    " false } },"
    " return() { return new BigNumber(3).sqrt() } } } }; for (const x of it) { blockchain.call('other', 'm', []) }",
}


def drive(step: int, names: Sequence[str] = tuple(SUBJECTS)) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yields name of a subject, what `driveStack` found, and how the call ends in a fresh isolate with the usual stack.

    REQUIRES: no isolate was made in this process before.
    """
    with patch.object(isolate, "BASE_FLAGS", (*isolate.BASE_FLAGS, SMALL_STACK)), Language() as language:
        language.isolate.evaluate((SCRIPTS / "stack_offsets.js").read_text("utf-8") + "\n;0")
        other = language.install(OTHER).key
        for name in names:
            key = language.install(contract(SUBJECTS[name])).key
            found = json.loads(str(language.isolate.evaluate(f"V8VM.driveStack('{key}', '{other}', {step})")))
            with Language() as fresh:
                fresh.isolate.evaluate((SCRIPTS / "stack_offsets.js").read_text("utf-8") + "\n;0")
                fresh.install(OTHER)
                fresh.install(contract(SUBJECTS[name]))
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
