"""Every example of docs/traps.md has the outcome that the page states."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.language import Language

PAGE = Path(__file__).parents[4] / "docs/traps.md"
EXAMPLE = re.compile(r"```js\n(?P<body>.*?)\n```\n\n(?P<kind>refused|error|result): `(?P<text>[^`]*)`", re.DOTALL)


class Example(NamedTuple):
    """One example of the page."""

    body: str
    kind: str
    text: str


def examples() -> list[Example]:
    return [Example(match["body"], match["kind"], match["text"]) for match in EXAMPLE.finditer(PAGE.read_text("utf-8"))]


def test_every_code_block_of_the_page_is_an_example() -> None:
    assert len(examples()) == PAGE.read_text("utf-8").count("```js") > 15


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.body.split("\n")[-1][:40])
def test_an_example_ends_as_the_page_says(language: Language, example: Example) -> None:
    outcome = language.run(example.body)
    if example.kind == "result":
        assert (outcome.ok, outcome.text) == (True, example.text)
    elif example.kind == "error":
        assert (outcome.ok, outcome.gas > 0) == (False, True)
        assert outcome.text.removeprefix("Uncaught exception: ") == example.text
    else:
        assert (outcome.ok, outcome.gas) == (False, 0)
        assert example.text in outcome.text
