"""Garbage of one call is no burden for the next: V8 counts it against the heap limit until it is collected."""

import contextlib
from pathlib import Path

import pytest

from tests.fault.attacks import load
from tests.support.bare_runner import BareRunner, bare_batch

TEXTS = Path(__file__).parent / "payloads" / "texts.json"
CALLS = 12
"""Each makes garbage of half of the heap limit: without a collection between them, one of the first calls
meets it."""

GAS_LIMIT = 4_000_000


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", ["text_name_of_an_accessor_named_by_a_symbol", "text_name_of_a_method_named_by_a_symbol"]
)
def test_calls_that_make_much_garbage_end_by_gas_on_a_used_executor(name: str) -> None:
    code = next(payload["code"] for payload in load(TEXTS) if payload["name"] == name)
    with contextlib.closing(BareRunner(60_000)) as runner:
        first = runner.executor()
        first.collect_garbage()
        heap_bytes = first.heap_bytes()
        for _ in range(CALLS):
            executor = runner.executor()
            result = executor.run(bare_batch(code, GAS_LIMIT))
            executor.drop(result)

            assert result.results[0].status is not None
            assert result.results[0].status.message == "out of gas"
            assert executor is first
        first.collect_garbage()

        assert first.heap_bytes() < 2 * heap_bytes + (4 << 20)
