"""A stop is final: whatever runs when gas ends, nothing of the contract runs after it."""

import pytest

from tests.support.language import Language, contract

ENDLESS = "for (;;) {}"
LATE = "console.log('late')"

SWALLOWING = {
    "getter": f"const o = {{ get x() {{ {ENDLESS} }} }}; const y = o.x; {LATE}",
    "toJSON": f"JSON.stringify({{ toJSON() {{ {ENDLESS} }} }}); {LATE}",
    "comparator": f"[2, 1].sort(() => {{ {ENDLESS} }}); {LATE}",
    "conversion": f"const s = 'a' + {{ toString() {{ {ENDLESS} }} }}; {LATE}",
    "primitive": f"const s = +{{ [Symbol.toPrimitive]() {{ {ENDLESS} }} }}; {LATE}",
    "generator": f"function* g() {{ {ENDLESS} }} g().next(); {LATE}",
    "iterator return": (
        "const it = { [Symbol.iterator]() { return { next() { return { value: 1, done: false } },"
        f" return() {{ {LATE}; return {{}} }} }} }} }}; for (const x of it) {{ {ENDLESS} }}"
    ),
    "spread iterator": (
        "const it = { length: 1, [Symbol.iterator]() { return { next() { return { value: 1, done: false } },"
        f" return() {{ {LATE}; return {{}} }} }} }} }}; const l = [...it]; {LATE}"
    ),
    "delegate": f"function* h() {{ {ENDLESS} }} function* g() {{ yield* h(); {LATE}; }} g().next(); {LATE}",
    "generator throw": f"function* g() {{ yield 1; }} const i = g(); i.next(); {ENDLESS} i.throw(1); {LATE}",
    "replacement": f"'a'.replace('a', () => {{ {ENDLESS} }}); {LATE}",
    "reviver": f"JSON.parse('[1]', () => {{ {ENDLESS} }}); {LATE}",
    "callback": f"[1].map(() => {{ {ENDLESS} }}); {LATE}",
    "default value": f"const f = (a = (() => {{ {ENDLESS} }})()) => a; f(); {LATE}",
    "computed key": f"const o = {{ [(() => {{ {ENDLESS} }})()]: 1 }}; {LATE}",
    "thrown text": f"throw {{ toString() {{ {ENDLESS} }} }}",
    "result": f"return {{ toJSON() {{ {ENDLESS} }} }}",
    "class": f"class B {{ static [(() => {{ {ENDLESS} }})()]() {{}} }} {LATE}",
    "instance check": f"const o = {{ [Symbol.hasInstance]() {{ {ENDLESS} }} }}; const r = 1 instanceof o; {LATE}",
    "number library": f"new BigNumber({{ toString() {{ {ENDLESS} }} }}); {LATE}",
    "property definition": f"Object.defineProperty({{}}, 'x', {{ get value() {{ {ENDLESS} }} }}); {LATE}",
    "assignment": f"const o = {{ set x(v) {{ {ENDLESS} }} }}; o.x = 1; {LATE}",
    "iterator without charges": (
        "const r = { value: 1, done: false }; const it = { length: 1, [Symbol.iterator]() { return this },"
        f" next() {{ return r }} }}; const l = [...it]; {LATE}"
    ),
    "recursion without charges": (
        "const nodes = []; let node = null; for (let i = 0; i < 60; i++) node = { next: node };"
        " function f(n, x = n && f(n.next), y = n && f(n.next)) {} f(node);" + LATE
    ),
}


@pytest.mark.parametrize("name", SWALLOWING)
def test_running_out_of_gas_cannot_be_swallowed(language: Language, name: str) -> None:
    outcome = language.run(SWALLOWING[name], limit=1_000_000)

    assert outcome.dead == "gas"
    assert outcome.text == "out of gas"
    assert outcome.gas == 1_000_000
    assert outcome.lines == ()


HOST = "for (;;) storage.get('a');"
"""Endless in a raw image, whose own steps nobody charges."""

CAUGHT = {
    "catch": f"try {{ {HOST} }} catch (e) {{ {LATE}; }} {LATE}; return 'survived'",
    "catch that returns": f"try {{ {HOST} }} catch (e) {{ return 'survived'; }}",
    "catch in a loop": f"for (;;) try {{ {HOST} }} catch (e) {{ {LATE}; }}",
    "catch that throws": f"try {{ {HOST} }} catch (e) {{ throw new Error('other'); }}",
    "finally": f"try {{ {HOST} }} finally {{ {LATE}; }}",
    "finally that returns": f"try {{ {HOST} }} finally {{ return 'survived'; }}",
    "finally that breaks": f"for (;;) try {{ {HOST} }} finally {{ break; }} return 'survived'",
    "finally that continues": f"for (let i = 0; i < 9; i++) try {{ {HOST} }} finally {{ continue; }} return 'survived'",
    "finally that throws": f"try {{ {HOST} }} finally {{ throw new Error('other'); }}",
    "finally after catch": f"try {{ try {{ {HOST} }} catch (e) {{ {LATE}; }} }} finally {{ return 'survived'; }}",
    "catch in a conversion": f"return '' + {{ toString() {{ try {{ {HOST} }} catch (e) {{ return 'x'; }} }} }}",
    "catch in a getter": f"const o = {{ get x() {{ try {{ {HOST} }} catch (e) {{ return 1; }} }} }}; return o.x",
    "catch in a comparator": f"[2, 1].sort(() => {{ try {{ {HOST} }} catch (e) {{ return 0; }} }}); return 'survived'",
    "catch in toJSON": f"return JSON.stringify({{ toJSON() {{ try {{ {HOST} }} catch (e) {{ return 1; }} }} }})",
    "generator": f"function* g() {{ try {{ yield 1; }} finally {{ {LATE}; }} }} for (const x of g()) {{ {HOST} }}",
    "generator that returns": (
        f"function* g() {{ try {{ yield 1; {HOST} }} catch (e) {{ {LATE}; }} finally {{ return 2; }} }}"
        " const i = g(); i.next(); i.next(); return 'survived'"
    ),
    "iterator return": (
        "const it = { [Symbol.iterator]() { return { next: () => ({ value: 1, done: false }),"
        f" return() {{ {LATE}; return {{}}; }} }}; }} }}; for (const x of it) {{ {HOST} }}"
    ),
}


@pytest.mark.parametrize("name", CAUGHT)
def test_catch_and_finally_cannot_swallow_a_stop(language: Language, name: str) -> None:
    """The gate of v1 refuses both; raw images, which run as they are written, may hold them."""
    outcome = language.call(contract(CAUGHT[name]), limit=1_000_000, raw=True)

    assert (outcome.dead, outcome.text, outcome.gas) == ("gas", "out of gas", 1_000_000)
    assert outcome.lines == ()
    assert not language.run(CAUGHT[name]).ok


def test_catch_and_finally_see_what_is_no_stop(language: Language) -> None:
    body = "let s = ''; try { storage.put('a', 1); } catch (e) { s += e.message; } finally { s += '!'; } return s"

    assert language.call(contract(body), raw=True).text == "storage put must be string!"


def test_catch_cannot_swallow_the_limit_of_depth(language: Language) -> None:
    body = "const f = () => [1].map(f); try { f(); } catch (e) { console.log('late'); } return 'survived'"
    outcome = language.call(contract(body), raw=True)

    assert (outcome.ok, outcome.lines) == (False, ())
    assert outcome.text == "Uncaught exception: RangeError: Maximum call stack size exceeded"


def test_the_next_call_is_clean(language: Language) -> None:
    language.run(ENDLESS, limit=1000)

    assert language.run("return new BigNumber(2).pow(10).toString()").text == "1024"


@pytest.mark.parametrize("limit", range(163, 340))
def test_out_of_gas_at_every_unit_of_a_call(language: Language, limit: int) -> None:
    """Whatever the limit, the call ends as a whole or not at all: `return {}` costs 277."""
    outcome = language.run("return {}", limit=limit)

    assert outcome.ok == (limit >= 277)
    assert outcome.gas == min(limit, 277)


def test_the_number_library_is_whole_after_a_stop_inside_it(language: Language) -> None:
    """Conversions between bases and fractions change the library's settings for a while."""
    for limit in range(200, 6000, 50):
        language.run("return new BigNumber('ff.8', 16).toString(3)", limit=limit)
        language.run("return new BigNumber('3.14159').toFraction(7)", limit=limit)

    assert language.run("return new BigNumber(2).pow(100).toString()").text == "1.267650600228229401496703205376e+30"
    assert language.run("return new BigNumber('1e10000001').toString()").text == "Infinity"


def test_the_number_library_is_whole_after_work_that_nobody_could_pay() -> None:
    """Such a stop leaves an account that is overdrawn for the callers as well."""
    with Language(lambda text: text.replace("['product', 4,", "['product', 1e9,")) as dear:
        outcomes = [dear.run("return new BigNumber('3.14159').toFraction(7)", limit=2**30 - 1) for _ in range(2)]

        assert [outcome.dead for outcome in outcomes] == ["gas", "gas"]
        assert dear.run("return new BigNumber('1e10000001').toString()").text == "Infinity"
