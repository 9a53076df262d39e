"""Runs a service whose life is bound to its parent's: `python -m gateway.demo.bound PARENT_PID MODULE [FLAGS]`.

Should the parent be killed before it could stop its services, the kernel asks them to stop (PR_SET_PDEATHSIG, Linux).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h; the setting outlives exec."""


def main(parent_pid: int, module: str, flags: list[str]) -> None:
    """Becomes the service: does not return unless the parent is gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent_pid:
        os.execv(sys.executable, [sys.executable, "-m", module, *flags])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
