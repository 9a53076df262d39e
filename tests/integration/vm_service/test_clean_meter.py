"""A batch begins with a clean meter, or the isolate is given up."""

from unittest.mock import patch

import pytest

from tests.support.bare_runner import bare_batch
from tests.support.memory_state import MemoryState
from vm_service import runtime
from vm_service.sandbox.isolate import BrokenError
from vm_service.worker.executor import Executor

SOURCE = "class C { init() {} run() { return 1; } }\nmodule.exports = C;"


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("      meter.running--;\n", ""),
        ("      meter.depth = saved.depth;\n", ""),
        ("      meter.depth = saved.depth;\n", "      meter.depth = saved.depth - 1;\n"),
    ],
    ids=["a call is still counted", "depth is left", "depth is lacking"],
)
def test_what_an_earlier_batch_has_left_running_breaks_the_isolate(line: str, other: str) -> None:
    sources = runtime.execution_sources()
    edited = tuple((name, text.replace(line, other)) for name, text in sources)
    assert edited != sources
    with patch.object(runtime, "execution_sources", lambda: edited), Executor(MemoryState()) as executor:
        batch = bare_batch(SOURCE, 1_000_000)
        executor.drop(executor.run(batch))
        with pytest.raises(BrokenError):
            executor.run(batch)

        assert executor.condemned
