"""One pair of isolates for the tests of a module: calls share nothing."""

from collections.abc import Iterator

import pytest

from tests.support.language import Language


@pytest.fixture(scope="module")
def language() -> Iterator[Language]:
    with Language() as language:
        yield language
