"""The work of the compiler grows with the size of a source and not faster, whatever its shape. Work is counted."""

from collections.abc import Iterator

import pytest

from tests.support.counted_steps import CountingCompiler
from tests.support.growing_sources import SHAPES, source

MAX_STEPS_PER_CHAR = 700
"""The dearest shapes take 450."""

MAX_GROWTH = 1.25
"""Largest ratio between the steps for a character of the large source and of the small one; linear work gives 1."""

COPYING = ("comments", "lines")
"""Shapes for which the parser copies its list of comments again and again: 0.1 s at the size limit. These are only held
to the steps for a character."""

SMALL_CHARS, LARGE_CHARS = 2_048, 16_384


@pytest.fixture(scope="module")
def counting() -> Iterator[CountingCompiler]:
    with CountingCompiler() as compiler:
        yield compiler


def steps_per_char(counting: CountingCompiler, shape: str, size_chars: int) -> tuple[float, float]:
    """Returns the steps for a character of compiling a source, and of generating its ABI."""
    text = source(shape, size_chars)
    counting.take_steps()
    error = counting.compiler.compile(text, "", False).error
    compiling = counting.take_steps()
    counting.compiler.generate_abi(text)
    assert error is None
    return compiling / len(text), counting.take_steps() / len(text)


@pytest.mark.parametrize("shape", SHAPES)
def test_work_is_linear(counting: CountingCompiler, shape: str) -> None:
    small = steps_per_char(counting, shape, SMALL_CHARS)
    large = steps_per_char(counting, shape, LARGE_CHARS)

    assert max(large) < MAX_STEPS_PER_CHAR
    if shape not in COPYING:
        assert all(most <= MAX_GROWTH * least for least, most in zip(small, large, strict=True)), (small, large)


def test_the_counter_sees_calls_loops_and_items() -> None:
    with CountingCompiler() as counting:
        counting.compiler.compile(source("statements", 2_000), "", False)
        first = counting.take_steps()
        counting.compiler.compile(source("statements", 4_000), "", False)

        assert 1.9 < counting.take_steps() / first < 2.1
