"""Priced built-ins give what the engine's own give: random calls, in a contract and in an isolate without a runtime."""

import random
from collections.abc import Callable, Iterator

import pytest

from tests.support.language import Language
from vm_service.sandbox.isolate import Isolate

CALLS = 1500

VALUES = (
    *(
        "1",
        "2",
        "-1",
        "0",
        "-0",
        "1.5",
        "3",
        "1e9",
        "NaN",
        "Infinity",
        "-Infinity",
        "'a'",
        "'b'",
        "'10'",
        "'x,y'",
        "''",
    ),
    *("null", "undefined", "true", "[1, 2]"),
)
LISTS = (
    "[1, , 3]",
    "[3, 1, 2, 10]",
    "['b', 'a', , undefined]",
    "[[1, [2]], 3]",
    "new Array(3)",
    "[]",
    "[1, 2, 3, 4, 5]",
)
LIKES = ("'abc'", "{ length: 2, 0: 'x', 1: 'y' }", "{ length: 3, 1: 5 }", "{ length: 0 }")
TEXTS = ("'hello'", "''", "'a,b,,c'", "'aaa'", "' x '", "'é中'", "'10'", "'abcabc'")
VISITS = ("x => x", "function (x, i) { return i % 2 === 0 }", "(x, i, l) => l.length", "x => x > 1")
ORDERS = ("", "(x, y) => x - y", "(x, y) => y > x ? 1 : -1", "undefined")

VISITING = ("every", "filter", "find", "findIndex", "forEach", "map")
READING = ("includes", "indexOf", "join", "lastIndexOf", "slice")
CHANGING = ("concat", "pop", "push", "reverse", "shift", "splice", "unshift", "toString")
OF_TEXTS = (
    *("charAt", "charCodeAt", "concat", "includes", "endsWith", "indexOf", "lastIndexOf", "startsWith", "slice"),
    *("substring", "toLowerCase", "toUpperCase", "trim", "trimLeft", "trimRight", "repeat", "toString", "valueOf"),
)
OTHERS: tuple[str, ...] = (
    "Number({v})",
    "String({v})",
    "isNaN({v})",
    "isFinite({v})",
    "Number.parseInt({v}, {v})",
    "Number.parseFloat({v})",
    "(255).toString({v})",
    "(1.005).toFixed({v})",
    "(123.456).toPrecision({v})",
    "(5).toExponential({v})",
    "Math.floor({v})",
    "Math.round({v})",
    "Math.sqrt({v})",
    "Math.max({v}, {v}, {v})",
    "Math.min({v})",
    "Array({v})",
    "new Array({v}, {v})",
    "new Error({v}).message",
    "Object.keys({l})",
    "Object.entries({l})",
    "Object.values({l})",
    "Object.assign({l}, {l})",
    "Object.getOwnPropertyNames({l})",
    "Object.defineProperty({l}, 'length', {{ value: 2 }})",
    "({{}}).hasOwnProperty.call({l}, {v})",
    "Object.prototype.toString.call({v})",
    "(function () {{ return [].slice.call(arguments, 1) }})({v}, {v}, {v})",
    "((...x) => x.length).apply(null, {l})",
    "(function (x, y) {{ return [x, y] }}).bind(1, {v})({v})",
    "JSON.parse('[1, [2, {{ \"x\": 3 }}]]', (k, x) => typeof x === 'number' ? x + 1 : x)",
)


class Calls:
    """Random calls; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def _values(self, most: int) -> str:
        return ", ".join(self._random.choice(VALUES) for _ in range(self._random.randrange(most + 1)))

    def _of_list(self) -> str:
        pick = self._random.choice
        kind, arguments = pick(
            [
                (pick(VISITING), pick(VISITS)),
                (pick(READING), self._values(3)),
                (pick(CHANGING), self._values(4)),
                ("sort", pick(ORDERS)),
            ]
        )
        return f"const q = {pick(LISTS)}; const z = q.{kind}({arguments}); return JSON.stringify([z === q, z, q])"

    def _of_like(self) -> str:
        pick = self._random.choice
        arguments = ", ".join(part for part in ("q", self._values(2)) if part)
        call = f"Array.prototype.{pick(READING)}.call({arguments})"
        return f"const q = {pick(LIKES)}; return JSON.stringify([{call}, q])"

    def _of_text(self) -> str:
        call = f"{self._random.choice(TEXTS)}.{self._random.choice(OF_TEXTS)}({self._values(3)})"
        return f"return JSON.stringify([{call}])"

    def _other(self) -> str:
        pick = self._random.choice
        return f"return JSON.stringify([{pick(OTHERS).format(v=pick(VALUES), l=pick(LISTS))}])"

    def body(self) -> str:
        """Returns the body of a method that makes one call and returns what it gave as text."""
        kinds: list[Callable[[], str]] = [self._of_list, self._of_like, self._of_text, self._other]
        return self._random.choice(kinds)()


@pytest.fixture(scope="module")
def plain() -> Iterator[Isolate]:
    with Isolate() as isolate:
        yield isolate


def test_random_calls(language: Language, plain: Isolate) -> None:
    calls = Calls(seed=1)
    compared = 0
    for _ in range(CALLS):
        body = calls.body()
        outcome = language.run(body)
        strict = f"(function () {{ 'use strict'; {body} }})()"
        caught = "'Uncaught exception: ' + e"
        own = str(plain.evaluate(f"try {{ String({strict}) }} catch (e) {{ {caught} }}"))
        if outcome.text == "out of gas" or "must be a string" in outcome.text:
            continue  # lengths beyond any gas; objects that are refused as search texts
        compared += 1
        if outcome.ok:
            assert outcome.text == own, body
        else:
            kind = outcome.text.removeprefix("Uncaught exception: ").partition(":")[0]
            assert own.startswith(f"Uncaught exception: {kind}"), body
    assert compared > CALLS * 0.9


FROZEN = (
    ("[1]", "[1]"),
    ("[]", "[]"),
    ("[2, 1]", "TypeError"),
)


@pytest.mark.parametrize(("items", "expected"), FROZEN)
def test_sorting_writes_nothing_where_there_is_nothing_to_sort(language: Language, items: str, expected: str) -> None:
    outcome = language.run(f"return JSON.stringify(Object.freeze({items}).sort((x, y) => x - y).slice())")

    assert outcome.text.removeprefix("Uncaught exception: ").startswith(expected)


@pytest.mark.parametrize("length", ["NaN", "-3", "0", "0 / -1"])
def test_a_list_of_names_without_a_length_names_nothing(language: Language, length: str) -> None:
    assert language.run(f"return JSON.stringify({{ a: 1 }}, {{ length: {length} }})").text == "{}"
