"""Two VM services with two workers each on one state: no call loses, times increase, disjoint batches run once."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.support.replicas import Load, Replicas, running

pytestmark = pytest.mark.timeout(180)

SECONDS = 1.5
PATIENT = ("--place-patience-ms=10000", "--place-wait-ms=20000", "--place-limit-ms=20000")
"""No place is late, however busy the machine is."""

CONTENDING = Load(callers=8, accounts=2, contracts=3)
DISJOINT = Load(callers=8, accounts=8, contracts=8)


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    with running(tmp_path_factory.mktemp("replicas"), 2, workers=2, state_flags=PATIENT) as started:
        yield started


@pytest.mark.parametrize("gateways", [[0], [1, 2]], ids=["both behind a gateway", "a gateway each"])
def test_callers_that_contend_for_few_cells_see_no_conflict(replicas: Replicas, gateways: list[int]) -> None:
    report = replicas.run(CONTENDING, SECONDS, gateways=gateways)
    assert report.problems() == []
    assert report.calls >= CONTENDING.callers, "each caller was served"


def test_batches_on_disjoint_cells_all_run_once(replicas: Replicas) -> None:
    replicas.run(DISJOINT, 0.1)  # publishes and learns
    before = replicas.figures()
    report = replicas.run(DISJOINT, SECONDS)
    after = replicas.figures()
    assert report.problems(least_share=0.2) == []
    lost = {name: after[name] - before[name] for name in ("places_given_back_total", "places_late_total")}
    assert lost == {"places_given_back_total": 0, "places_late_total": 0}


def test_number_and_time_strictly_increase_with_the_version(replicas: Replicas) -> None:
    replicas.run(CONTENDING, 0.5)
    times = replicas.block_times()
    assert len(times) > 20
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(times))
