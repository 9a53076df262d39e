"""Work and memory of the compiler at the size limit of a source."""

from collections.abc import Iterator

import pytest

from tests.integration.vm_service.language.test_compiler_work import MAX_STEPS_PER_CHAR, steps_per_char
from tests.support.counted_steps import CountingCompiler
from tests.support.growing_sources import MAX_SOURCE_CHARS, SHAPES, source
from vm_service.model import Limits, Need
from vm_service.worker.compile_stage import CompileStage

LARGE_IN_MEMORY = ("comparisons", "operator assignments", "arrow functions of expressions", "statements", "conditions")


@pytest.fixture(scope="module")
def counting() -> Iterator[CountingCompiler]:
    with CountingCompiler() as compiler:
        yield compiler


@pytest.mark.timeout(60)
@pytest.mark.parametrize("shape", SHAPES)
def test_work_at_the_size_limit(counting: CountingCompiler, shape: str) -> None:
    assert max(steps_per_char(counting, shape, MAX_SOURCE_CHARS)) < MAX_STEPS_PER_CHAR


@pytest.mark.timeout(120)
def test_memory_of_earlier_sources_ends_no_later_one() -> None:
    """With room for each source but not for the garbage of several."""
    stage = CompileStage(Limits(heap_bytes=84 << 20))
    try:
        for number in range(33):
            shape = LARGE_IN_MEMORY[number % len(LARGE_IN_MEMORY)]
            assert stage.compile(Need("", source(shape, MAX_SOURCE_CHARS - number))).error is None
    finally:
        stage.close()
