"""The compile stage: what it refuses in which words, what it writes, and what only shows in a call."""

import json

import pytest

from tests.support.language import Language, contract

EXPORT = "\nmodule.exports = A;"


def validated(language: Language, source: str, abi: list[dict[str, object]]) -> str | None:
    document = json.dumps({"lang": "javascript", "version": "1.0.0", "abi": abi})
    return language.compiler.compile(source, document, True).error


def entry(name: str, *args: str, **more: object) -> dict[str, object]:
    return {"name": name, "args": list(args), **more}


CHECKED = "validate code error: , result: Error: "
METHOD = f"class A {{ init() {{}} m(a) {{}} }}{EXPORT}"


@pytest.mark.parametrize(
    ("source", "abi", "message"),
    [
        ("", [], "empty source code."),
        ("module.exports = A;", [], "empty source code."),
        ("class A { init() {} }\nmodule.exports = new A();", [], "last expression must be"),
        (f"class A {{ init() {{}} }}{EXPORT};", [], "last expression must be"),
        ("class A { init() {} }\nmodule['exports'] = A;", [], "last expression must be"),
        ("class A { init() {} }\nmodule.exports = A, 1;", [], "last expression must be"),
        (f"const A = 1;{EXPORT}", [], "abi not match your source code."),
        (f"class A {{ m() {{}} }}{EXPORT}", [], "init not found!"),
        (
            f"class A {{ init() {{}} constructor() {{}} }}{EXPORT}",
            [],
            "smart contract class shouldn't contain constructor method!!",
        ),
        (METHOD, [entry("")], "abi name invalid. abi name length should be between 1,32  got "),
        (METHOD, [entry("x" * 33)], f"abi name invalid. abi name length should be between 1,32  got {'x' * 33}"),
        (METHOD, [entry("_m")], "abi name invalid. abi name shouldn't start with _"),
        (METHOD, [entry("m-n")], "abi name invalid. abi name contains invalid character -"),
        (METHOD, [entry("init")], "abi shouldn't contain internal function: init"),
        (METHOD, [entry("n", "string")], "abi not defined in source code: n"),
        (METHOD, [entry("m")], "args length not match: m"),
        (METHOD, [entry("m", "int")], 'args should be one of ["string", "bool", "number", "json"]'),
    ],
)
def test_contracts_that_do_not_fit_their_abi(
    language: Language, source: str, abi: list[dict[str, object]], message: str
) -> None:
    error = validated(language, source, abi)

    assert error is not None
    assert error.startswith(CHECKED + message)


def test_a_text_that_does_not_parse_is_refused_by_validation(language: Language) -> None:
    error = validated(language, f"class A {{ init() {{}} m() {{ return a?.b }} }}{EXPORT}", [entry("m")])

    assert error is not None
    assert error.startswith("validate code error: Uncaught exception: Error: Line 1: Unexpected token .\n")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("try { } catch (e) { }", "use of try catch is not supported"),
        ("try { } finally { }", "use of try catch is not supported"),
        ("return a.catch", "use of try catch is not supported"),
        ("return /x/", "use of RegularExpression is not allowed.undefined"),
        ("return { async: 1 }", "use of async or await is not supported"),
        ("let await = 1", "use of async or await is not supported"),
        ("_IOSTBinaryOp(1, 2, '+')", "use of _IOSTInstruction_counter or _IOSTBinaryOp keyword is not allowed"),
        ("const _IOSTInstruction\\u005fcounter = 1", "use of _IOSTInstruction_counter or _IOSTBinaryOp keyword"),
        ("_IOST$meter.left = 1", "use of _IOSTInstruction_counter or _IOSTBinaryOp keyword is not allowed"),
        ("_IOST\\u0024stop()", "use of _IOSTInstruction_counter or _IOSTBinaryOp keyword is not allowed"),
        ("a.x <!-- b\n", "use of html comment is not supported"),
        ("return {...a}", "Line 2: Unexpected token ..."),
        ("return 1n", "Line 2: Unexpected token ILLEGAL"),
        ("let { x } = a", 'use of ArrayPattern or ObjectPattern is not allowed.{"type":"ObjectPattern","properties":['),
        (f"return {'(' * 300}1{')' * 300}", "source code is nested too deeply"),
        (f"return 1{' + 1' * 5000}", "source code is nested too deeply"),
    ],
)
def test_refused_code(language: Language, body: str, message: str) -> None:
    error = language.install(contract(body)).error

    assert error is not None
    assert error.startswith(f"Uncaught exception: Error: {message}")


def test_a_quoted_reserved_word_passes(language: Language) -> None:
    assert language.run("return a['try'] + '_IOSTBinaryOp'", {"try": 1}).text == "1_IOSTBinaryOp"


def test_with_is_refused(language: Language) -> None:
    assert language.install(contract("", before="function f(o) { with (o) { return x; } }")).error is not None


REFERENCE = """\
_IOSTInstruction_counter.incr(156);class A {
    init() {
    }
    m(a, b) {
        if (_IOSTInstruction_counter.incr(6.1),_IOSTBinaryOp(a, 1, '>'))
            {_IOSTInstruction_counter.incr(9.1);a = _IOSTBinaryOp(a, 1, '+');}
        else {if (b) {
            _IOSTInstruction_counter.incr(4);b.length;
        }}
        _IOSTInstruction_counter.incr(3);for (let i = 0; _IOSTInstruction_counter.incr(6.1),_IOSTBinaryOp(i, 3, '<'); \
_IOSTInstruction_counter.incr(3),i++)
            {_IOSTInstruction_counter.incr(5);f();}
        _IOSTInstruction_counter.incr(3);return (b) ? (_IOSTInstruction_counter.incr(3),\
x => function(){_IOSTInstruction_counter.incr(6.1);return _IOSTBinaryOp(x, 2, '*')}()) : \
(_IOSTInstruction_counter.incr(4),_IOSTTemplateTag`a${ b }`);
    }
}
_IOSTInstruction_counter.incr(7);module.exports = A;"""


def test_the_reference_form(language: Language) -> None:
    body = (
        "if (a > 1) a += 1; else if (b) { b.length } for (let i = 0; i < 3; i++) f(); return b ? x => x * 2 : `a${b}`"
    )
    compiled = language.install(contract(body))

    assert compiled.reference == REFERENCE
    assert compiled.code_bytes == len(compiled.reference)


def test_bytes_of_the_reference_form_are_utf8(language: Language) -> None:
    compiled = language.install(contract("return 'é中\\ud83d\\ude00'"))

    assert compiled.code_bytes == len(compiled.reference.encode())


def test_public_methods_in_source_order(language: Language) -> None:
    source = f"class A {{ init() {{}} b() {{}} _c() {{}} static a() {{}} get d() {{ return 1 }} }}{EXPORT}"

    assert language.install(source).methods == ("b", "a", "d")


REDECLARED = """
    obj rs tx block blockInfo txInfo storage blockchain console require module BigNumber Int64 Float64
    MaxInt64 MinInt64 MaxFloat64 MinFloat64 IOSTCrypto Console format formatWithOptions emptyOptions
"""


@pytest.mark.parametrize("name", REDECLARED.split())
@pytest.mark.parametrize("form", ["const {} = 1;", "function {}() {{}}", "class {} {{}}", "var {};"])
def test_names_of_the_call_cannot_be_declared(language: Language, name: str, form: str) -> None:
    outcome = language.run("", before=form.format(name))

    assert outcome.text == f"Uncaught exception: SyntaxError: Identifier '{name}' has already been declared"
    assert outcome.gas == 0


@pytest.mark.parametrize("before", ["let Object = 1;", "class Map {}", "const parseInt = 1;", "var Date = 1;"])
def test_other_names_of_the_runtime_may_be_declared(language: Language, before: str) -> None:
    assert language.run("return 'fine'", before=before).text == "fine"


@pytest.mark.parametrize(
    ("body", "message", "gas"),
    [
        ("let x = 1; let x = 2", "Identifier 'x' has already been declared", 163),
        ("let a = 1", "Identifier 'a' has already been declared", 163),
        ("const f = () => super.x", "'super' keyword unexpected here", 0),
    ],
)
def test_errors_that_the_engine_finds_while_it_reads(language: Language, body: str, message: str, gas: int) -> None:
    outcome = language.run(body)

    assert outcome.text == f"Uncaught exception: SyntaxError: {message}"
    assert outcome.gas == gas


def test_a_label_with_a_charge_behind_it_is_lost(language: Language) -> None:
    lost = "label: for (let i = 0; i < 3; i++) { for (;;) { continue label } }"

    assert language.run(lost).text == "Uncaught exception: SyntaxError: Undefined label 'label'"
    assert language.run(lost).gas == 163, "it shows when the method is called, after the top level ran"
    assert language.run(f"return 'fine'; function unused() {{ {lost} }}").text == "fine"
    assert language.run("label: while (true) { for (;;) { break label } } return 'kept'").text == "kept"
    assert language.run("label: { if (true) break label; return 'no' } return 'kept'").text == "kept"


def test_nul_in_source_text_becomes_an_escape(language: Language) -> None:
    assert language.run("return 'a\0b'.length").text == "3"


@pytest.mark.parametrize(
    ("before", "result"),
    [
        ("function f() { if (true) { function g() { return 'inner' } } return g() }", "inner"),
        ("function f(package, interface) { let static = 'sloppy'; return static }", "sloppy"),
        ("function f() { return delete f }", "false"),
        ("function f() { return 010 + '\\101' }", "8A"),
    ],
)
def test_code_outside_classes_is_sloppy(language: Language, before: str, result: str) -> None:
    assert language.run("return f()", before=before).text == result


def test_raw_code_is_neither_checked_nor_charged(language: Language) -> None:
    source = (
        "var A = function () {}; module.exports = A;"
        " A.prototype.m = function (x) { try { null.x } catch (e) { return x == '5' } };"
    )

    outcome = language.call(source, [5], raw=True)

    assert (outcome.text, outcome.gas) == ("true", 0)
    assert language.install(source, raw=True).key != language.install(contract("")).key


def test_raw_code_reaches_no_global_either(language: Language) -> None:
    source = "class A { m() { return typeof globalThis + typeof V8VM + Promise } }\nmodule.exports = A;"

    assert language.call(source, raw=True).text == "undefinedundefinednull"


def test_equal_sources_have_equal_keys(language: Language) -> None:
    one, two = (language.install(contract("return 1")) for _ in range(2))

    assert (one.key, one.image) == (two.key, two.image)
    assert language.install(contract("return 2")).key != one.key
