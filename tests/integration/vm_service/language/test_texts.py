"""Texts: what makes, scans or compares one pays for its length; none of more than 16,383 units becomes a name."""

import json
import time

import pytest

from tests.support.language import Language

CONSTANT = "takes the same time for any value: it looks at no text and at no property"
COUNTED = "runs code of the contract, which counts itself"
UNREACHABLE = "no object that a contract holds leads to it: errors of the engine cannot be caught"
BOUNDED = "walks prototypes, of which the chain limit allows few"

ENGINES = {
    **dict.fromkeys(("Array.isArray", "Boolean", "Function.prototype", "Object", "Object.getPrototypeOf"), CONSTANT),
    **dict.fromkeys((f"Number.{name}" for name in ("isFinite", "isInteger", "isNaN", "isSafeInteger")), CONSTANT),
    **dict.fromkeys(("Object.isExtensible", "Object.prototype.__proto__", "Object.prototype.valueOf"), CONSTANT),
    **dict.fromkeys((f"Boolean.prototype.{name}" for name in ("toJSON", "toString", "valueOf")), CONSTANT),
    **dict.fromkeys(("Number.prototype.toJSON", "String.prototype.toString", "Symbol.prototype.valueOf"), CONSTANT),
    **dict.fromkeys(("Symbol.prototype.Symbol.toPrimitive", "Symbol.prototype.description"), CONSTANT),
    **dict.fromkeys((f"{name}.prototype.Symbol.iterator" for name in ("Array", "Iterator", "String")), CONSTANT),
    **dict.fromkeys((f"Function.prototype.{name}" for name in ("arguments", "caller")), "throws"),
    "syntax.arguments.callee": "throws",
    "StringIterator.prototype.next": "reads one character, of a text that was paid when it was made",
    "ArrayIterator.prototype.next": "reads one item",
    "Function.prototype.call": COUNTED,
    **dict.fromkeys((f"Generator.prototype.{name}" for name in ("next", "return", "throw")), COUNTED),
    "Object.prototype.toLocaleString": COUNTED,
    "Function.prototype.Symbol.hasInstance": BOUNDED,
    "Object.prototype.isPrototypeOf": BOUNDED,
    **dict.fromkeys(("RangeError", "ReferenceError", "SyntaxError", "TypeError", "EvalError", "URIError"), UNREACHABLE),
    "syntax.errors.4.stack": UNREACHABLE,
}
"""Functions that are still the engine's own, and why nothing need count them."""


def test_no_other_function_of_the_engine_is_left(language: Language) -> None:
    engines = json.loads(language.isolate.evaluate("V8VM.walk()"))["engines"]

    assert set(engines) - set(ENGINES) == set()
    assert len(engines) > 20


UNITS = 40_000
PASSES = 200
TEXTS = f"const s = 'a'.repeat({UNITS}); const t = 'b' + s; const u = 'b' + s;"
SHORT = "const s = 'a'; const t = 'b'; const u = 'b';"

PAID = {
    "Object.is": "Object.is(t, u)",
    "a switch of one case": "(function () { switch (t) { case u: return 1; } })()",
    "a replacement": "'x'.replace('x', s)",
    "a replacement of nothing": "''.replace('x', s)",
    "a replacement by a function": "'x'.replace('x', function () { return s; })",
    "a needle of replace": "''.replace(s, 'x')",
    "a needle of search": "''.search(s)",
    "a needle of split": "''.split(s)",
    "a needle of indexOf": "''.indexOf(s)",
    "a needle of includes": "''.includes(s)",
    "a needle of lastIndexOf": "''.lastIndexOf(s)",
    "a value of format": "format('%s', s)",
    "a value behind a format": "format('x', s)",
    "a value of the console": "console._format('%s', s)",
    "the stack of an error": "new Error(s).stack",
    "the name of a method": "({ [symbol]() {} })",
    "the name of a method of a class": "(function () { class M { [symbol]() {} } return M; })()",
}


@pytest.mark.parametrize("name", PAID)
def test_a_text_is_paid_by_its_length(language: Language, name: str) -> None:
    loop = f"const symbol = Symbol(s); let x; for (let i = 0; i < {PASSES}; i++) x = {PAID[name]};"
    long, short = language.run(TEXTS + loop), language.run(SHORT + loop)

    assert (long.ok, short.ok) == (True, True)
    assert long.gas - short.gas > UNITS * PASSES // 8 - 500_000 - long.gas // 2


@pytest.mark.parametrize(("sign", "needle"), [("$&", "b" * 100), ("$`", "x"), ("$\\'", "y")])
def test_what_replace_repeats_is_paid_by_what_it_makes(language: Language, sign: str, needle: str) -> None:
    before = f"const s = '{'a' * 100 + 'x' + 'b' * 100 + 'y' + 'c' * 100}'; const many = '{sign}'.repeat(1000);"
    outcome = language.run(f"{before} for (let i = 0; i < 100; i++) s.replace('{needle}', many);", limit=20_000_000)

    assert outcome.ok
    assert outcome.gas > 100 * 1000 * 100 / 8 / 2


def test_replace_gives_what_the_language_says(language: Language) -> None:
    body = """
      const signs = ['abcb'.replace('b', "[$&$`$'$$$1]"), 'abc'.replace('x', '$&'), 'ab'.replace('', '$')];
      return signs.concat('ab'.replace('b', (s) => s + s));"""

    assert json.loads(language.run(body).text) == ["a[bacb$$1]cb", "abc", "$ab", "abb"]


NAMES = {
    "read": "o[name]",
    "read by an object": "o[{ toString() { return name; } }]",
    "read by a call": "o[name.concat('')]",
    "read of super": "(function () { class P {} class Q extends P { m() { super[name]; } } new Q().m(); })()",
    "written": "o[name] = 1",
    "written with what was there": "o[name] += 1",
    "counted": "o[name]++",
    "deleted": "delete o[name]",
    "asked by in": "name in o",
    "of a literal": "({ [name]: 1 })",
    "of a method": "({ [name]() {} })",
    "of a class": "(function () { class M { [name]() {} } return M; })()",
    "defined": "Object.defineProperty(o, name, { value: 1 })",
    "described": "Object.getOwnPropertyDescriptor(o, name)",
    "asked by hasOwnProperty": "o.hasOwnProperty(name)",
    "asked by propertyIsEnumerable": "o.propertyIsEnumerable(name)",
    "a getter": "o.__defineGetter__(name, () => 1)",
    "a getter that is looked up": "o.__lookupGetter__(name)",
    "a setter": "o.__defineSetter__(name, () => 1)",
    "a setter that is looked up": "o.__lookupSetter__(name)",
    "of a symbol": "Symbol.for(name)",
    "of a module": "require(name)",
    "of a member": "JSON.parse('{\"' + name + '\" : 1}')",
    "of a member behind others": 'JSON.parse(\'[{"a":"\\\\"\' + name + \'","b":{"\' + name + \'":1}}]\')',
    "of a called contract": "blockchain.call(name, 'm', [])",
    "of a called method": "blockchain.call('c', name, [])",
    "of a list of names": "JSON.stringify(o, [name])",
}
REFUSED = "Uncaught exception: RangeError: a name has more than 16383 units"


@pytest.mark.parametrize("use", NAMES)
def test_names_of_more_than_16383_units_are_refused(language: Language, use: str) -> None:
    body = f"const o = {{}}; const name = 'n'.repeat(a); {NAMES[use]}; return 'used'"

    assert language.run(body, 16_383).text == "used"
    assert language.run(body, 16_384).text == REFUSED


@pytest.mark.parametrize("use", ["storage.put('k', 'v', name)", "blockchain.requireAuth(name, 'active')"])
def test_names_of_accounts_are_refused_alike(language: Language, use: str) -> None:
    body = f"const name = 'n'.repeat(a); {use}; return 'used'"

    assert language.run(body, 16_376).text == "used"
    assert language.run(body, 16_377).text == REFUSED


@pytest.mark.parametrize("use", NAMES)
def test_a_long_name_is_paid_by_its_length(language: Language, use: str) -> None:
    body = f"const o = {{}}; let name = 'n'.repeat(a); for (let i = 0; i < 300; i++) {{ {NAMES[use]}; }}"
    long, short = language.run(body, 16_000, limit=50_000_000), language.run(body, 60, limit=50_000_000)

    assert (long.ok, short.ok) == (True, True)
    assert long.gas - short.gas > 500_000


@pytest.mark.parametrize(
    "text",
    [
        "'[\"' + 'a'.repeat(20000) + '\"]'",
        "'[\"' + '\\\\\"'.repeat(20000) + '\",{\"a\":1}]'",
        "'[\"' + '\\\\\\\\'.repeat(20000) + '\",{\"a\":\"' + ':'.repeat(20000) + '\"}]'",
        "'[' + '\"a\",'.repeat(9000) + '{\"a\":1}]'",
        "' '.repeat(40000) + '{\"a\":1}'",
    ],
)
def test_long_texts_of_json_that_are_no_names_are_read(language: Language, text: str) -> None:
    assert language.run(f"const v = JSON.parse({text}); return v === undefined").text == "false"


SPELLED = {
    "o[k]()": "o[k] is not a function",
    "o[this.k]()": "o[this.k] is not a function",
    "o[f(1)](2)": "o[f(...)] is not a function",
    "o[list[0]]()": "o[list[0]] is not a function",
    "o[`${k}b`]()": "o[_IOSTTemplateTag(...)] is not a function",
    "o[k + 'b']()": "o[_IOSTBinaryOp(...)] is not a function",
    "o[k ? 'b' : 'c']()": f"o[{'(intermediate value)' * 3}] is not a function",
    "o[k || f(1)](2)": "o[(k || f(...))] is not a function",
    "new o[k]()": "o[k] is not a constructor",
    "p[k].m()": "p[k].m is not a function",
    "for (const x of o[k]);": "o[k] is not iterable",
    "o[k].m": "Cannot read properties of undefined (reading 'm')",
}


@pytest.mark.parametrize("use", SPELLED)
def test_messages_show_computed_keys_as_the_source_spells_them(language: Language, use: str) -> None:
    before = "const o = {}; const p = { x: {} }; const k = 'x'; const list = ['x']; const f = () => 'x'; this.k = 'x';"

    assert language.run(f"{before} {use}").text == f"Uncaught exception: TypeError: {SPELLED[use]}"


def test_the_stack_of_an_error_is_its_title_when_it_was_made(language: Language) -> None:
    body = """
      const e = new Error('m'); e.name = 'other'; e.message = 'other';
      class Named extends Error {}
      Named.prototype.name = 'Named';
      class Nameless extends Error {}
      Nameless.prototype.name = '';
      const all = [e, new Named('m'), new Named(), new Nameless('m'), new Error(), Error('m')];
      return [all.map((error) => error.stack), Object.getOwnPropertyNames(new Error('m')), Object.keys(e)];"""
    titles = ["Error: m", "Named: m", "Named", "m", "Error", "Error: m"]

    assert json.loads(language.run(body).text) == [titles, ["stack", "message"], ["name"]]


def test_a_name_that_runs_code_is_asked_when_the_stack_is_read(language: Language) -> None:
    body = """
      let asked = 0;
      class E extends Error { get name() { asked++; return 'E'; } }
      const e = new E('m');
      return [asked, e.stack, e.stack, asked, Object.getOwnPropertyNames(e)];"""

    assert json.loads(language.run(body).text) == [0, "E: m", "E: m", 1, ["stack", "message"]]


def test_the_stack_of_an_error_can_be_written(language: Language) -> None:
    body = """
      class E extends Error { get name() { return 'E'; } }
      const e = [new Error('m'), new E('m')];
      e.forEach((error) => { error.stack = 'own'; });
      return e.map((error) => error.stack);"""

    assert json.loads(language.run(body).text) == ["own", "own"]


def seconds(language: Language, source: str) -> float:
    """The least time of three calls."""
    times = []
    for _ in range(3):
        started = time.process_time()
        assert language.run(source, limit=500_000_000).ok
        times.append(time.process_time() - started)
    return min(times)


ZEROS = 200_000
LENGTHS = {
    "of a text that is ordered": ("const o = { toString() { return q }, valueOf() { return 1 } };", "o < 'a'"),
    "of a text that is compared": ("const o = { toString() { return q } };", "o === 'a'"),
    "of a foreign number": (
        "const n = new BigNumber(1); const o = { toString() { return q }, valueOf() { return 1 } };",
        "n.plus(o)",
    ),
    "of a priced text": ("const S = ''.constructor; const o = { length: q.length };", "S.call(o, '')"),
    "of a list of names": (
        "let n = 0; const o = { get length() { return n++ % 2 === 0 ? 1 : q.length } };",
        "JSON.stringify({}, o)",
    ),
    "of raw texts": (
        "let n = 0; const o = { raw: { get length() { return n++ % 2 === 0 ? 1 : q.length } } };",
        "String.raw(o, 1)",
    ),
    "of what is like a text": (
        "const o = Object.defineProperty({}, 'length', { value: q.length });",
        "'length' in o && Object.keys(o)",
    ),
}
"""A text that is read as a number where the library asks a contract's object for a length: made of what, by what."""


@pytest.mark.parametrize("name", LENGTHS)
def test_a_length_that_is_a_text_is_paid_or_not_read(language: Language, name: str) -> None:
    made, used = LENGTHS[name]
    source = f"const q = {{ length: '0'.repeat(UNITS) }}; {made} let x; for (let i = 0; i < 400; i++) x = {used};"
    long, short = source.replace("UNITS", str(ZEROS)), source.replace("UNITS", "1")

    paid = language.run(long, limit=500_000_000).gas - language.run(short).gas > ZEROS * 400 // 8 // 2
    assert paid or seconds(language, long) < 8 * seconds(language, short)


def test_texts_of_digits_are_parsed_as_they_are_written(language: Language) -> None:
    texts = [
        '["1", "12" ,"1234567890","12345678901","-1","01","1.5","1e3"," 1","","a1","0"]',
        '{"1":"2","a" : "3", "4" :{"5":"6"},"__proto__":"7","a\\"1":"\\"12","b":"\\\\","c":"8"}',
        '"9"',
        '"a\\"12\\"3"',
        '["\\u00001","\\u0000\\u000012","\\u0000","\\u0000a","\\u00001a","\\u000012345678901"]',
        '["\\u0031","\\u0000\\u0031","\\u00312\\u0033","\\u0000\\u003a","\\u003a","1\\u0000"]',
        '{"\\u00001":"1","\\u0000":"\\u00002"}',
        '["a,\\"12\\",\\"3\\":\\"4\\""]',
    ]
    for text in texts:
        shown = language.run("return JSON.stringify([JSON.parse(a), JSON.parse(a, (k, v) => v)])", text).text
        value = json.loads(text)

        assert json.loads(shown) == [value, value]


def test_a_text_with_digits_that_is_no_json_is_refused_in_the_engines_words(language: Language) -> None:
    outcomes = [language.run("return JSON.parse(a)", text).text for text in ('["1",]', '["1","2"3]', '["x",]')]

    assert outcomes[0] == outcomes[2].replace('"x"', '"1"')
    assert "position 8" in outcomes[1]


MEETING = 262_144
"""V8 hashes a text of digits by its number and takes the lowest bits: the table of all texts has no more places."""


@pytest.mark.parametrize(
    "use",
    [
        "const t = '[\"'.concat(l.join('\",\"'), '\"]'); for (let k = 0; k < 10; k++) JSON.parse(t);",
        "const t = '[\"\\\\u003'.concat(l.join('\",\"\\\\u003'), '\"]'); for (let k = 0; k < 10; k++) JSON.parse(t);",
        "for (let k = 0; k < 3; k++) for (const t of l) Symbol.for(t);",
    ],
    ids=["parsed", "parsed with escapes", "registered"],
)
def test_texts_of_digits_that_meet_take_no_longer_than_others(language: Language, use: str) -> None:
    made = "const l = []; for (let i = 0; i < 4000; i++) l.push(String(100139008 + i * {step}));"

    meeting, scattered = (seconds(language, made.replace("{step}", str(step)) + use) for step in (MEETING, MEETING - 1))

    assert meeting < 6 * scattered


HIDDEN = {
    "a property of a text": "t.x = 1",
    "a search in a text": "'x' in t",
    "a prototype": "Object.setPrototypeOf({}, t)",
    "a heritage": "(class extends t {})",
    "a step": "(function () { for (const x of { [Symbol.iterator]() { return { next() { return t } } } }); })()",
    "a tag": "(function () { Object.freeze(o).x = 1 })()",
}


@pytest.mark.parametrize("made", ["'a'.repeat(n)", "'a'.repeat(n - 1) + 'a'", "new Array(n + 1).join('a')"])
@pytest.mark.parametrize("error", HIDDEN)
def test_loops_pay_for_texts_in_errors_that_their_iterators_hide(language: Language, error: str, made: str) -> None:
    before = f"class F {{ static fail(t, o) {{ {HIDDEN[error]} }} }}"
    body = f"""
      const n = a; const t = {made};
      const o = {{ x: 1, __proto__: {{ [Symbol.toStringTag]: t }} }};
      const i = {{ [Symbol.iterator]() {{ return this }}, next() {{ return {{}} }}, return() {{ F.fail(t, o); }} }};
      function go(k) {{ for (const x of i) {{ if (k === 0) throw 'end'; go(k - 1); }} }}
      go(50);"""
    long, short = (language.run(body, units, before=before, limit=100_000_000) for units in (800_000, 100_000))

    assert {long.text, short.text} == {"Uncaught exception: end"}
    assert long.gas - short.gas > 50 * 800_000 // 8 - 2_000_000
