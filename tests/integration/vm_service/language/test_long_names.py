"""Names and texts that a source spells: none that V8 hashes by its length alone is published, or stands in an image."""

import json
import re

import pytest

from tests.support.language import Language, contract

MOST = 16_383
ABI = json.dumps({"lang": "javascript", "version": "1.0.0", "abi": [{"name": "m", "args": ["string", "string"]}]})

SPELLED = {
    "a variable": ("let NAME = 1;", 13),
    "a variable that is not declared": ("NAME = 1;", 9),
    "a name that nothing has": ("typeof NAME;", 16),
    "a parameter": ("(function (NAME) {})();", 20),
    "a function": ("function NAME() {}", 18),
    "a class": ("class NAME {}", 15),
    "a label": ("NAME: for (;;) { break NAME; }", 9),
    "a property that is read": ("a.NAME;", 11),
    "a property that is written": ("a.NAME = 1;", 11),
    "a property of a literal": ("({ NAME: 1 });", 12),
    "a short property": ("({ NAME });", 12),
    "a method": ("class M { NAME() {} }", 19),
    "a getter": ("({ get NAME() { return 1; } });", 16),
    "a quoted property of a literal": ("({ 'NAME': 1 });", 12),
    "a quoted method": ("class M { 'NAME'() {} }", 19),
    "a quoted key that is read": ("a['NAME'];", 11),
    "a quoted key that is written": ("a['NAME'] = 1;", 11),
    "a quoted key that is deleted": ("delete a['NAME'];", 18),
    "a quoted key that is counted": ("a['NAME']++;", 11),
    "a quoted key of super": ("class M { m() { super['NAME']; } }", 31),
    "a computed key of a literal": ("({ ['NAME']: 1 });", 13),
    "a name that `in` asks for": ("'NAME' in a;", 9),
    "an escaped name": ("a.\\u0061NAME;", 11),
}


def source(body: str, name: str) -> str:
    return contract(f"\n        {body.replace('NAME', name)}\n    ")


def name_of(use: str, units: int) -> str:
    return "n" * (units - ("\\u0061" in SPELLED[use][0]))


@pytest.mark.parametrize("use", SPELLED)
def test_a_spelled_name_of_more_than_16383_units_is_not_published(language: Language, use: str) -> None:
    body, _ = SPELLED[use]
    longest = language.compiler.compile(source(body, name_of(use, MOST)), ABI, True)
    longer = language.compiler.compile(source(body, name_of(use, MOST + 1)), ABI, True)

    assert longest.error is None
    assert longer.error == "validate code error: , result: RangeError: Line 3: a name has more than 16383 units"


@pytest.mark.parametrize("abi", [ABI, ""], ids=["with an ABI", "with a derived ABI"])
@pytest.mark.parametrize("use", SPELLED)
def test_an_author_is_told_where_the_long_name_stands(language: Language, use: str, abi: str) -> None:
    body, column = SPELLED[use]

    assert language.compiler.inspect(source(body, name_of(use, MOST + 1)), abi).place == (3, column - 1)


STORED = "const o = {NAME: 1, m() { return 2; }}; o.NAME++; return o.NAME + o['NAME'] + ('NAME' in o ? o.m() : 0);"


def test_a_stored_contract_with_long_names_runs_as_ever(language: Language) -> None:
    short, long = (language.call(source(STORED, "n" * units)) for units in (60, 20_000))

    assert (short.text, long.text) == ("6", "6")


TEXTS = {
    "an argument": "a['push']('NAME');",
    "a variable": "const t = 'NAME';",
    "a value of a literal": "({ t: 'NAME' });",
    "a template": "const t = `NAME`;",
    "a text for a tag": "(function (t) {})`NAME`;",
    "a compared text": "if (a === 'NAME') return 1;",
    "a case": "switch (a) { case 'NAME': return 1; }",
}


@pytest.mark.parametrize("use", TEXTS)
def test_an_image_holds_no_text_that_the_engine_hashes_by_its_length(language: Language, use: str) -> None:
    compiled = language.compiler.compile(source(TEXTS[use], "t" * 20_000), ABI, True)
    units = [len(found) for found in re.findall("t+", compiled.image)]

    assert compiled.error is None
    assert max(units) == MOST
    assert sum(found for found in units if found > 100) % 20_000 == 0, "cooked and raw for a tag"


@pytest.mark.parametrize("text", ["ab" * 10_000, "\\u0416" * 8_000 + "x" * 9_000, "x" * 16_382 + "\\ud83d\\ude00y"])
def test_a_long_text_is_what_its_literal_says(language: Language, text: str) -> None:
    spelled = json.loads(f'"{text}"')
    made = f"['{text}', `{text}`, (function (l) {{ return l[0]; }})`{text}`]"
    outcome = language.run(f"return {made}.map((t) => t === a && t.length === a.length)", spelled, limit=50_000_000)

    assert json.loads(outcome.text) == [True, True, True]


AS_NAMES = {
    "read": "o[t]",
    "written": "o[t] = 1",
    "deleted": "delete o[t]",
    "asked by `in`": "t in o",
    "of a literal": "({ [t]: 1 })",
    "of a template": "o[`NAME`]",
    "of a choice": "o[a ? 'x' : 'NAME']",
    "of a sum": "o['NAME' + '']",
    "of a symbol": "Symbol.for('NAME')",
    "of a module": "require('NAME')",
    "defined": "Object.defineProperty(o, 'NAME', { value: 1 })",
    "of a called method": "blockchain.call('c', 'NAME', [])",
}


@pytest.mark.parametrize("use", AS_NAMES)
def test_a_spelled_text_that_becomes_a_name_is_refused_when_it_does(language: Language, use: str) -> None:
    code = source(f"const o = {{}}; const t = 'NAME'; {AS_NAMES[use]};", "n" * (MOST + 1))

    assert language.compiler.compile(code, ABI, True).error is None
    assert language.call(code).text == "Uncaught exception: RangeError: a name has more than 16383 units"
