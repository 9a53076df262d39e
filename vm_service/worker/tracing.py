"""Traces failures: runs items of a batch once more on images that know their source.

A traced run never decides anything: its results are dropped, and only the places of its failures are kept, if it ended
with the same status as the run that counts. So an outcome does not depend on whether a trace was asked for.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chassis.errors import RemoteError
from iost.vm.v1 import execution_service_pb2 as execution_pb
from vm_service.compiler.pipeline import TracedImage
from vm_service.model import Batch, BatchResult, Failed, FailedFrame, Mode
from vm_service.sandbox.load_vm import HostError
from vm_service.worker.executor import Executor

MAX_TRACED = 8
"""Items of one request that are traced, the first that failed: each takes a run and compiles its contracts anew."""

MAX_FRAMES = 64
"""Frames of one failure: enough for five contracts, of which one runs in a recursion."""

MAX_LINE_CHARS = 200
"""Characters of a source line that are shown."""

_LINE_ENDS = re.compile(r"\r\n|[\n\r\u2028\u2029]")

log = logging.getLogger(__name__)


Outcome = execution_pb.TransactionOutcome | execution_pb.CallOutcome


def add_places(executor: Executor, batch: Batch, result: BatchResult, outcomes: Sequence[Outcome]) -> None:
    """Adds lines and columns to the failures of outcomes.

    REQUIRES: the result was dropped; the outcomes are those of its items, in order.

    Raises:
        HostError, IsolateError: as `Executor.run`.
    """
    failed = [place for place, item in enumerate(result.results) if item.failure is not None]
    if failed:
        for place, failure in _traced(executor, batch, result, failed[:MAX_TRACED]).items():
            outcomes[place].failure.CopyFrom(failure)


def _traced(
    executor: Executor, batch: Batch, result: BatchResult, places: Sequence[int]
) -> Mapping[int, execution_pb.Failure]:
    again, indexes = _selected(batch, result, places)
    try:
        traced = executor.run(again)
    except HostError as error:
        if not (isinstance(error.__cause__, RemoteError) and error.__cause__.reason == "VERSION_UNAVAILABLE"):
            raise
        executor.take_traced()
        log.info("trace_without_view", extra={"version": result.view.version})
        return {}
    executor.drop(traced)
    images = executor.take_traced()
    found = {}
    for place, index in zip(places, indexes, strict=True):
        item = traced.results[index]
        if item.failure is not None and item.status == result.results[place].status:
            found[place] = _shown(item.failure, images)
    return found


def _selected(batch: Batch, result: BatchResult, places: Sequence[int]) -> tuple[Batch, Sequence[int]]:
    """Returns the batch to run, and the indexes of the wanted items in it.

    A dry run needs what stands before the last of them; elsewhere each item runs alone.
    """
    if batch.mode is Mode.DRY:
        end = places[-1] + 1
        chosen, indexes = list(range(end)), list(places)
    else:
        chosen, indexes = list(places), list(range(len(places)))
    again = replace(
        batch,
        block=lambda *_: result.block,
        transactions=[batch.transactions[place] for place in chosen] if batch.transactions else (),
        calls=[batch.calls[place] for place in chosen] if batch.calls else (),
        at=result.view,
        hashes=(),
        place=None,
        traced=indexes,
    )
    return again, indexes


def _shown(failure: Failed, images: Mapping[str, TracedImage]) -> execution_pb.Failure:
    frames = [frame for method in failure.frames for frame in _frames(method, images)]
    return execution_pb.Failure(frames=frames[:MAX_FRAMES], thrown_json=failure.thrown)


def _frames(method: FailedFrame, images: Mapping[str, TracedImage]) -> list[execution_pb.FailureFrame]:
    located = []
    for script, offset, name in method.sites:
        image = images.get(script)
        line, column = image.place(offset) if image is not None else (0, 0)
        if image is None or line == 0:
            continue
        frame = execution_pb.FailureFrame(
            contract=method.contract, action_name=method.action, function_name=_name(name), line=line
        )
        frame.column, frame.source_line = place_in_line(image.source, line, column)
        located.append(frame)
    return located or [execution_pb.FailureFrame(contract=method.contract, action_name=method.action)]


def _name(name: str) -> str:
    return name.removeprefix("_IOST$own_")


def place_in_line(source: str, line: int, column: int) -> tuple[int, str]:
    """Returns the column in characters from 1, and the text of a line, cut to what is shown.

    Args:
        source: the author's text.
        line: its line, from 1.
        column: UTF-16 units before the place in the line.
    """
    lines = _LINE_ENDS.split(source)
    text = lines[line - 1] if line <= len(lines) else ""
    before = text.encode("utf-16-le", "surrogatepass")[: 2 * column].decode("utf-16-le", "replace")
    return len(before) + 1, text.encode("utf-8", "replace").decode()[:MAX_LINE_CHARS]
