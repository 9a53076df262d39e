"""Work and memory of the compiler at the size limit of a source."""

from collections.abc import Iterator

import pytest

from tests.integration.vm_service.language.test_compiler_work import MAX_STEPS_PER_CHAR, steps_per_char
from tests.support.counted_steps import CountingCompiler
from tests.support.growing_sources import MAX_SOURCE_CHARS, SHAPES


@pytest.fixture(scope="module")
def counting() -> Iterator[CountingCompiler]:
    with CountingCompiler() as compiler:
        yield compiler


@pytest.mark.timeout(60)
@pytest.mark.parametrize("shape", SHAPES)
def test_work_at_the_size_limit(counting: CountingCompiler, shape: str) -> None:
    assert max(steps_per_char(counting, shape, MAX_SOURCE_CHARS)) < MAX_STEPS_PER_CHAR
