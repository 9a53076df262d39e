"""What a contract can reach: only what the permits name, all of it frozen, and nothing of another call."""

import json

import pytest

from tests.support.language import Language, contract


def test_everything_reachable_is_frozen_and_permitted(language: Language) -> None:
    report = json.loads(language.isolate.evaluate("V8VM.walk()"))

    assert report["faults"] == []
    assert report["count"] > 300


REMOVED = """
    Boolean Date RegExp Map Set WeakMap WeakSet Promise Proxy Reflect Function ArrayBuffer
    SharedArrayBuffer DataView Atomics Intl WebAssembly Int8Array Float64Array BigInt64Array EvalError
    RangeError TypeError parseInt parseFloat decodeURI escape unescape IOSTBlockchain IOSTStorage
    _IOSTCrypto _native_log _native_run _native_require _cLog
"""


@pytest.mark.parametrize("name", REMOVED.split())
def test_removed_globals_are_null(language: Language, name: str) -> None:
    assert language.run(f"return {name} === null").text == "true"


@pytest.mark.parametrize("name", ["globalThis", "window", "WeakRef", "Temporal", "BigInt", "Iterator"])
def test_globals_of_other_engines_do_not_exist(language: Language, name: str) -> None:
    assert language.run(f"return typeof {name}").text == "undefined"
    assert language.run(f"return {name}").text == f"Uncaught exception: ReferenceError: {name} is not defined"


@pytest.mark.parametrize(
    "body",
    [
        "return (() => {}).constructor('return 1')()",
        "return [].constructor.constructor('return 1')()",
        "return storage.get.constructor('return 1')()",
        "function* g() {} return g.constructor('yield 1')()",
        "return eval('1')",
        "const e = eval; return e.call(null, 'this')",
    ],
)
def test_text_never_becomes_code(language: Language, body: str) -> None:
    message = "Uncaught exception: EvalError: Code generation from strings disallowed for this context"
    assert language.run(body).text == message


@pytest.mark.parametrize(
    "body",
    [
        "Object.prototype.x = 1",
        "Array.prototype.push = function () {}",
        "delete Array.prototype.push",
        "Math.floor = () => 7",
        "JSON.x = 1",
        "({}).__proto__.x = 1",
        "function* g() {} Object.getPrototypeOf(g()).__proto__.x = 1",
        "BigNumber.prototype.plus = 1",
        "Int64.prototype.plus = 1",
        "blockchain.requireAuth = () => true",
        "Object.setPrototypeOf(Object.prototype, {})",
        "storage.put.x = 1",
        "Error.stackTraceLimit = 10",
        "(() => 1).call.x = 1",
        "(() => 1).apply.x = 1",
        "(() => 1).toString.x = 1",
        "({}).hasOwnProperty.x = 1",
        "[].toString.x = 1",
        "new Error('e').toString.x = 1",
        "(function* () {})().next.x = 1",
    ],
)
def test_shared_objects_cannot_be_changed(language: Language, body: str) -> None:
    outcome = language.run(body)

    assert not outcome.ok
    assert outcome.text.startswith("Uncaught exception: TypeError: ")


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("this.toString = () => 'own'; return '' + this", "own"),
        ("const o = {}; o.constructor = 5; return o", '{"constructor":5}'),
        ("const e = new Error('a'); e.message = 'b'; e.name = 'N'; return String(e)", "N: b"),
        ("const l = [1]; l.toString = () => 'l'; return '' + l", "l"),
        ("const f = function () {}; f.call = 3; return f.call", "3"),
        ("class B { constructor() { this.valueOf = () => 4 } } return new B() * 2", "8"),
        ("const o = Object.create({}); o.hasOwnProperty = 1; return Object.keys(o)", '["hasOwnProperty"]'),
        ("storage.put = () => 7; return storage.put('k', 'v')", "7"),
    ],
)
def test_own_objects_may_override_inherited_names(language: Language, body: str, result: str) -> None:
    assert language.run(body).text == result


def test_nothing_of_a_call_reaches_the_next_one(language: Language) -> None:
    source = contract(
        "storage.put = null; module.exports.kept = 1; seen = 1; list.push(1); return [list.length, typeof seen]",
        before="const list = []; let seen;",
    )

    assert [language.call(source).text for _ in range(2)] == ['[1,"number"]'] * 2


def test_sloppy_functions_see_no_global_object(language: Language) -> None:
    assert language.run("return f() === undefined", before="function f() { return this; }").text == "true"


def test_names_that_sloppy_code_assigns_belong_to_the_call(language: Language) -> None:
    before = "function f() { counter = 1; for (step = 0; step < 3; step++) counter += step; return counter; }"

    assert language.run("return f() + counter + step", before=before).text == "11"
    assert language.run("return counter", before=before).text.endswith("ReferenceError: counter is not defined")
    assert language.run("counter = 2", before=before).text.endswith("ReferenceError: counter is not defined")


def test_symbols_of_the_registry_end_with_the_call(language: Language) -> None:
    assert language.run("return Symbol.for('a') === Symbol.for('a')").text == "true"
    assert language.run("return Symbol.keyFor(Symbol.for('b'))").text == "b"


@pytest.mark.parametrize("body", ["return new Error('x').stack", "return String(new Error('x').stack)"])
def test_errors_show_no_stack(language: Language, body: str) -> None:
    assert language.run(body).text == "Error: x"


def test_texts_of_functions_are_masked(language: Language) -> None:
    assert language.run("return this.m.toString()").text == "function m() { [native code] }"
    assert language.run("return '' + storage.get").text == "function get() { [native code] }"
