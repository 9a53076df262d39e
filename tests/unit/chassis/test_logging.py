"""Logging: one JSON object per line, with context."""

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
from grpc._cython import cygrpc

from chassis import logging as chassis_logging


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    buffer = io.StringIO()
    chassis_logging.setup("test", "info", buffer)
    yield buffer
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = before, level


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_fields(stream: io.StringIO) -> None:
    logging.getLogger("a.b").info(
        "worker_retired", extra={"worker_id": 3, "tx_hash": b"\x01\xff", "text": "two\nlines"}
    )
    (line,) = lines(stream)
    assert line["event"] == "worker_retired"
    assert (line["service"], line["level"], line["logger"]) == ("test", "info", "a.b")
    assert (line["worker_id"], line["tx_hash"], line["text"]) == (3, "01ff", "two\nlines")


def test_a_send_to_a_caller_that_is_gone_is_no_event(stream: io.StringIO) -> None:
    grpc_log = logging.getLogger("grpc._cython.cygrpc")
    for error in (cygrpc.ExecuteBatchError("write", ()), RuntimeError("bug")):
        try:
            raise error
        except (cygrpc.ExecuteBatchError, RuntimeError):
            grpc_log.exception("raised by a method")
    (line,) = lines(stream)
    assert "RuntimeError" in str(line["exception"])


def test_events_below_the_level_are_left_out(stream: io.StringIO) -> None:
    logging.getLogger("a").debug("detail")
    assert lines(stream) == []


def test_bound_fields_are_in_every_line_of_the_block_and_only_there(stream: io.StringIO) -> None:
    log = logging.getLogger("a")
    with chassis_logging.bind(request_id="r1"):
        with chassis_logging.bind(tx_hash="t1"):
            log.info("inner")
        log.info("outer")
    log.info("after")
    inner, outer, after = lines(stream)
    assert (inner["request_id"], inner["tx_hash"]) == ("r1", "t1")
    assert "tx_hash" not in outer
    assert "request_id" not in after


async def test_tasks_do_not_see_the_context_of_each_other(stream: io.StringIO) -> None:
    async def work(name: str) -> None:
        with chassis_logging.bind(request_id=name):
            await asyncio.sleep(0)
            logging.getLogger("a").info("worked", extra={"mine": name})

    await asyncio.gather(*(work(str(number)) for number in range(5)))
    assert all(line["mine"] == line["request_id"] for line in lines(stream))


def test_an_exception_keeps_its_trace_inside_the_line(stream: io.StringIO) -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logging.getLogger("a").exception("failed")
    (line,) = lines(stream)
    assert "RuntimeError: broken" in str(line["exception"])


def test_a_warning_of_a_library_is_a_line_too(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        chassis_logging.setup("test", "info", stream)
        warnings.warn("old api", stacklevel=1)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
