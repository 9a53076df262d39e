"""Starts the state service: configuration, then the life of a service process. `python -m state_service --help`."""

import gc
import sys

from chassis import lifecycle
from state_service.config import load
from state_service.metrics import METRICS
from state_service.service import Service

_COLLECT = (10_000, 20, 1000)
"""Thresholds of Python's cycle collector. A full collection looks at every cached entry (100 ms for half a million),
and there are next to no cycles to find: young ones are collected as ever, full ones hardly at all."""


def main() -> int:
    """Runs the service until it is stopped; returns the exit code of the process."""
    config = load()
    gc.set_threshold(*_COLLECT)
    service = Service(config)
    return lifecycle.run("state", config, start=service.start, stop=service.stop, metrics=METRICS)


if __name__ == "__main__":
    sys.exit(main())
