"""Starts the gateway: `python -m gateway`; `--help` shows every setting."""

import sys

from chassis import config, lifecycle
from gateway.config import GatewayConfig
from gateway.errors import DrainingError
from gateway.metrics import METRICS
from gateway.server import Gateway


def main() -> int:
    """Runs the process; returns its exit code."""
    settings = config.load(GatewayConfig, "gateway")
    gateway = Gateway(settings)
    return lifecycle.run(
        "gateway", settings, start=gateway.start, stop=gateway.stop, metrics=METRICS, draining=DrainingError
    )


if __name__ == "__main__":
    sys.exit(main())
