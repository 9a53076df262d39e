"""A call finds nothing of the calls before it: result and gas are those of an isolate that ran nothing else."""

from collections.abc import Iterator

import pytest

from tests.conformance.programs import program
from tests.fault.grammar import Grammar
from tests.support.language import Language, Outcome, contract

PROGRAMS = 40
GAS_LIMIT = 400_000

GRAB = """
function grab() {
  let found; const n = new Int64(1);
  n.number = { isInteger() { return true; }, gt(v) { found = v; return false; }, lt() { return false; } };
  n._validate();
  return found;
}
function tag(s) { return s; }
function texts() { return tag`a${1}b${2}c`; }
function old(n) {
  const o = { valueOf() { return 1; } }; let q = o;
  for (let i = 0; i < n; i++) { const p = {}; Object.setPrototypeOf(q, p); q = p; }
  return o;
}
"""

SEARCHES = "for (let i = 0; i < 40000; i++) c.indexOf(5);"

TOUCHES = {
    "the list of a limit loses its form": "Object.create(grab().c);",
    "a limit becomes a prototype": "Object.create(grab()); class A { m() {} } A.prototype.m.prototype = grab();",
    "an item of a limit is deleted": "delete grab().c.x;",
    "a list of texts loses its form": "Object.create(texts()); Object.create(texts().raw);",
    "a list of texts is asked for a computed name": "const s = texts(); delete s['x' + s.length];",
    "a chain is long": "let p = {}; for (let i = 0; i < 20; i++) p = Object.create(p);",
    "a chain grows at its end": "old(20);",
    "an instance of a shared function is a prototype": "Object.create(new Int64(1)); Object.create(new Error('x'));",
    "a shared function is a prototype": "Object.create(Int64); Object.create(Math); class A extends Int64 {}",
    "shared functions are bound": "Math.max.bind(null, 1, 2).bind(3); Object.create(Int64.bind());",
    "symbols are registered": "for (let i = 0; i < 100; i++) Symbol.for('s' + i);",
    "a join is left by a stop": "[{ toString() { for (;;); } }].join();",
    "a number is left by a stop": "new BigNumber(2).pow({ toString() { for (;;); } });",
    "a sort is left by an error": "[1, 2, 3].sort(() => { throw 'x'; });",
}

PROBES = {
    "a limit is searched": f"const c = grab().c; {SEARCHES}",
    "a list of texts is searched": f"const c = texts(); {SEARCHES}",
    "raw texts are searched": f"const c = texts().raw; {SEARCHES}",
    "an object becomes a number": "const o = old(12); let x = 0; for (let i = 0; i < 40000; i++) x = -o;",
    "a loop": "let x = 0; const l = 'y'.repeat(500).split(''); for (let i = 0; i < 400; i++) for (const y of l) x++;",
    "chains of libraries": "class A extends Int64 {} class B extends A {} let o = new B(1);"
    " for (let i = 0; i < 12; i++) o = Object.create(o); for (let i = 0; i < 3000; i++) '' + o;",
    "symbols": "for (let i = 0; i < 9000; i++) Symbol.for('s' + i % 50);",
    "numbers": "let x = new BigNumber('1.5'); for (let i = 0; i < 900; i++) x = x.plus('0.1').times('1.01').dp(8);",
}


@pytest.fixture(scope="module")
def fresh() -> Iterator[dict[str, Outcome]]:
    """What the probes give in an isolate that ran nothing but them."""
    with Language() as language:
        yield {name: probe(language, name) for name in PROBES}


def probe(language: Language, name: str) -> Outcome:
    return language.run(PROBES[name], before=GRAB, limit=100_000_000)


@pytest.mark.parametrize("name", PROBES)
def test_probes_measure_work(fresh: dict[str, Outcome], name: str) -> None:
    assert fresh[name].ok
    assert fresh[name].gas > 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("touch", TOUCHES)
def test_what_a_call_has_touched_is_as_before(language: Language, fresh: dict[str, Outcome], touch: str) -> None:
    language.run(TOUCHES[touch], before=GRAB, limit=3_000_000)

    assert {name: probe(language, name) for name in PROBES} == fresh


@pytest.mark.parametrize("name", PROBES)
def test_a_call_leaves_nothing_to_the_next_call_of_the_same_contract(language: Language, name: str) -> None:
    touches = " ".join(f"{{ {TOUCHES[touch]} }}" for touch in TOUCHES if "left by" not in touch)
    source = contract(f"if (a === 1) {{ {touches} }} {PROBES[name]}", GRAB)

    before = language.call(source, [0, 0], limit=100_000_000)
    language.call(source, [1, 0], limit=100_000_000)

    assert language.call(source, [0, 0], limit=100_000_000) == before


@pytest.mark.timeout(180)
def test_random_programs_give_the_same_in_any_order() -> None:
    programs: list[tuple[str, str, list[object]]] = []
    for seed in range(PROGRAMS):
        programs.append((contract(program(seed)), "m", [7, "abc"]))
        programs.append((Grammar(seed).program(), "run", []))
    with Language() as one, Language() as other:
        forwards = [one.call(source, args, method=method, limit=GAS_LIMIT) for source, method, args in programs]
        backwards = [
            other.call(source, args, method=method, limit=GAS_LIMIT) for source, method, args in programs[::-1]
        ]
        again = [one.call(source, args, method=method, limit=GAS_LIMIT) for source, method, args in programs]

    assert forwards == backwards[::-1]
    assert again == forwards
    assert sum(outcome.ok for outcome in forwards) > PROGRAMS // 2
