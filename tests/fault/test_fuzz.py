"""Random programs: the short form of `python -m tests.fault.fuzz`, with seeds of its own."""

from collections import Counter

import pytest

from tests.fault.fuzz import RULES, run_programs

SEEDS = range(1_000_000, 1_000_400)
JOBS = 2


@pytest.mark.timeout(180)
def test_random_programs_end_by_the_rules_and_alike_on_every_engine() -> None:
    kinds: Counter[str] = Counter()
    findings = [str(finding) for finding in run_programs(SEEDS, JOBS, kinds) if finding is not None]

    assert findings == []
    assert set(kinds) == set(RULES)
    assert kinds.total() == len(SEEDS)
