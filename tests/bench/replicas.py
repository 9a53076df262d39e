"""What a second VM service on the same state gives: calls per second of two over those of one.

- `replicas_2_over_1_shared`: 16 callers, 4 accounts, 6 contracts, so that every batch meets others;
- `replicas_2_over_1_separate`: 64 callers with an account and a contract each.

Both chains run at the same time and take the load in turns, so that the machine is the same for both. On two cores the
aim is 0.9: there is nothing left to gain, and little to lose. Each VM service has one worker.
"""

import json
import tempfile
from pathlib import Path

from tests.support.replicas import SEPARATE, SHARED, running

ROUNDS = 5
SECONDS = 3.0
"""Time of a round, after contracts are published and warm."""

LOADS = {"shared": SHARED, "separate": SEPARATE}


def run(rounds: int = ROUNDS) -> dict[str, float]:
    """Runs both chains, loads them in turns, stops them; returns the figures by name."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "one", 1) as one,
        running(Path(folder) / "two", 2) as two,
    ):
        rates = {(name, count): 0.0 for name in LOADS for count in (1, 2)}
        for _ in range(rounds):
            for name, load in LOADS.items():
                for count, replicas in ((1, one), (2, two)):
                    report = replicas.run(load, SECONDS)
                    if report.refusals or report.failures:
                        raise RuntimeError(f"calls were refused: {report.refusals}, {report.failures[:1]}")
                    rates[name, count] += report.rate / rounds
        figures = {f"replicas_{count}_{name}_tx_per_s": round(rate) for (name, count), rate in rates.items()}
        ratios = {f"replicas_2_over_1_{name}": round(rates[name, 2] / rates[name, 1], 3) for name in LOADS}
        return {**figures, **ratios}


if __name__ == "__main__":
    print(json.dumps(run()))
