"""Logging: one JSON object per line on stderr, through the standard library's `logging`.

The message of a record is a constant event name (`worker_retired`); data goes into `extra`:

    log.info("worker_retired", extra={"worker_id": 3, "reason": "age"})

`bind(request_id=...)` adds fields to every line of the current task or thread. INFO is for changes of the process,
WARNING for what someone should look at, ERROR for a bug or data at risk.
"""

import contextlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TextIO

_NOTHING: Mapping[str, object] = MappingProxyType({})
_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default=_NOTHING)

# What every LogRecord has: everything else in it came from `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@contextlib.contextmanager
def bind(**values: object) -> Iterator[None]:
    """Adds fields to every event logged inside the block, by this task or thread."""
    token = _context.set({**_context.get(), **values})
    try:
        yield
    finally:
        _context.reset(token)


def _plain(value: object) -> object:
    """Makes JSON of what JSON lacks: bytes as hexadecimal, anything else as its text."""
    return value.hex() if isinstance(value, bytes) else str(value)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line: time (UTC), level, service, event, logger, context, extra fields, exception."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, without newline."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "event": record.getMessage(),
            "logger": record.name,
            **_context.get(),
        }
        line.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=_plain, ensure_ascii=False)


class LostCallers(logging.Filter):
    """Leaves out what gRPC logs when it sends to a caller that is gone.

    A caller that gives up, or whose deadline passes, while its answer is on the way makes the send fail. gRPC logs that
    with a trace, unless it has noticed the end of the call before. Nothing is wrong, and nothing can be done.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether a record is to be logged."""
        kind = record.exc_info[0] if record.exc_info else None
        return kind is None or kind.__name__ != "ExecuteBatchError"


def setup(service: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Sends all logging of this process, warnings included, to one stream as JSON lines.

    Args:
        service: value of the field `service`.
        level: least severe level to log.
        stream: where to write; None means stderr.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    handler.addFilter(LostCallers())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
