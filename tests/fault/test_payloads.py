"""Hostile contracts in executors: every one is contained, and nothing of it is left."""

from pathlib import Path

import pytest

from tests.fault.attacks import load, run_payloads

PAYLOADS = Path(__file__).parent / "payloads"
JOBS = 2


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "count"),
    [("measured", 246), ("own", 188)],
    ids=["measured against raw V8", "found by looking at this runtime"],
)
def test_payloads_are_contained(name: str, count: int) -> None:
    verdicts = list(run_payloads(load(PAYLOADS / f"{name}.json"), JOBS))

    assert [str(verdict) for verdict in verdicts if not verdict.contained] == []
    assert len(verdicts) == count
