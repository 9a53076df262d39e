"""Regular expressions for `search`: what is taken gives what the engine gives; what runs away is refused or paid."""

import json
import random
from collections.abc import Iterator

import pytest

from tests.support.language import Language
from vm_service.sandbox.isolate import Isolate

PATTERNS = 600
GAS_LIMIT = 100_000_000
ATOMS = (
    "a",
    "b",
    "c",
    ".",
    "[ab]",
    "[^a]",
    "\\w",
    "\\B",
    "^",
    "$",
    "(?=a)",
    "(?!b)",
    "(?<=a)",
    "(ab)",
    "(?:bc)",
    "(?<n>a)",
)
SIGNS = ("", "", "", "*", "+", "?", "*?", "{2}", "{1,3}", "{0,}", "{,2}", "{")
REFUSED = "Uncaught exception: Error: String.prototype.search of this regular expression is not supported"

HANGS = {
    "a repeated repeat": ("'a'.repeat(40)", "'(a+)+$'"),
    "a repeated choice": ("'a'.repeat(40)", "'(?:a|a)*b'"),
    "a repeated named group": ("'a'.repeat(40)", "'(?<n>a*)*b'"),
    "a repeated look-ahead": ("'a'.repeat(40)", "'(?:(?=a*)a)*b'"),
    "a repeat in a counted group": ("'a'.repeat(40)", "'(?:a?){50}b'"),
    "backward references": ("'a'.repeat(40)", "'(a*)(a*)\\\\1\\\\2b'"),
    "named references": ("'a'.repeat(40)", "'(?<n>a*)\\\\k<n>b'"),
    "many repeats": ("'a'.repeat(100)", "'a*'.repeat(8) + 'b'"),
    "many repeats and no text": ("''", "'a?'.repeat(400)"),
    "many counted repeats and no text": ("''", "'[ab]{7}'.repeat(90)"),
    "many choices": ("'a'.repeat(40)", "'(?:a|a)'.repeat(40) + 'b'"),
    "huge counts": ("'a'.repeat(40)", "'a{1,100000}'"),
    "properties": ("'a'", "'\\\\p{L}'"),
    "a long pattern": ("'a'", "'a'.repeat(1001) + '.'"),
}
"""A text and a pattern that may take the engine longer than anybody waits."""

DEAR = {
    "a long text": ("'a'.repeat(1000)", "'a*b'"),
    "two repeats": ("'a'.repeat(100)", "'a*a*b'"),
    "fourteen options": ("''", "'a?'.repeat(14)"),
    "a counted group of look-aheads": ("'a'.repeat(40)", "'(?:' + '(?=a)'.repeat(100) + '){100}b'"),
    "a long pattern": ("'a'", "'.'.repeat(1000)"),
}


@pytest.fixture(scope="module")
def plain() -> Iterator[Isolate]:
    with Isolate() as isolate:
        yield isolate


def test_random_patterns(language: Language, plain: Isolate) -> None:
    pick = random.Random(1)
    taken = 0
    for _ in range(PATTERNS):
        parts = "".join(pick.choice(ATOMS) + pick.choice(SIGNS) for _ in range(pick.randrange(1, 5)))
        pattern = parts if pick.random() < 0.7 else f"{parts}|{pick.choice(ATOMS)}"
        call = f"return {json.dumps(''.join(pick.choices('abc ', k=pick.randrange(12))))}.search({json.dumps(pattern)})"
        outcome = language.run(call)
        if outcome.text == REFUSED:
            continue
        taken += 1
        own = plain.evaluate(f"(() => {{ try {{ {call} }} catch (e) {{ return 'Uncaught exception: ' + e }} }})()")
        assert outcome.text == str(own), pattern
    assert taken > PATTERNS * 0.8


@pytest.mark.parametrize("name", HANGS)
def test_patterns_without_bounds_are_refused(language: Language, name: str) -> None:
    text, pattern = HANGS[name]

    assert language.run(f"return {text}.search({pattern})").text == REFUSED


@pytest.mark.parametrize("name", DEAR)
def test_patterns_pay_for_their_tries(language: Language, name: str) -> None:
    text, pattern = DEAR[name]
    outcome = language.run(
        f"let sum = 0; for (let i = 0; i < 10; i++) sum += {text}.search({pattern}); return sum", limit=GAS_LIMIT
    )

    assert outcome.ok, outcome.text
    assert outcome.gas > 100_000


def test_ordinary_patterns_cost_what_they_cost_in_the_reference(language: Language) -> None:
    call = "return ('user_' + a).search({0}) + 'user.name12'.search({1})"
    patterns = call.format("'^[a-z0-9_.]{5,11}$'", "'^[a-z]+[.][a-z0-9]*$'")
    texts = call.format(repr("a" * 19), repr("a" * 21))

    outcome = language.run(patterns, 7)
    assert (outcome.text, outcome.gas) == ("0", language.run(texts, 7).gas)
