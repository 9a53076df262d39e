"""Starts the state service: configuration, then the life of a service process. `python -m state_service --help`."""

import sys

from chassis import lifecycle
from state_service.config import load
from state_service.metrics import METRICS
from state_service.service import Service


def main() -> int:
    """Runs the service until it is stopped; returns the exit code of the process."""
    config = load()
    service = Service(config)
    return lifecycle.run("state", config, start=service.start, stop=service.stop, metrics=METRICS)


if __name__ == "__main__":
    sys.exit(main())
