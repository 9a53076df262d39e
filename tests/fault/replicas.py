"""Two and three VM services on one state under contention and without: `python -m tests.fault.replicas --seconds 60`.

Both loads of `tests.support.replicas` run on each number of services. No call may end with an error, number and time of
the blocks must increase, and where every caller has an account and a contract of its own, each service must execute at
least 0.6 of its fair share. The last line says whether all of that was so; the exit code is 1 when it was not.
"""

import argparse
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from tests.support.replicas import SEPARATE, SHARED, Replicas, running

LEAST_SHARE = 0.6
COUNTS = (2, 3)


def problems(replicas: Replicas, seconds: float) -> list[str]:
    """Runs both loads; returns what went wrong."""
    found: list[str] = []
    for name, load, share in (("shared", SHARED, 0.0), ("separate", SEPARATE, LEAST_SHARE)):
        report = replicas.run(load, seconds)
        print(
            f"{len(replicas.vms)} services, {name}: {report.rate:.0f} calls/s, slowest {report.slowest_s:.2f} s, "
            f"shares {report.shares}, refused {dict(report.refusals)}",
            flush=True,
        )
        found += [f"{name}: {problem}" for problem in report.problems(share)]
    times = replicas.block_times()
    if not all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(times)):
        found.append("number and time do not strictly increase with the version")
    return found


def main() -> int:
    """Runs everything; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="time of each load")
    seconds = parser.parse_args().seconds
    found: list[str] = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder, running(Path(folder), count) as replicas:
            found += [f"{count} services, {problem}" for problem in problems(replicas, seconds)]
    print("\n".join([*found, "failed" if found else "all right"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
