"""Chains of prototypes: whichever way one grows, it is free up to 16 and costs gas by the square beyond."""

import pytest

from tests.support.language import GAS_LIMIT, Language

WAYS = {
    "created": "let o = {}; for (let i = 1; i < n; i++) o = Object.create(o);",
    "literals": "let o = {}; for (let i = 1; i < n; i++) o = { __proto__: o };",
    "set": "let o = {}; for (let i = 1; i < n; i++) { const p = {}; Object.setPrototypeOf(p, o); o = p; }",
    "assigned": "let o = {}; for (let i = 1; i < n; i++) { const p = {}; p.__proto__ = o; o = p; }",
    "made with new": "let o = {}; for (let i = 1; i < n; i++)"
    " { const F = function () {}; F.prototype = o; o = new F(); }",
    "at the far end": "const o = {}; let q = o; for (let i = 2; i < n; i++)"
    " { const p = {}; Object.setPrototypeOf(q, p); q = p; }",
    "classes": "let C = class {}; for (let i = 3; i < n; i++) C = class extends C {}; new C();",
    "below an instance": "function F() {} Object.create(new F()); let q = F.prototype; for (let i = 3; i < n; i++)"
    " { const p = {}; Object.setPrototypeOf(q, p); q = p; }",
}
"""Each makes a chain of about n prototypes above its lowest object."""


def gas(language: Language, way: str, length: int) -> int:
    outcome = language.run(WAYS[way].replace("n;", f"{length};", 1))
    assert outcome.ok, outcome.text
    return outcome.gas


@pytest.mark.parametrize("way", WAYS)
def test_prototypes_cost_gas_beyond_sixteen(language: Language, way: str) -> None:
    used = {length: gas(language, way, length) for length in (12, 13, 14, 24, 25, 26)}
    ordinary = used[14] - used[13]

    assert used[13] - used[12] == ordinary < 400
    growth = [used[length] - used[length - 1] - ordinary for length in (25, 26)]
    assert growth[0] >= 6 * 6 * 1000
    assert growth[1] > growth[0]


@pytest.mark.parametrize("way", WAYS)
def test_a_chain_soon_costs_more_than_can_be_bought(language: Language, way: str) -> None:
    outcome = language.run(WAYS[way].replace("n;", "60;", 1), limit=GAS_LIMIT)

    assert (outcome.ok, outcome.dead) == (False, "gas")


def test_the_longest_chain_decides_what_a_step_costs(language: Language) -> None:
    steps = "const l = new Array(60001).join('a').split(''); for (const x of l);"
    chain = "let o = {}; for (let i = 0; i < 12; i++) o = Object.create(o);"

    short, long = language.run(steps), language.run(chain + steps)

    assert long.gas - short.gas > 60_000


def test_an_ordinary_hierarchy_changes_no_gas(language: Language) -> None:
    steps = "const l = new Array(60001).join('a').split(''); let n = 0; for (const x of l) n = n + 1;"
    classes = "class A {} class B extends A {} class C extends B {} new C();"

    one, two = language.run(steps), language.run(classes + steps)

    assert two.gas - one.gas < 1_000


def test_an_array_has_room_for_two_prototypes(language: Language) -> None:
    body = "let p = Array.prototype; for (let i = 0; i < a; i++) p = Object.create(p); Object.setPrototypeOf([], p);"

    used = [language.run(body, count).gas for count in (1, 2, 3)]

    assert used[1] - used[0] < 100
    assert used[2] - used[1] > 1_000


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("return f.bind({ x: 1 }, 2).bind({ x: 9 }, 3, 4)(5)", "1,2,3,4,5"),
        ("const g = f.bind().bind(null, 1); return [g.name, g.length]", '["bound bound f",3]'),
        ("const g = f.bind(); Object.defineProperty(g, 'length', { value: 9 }); return g.bind(null, 1).length", "8"),
        ("const g = f.bind(); Object.defineProperty(g, 'name', { value: 'h' }); return g.bind().name", "bound h"),
        ("const g = f.bind(); g.__proto__ = null; return Object.getPrototypeOf(f.bind.call(g))", "null"),
        (
            "const g = f.bind().bind(); return [new g() instanceof f, new f() instanceof g, 'prototype' in g]",
            "[true,true,false]",
        ),
        ("let g = f; for (let i = 0; i < 300; i++) g = g.bind({ x: i }); return g(1)", "0,1,,,"),
    ],
)
def test_a_function_bound_twice_acts_as_bound_to_the_first(language: Language, body: str, shown: str) -> None:
    before = "function f(a, b, c, d) { return [this.x, a, b, c, d].join(); }"

    assert language.run(body, before=before).text == shown


def test_the_texts_of_a_tag_are_the_same_in_all_of_a_call(language: Language) -> None:
    body = (
        "const f = () => t`a${1}b`; const g = () => t`a${1}b`; return [f() === f(), f() === g(), f().raw === f().raw]"
    )

    assert language.run(body, before="function t(s) { return s; }").text == "[true,false,true]"


@pytest.mark.parametrize("raw", [False, True])
def test_the_texts_of_a_tag_are_as_the_language_makes_them(language: Language, raw: bool) -> None:
    source = (
        "function t(s, ...v) { const d = Object.getOwnPropertyDescriptor(s, 'raw');"
        " return [s.join('|'), s.raw.join('|'), v.join(), Object.isFrozen(s), Object.isFrozen(s.raw), d.enumerable]"
        ".join(' '); }\n"
        "class A { init() {} m() { return t`a\\n${1}b${2}`; } }\nmodule.exports = A;"
    )

    assert language.call(source, raw=raw).text == "a\n|b| a\\n|b| 1,2 true true false"
