"""The short form of the consistency check; the long one is `make test-long`."""

import asyncio
from pathlib import Path

import pytest

from tests.fault.consistency import run


@pytest.mark.timeout(180)
def test_concurrent_histories_under_faults_have_no_anomaly(tmp_path: Path) -> None:
    options = run.Options(seed=20, faults=run.SHORT, settle_s=1.0, hold_s=(1.0,))
    result = asyncio.run(run.play(tmp_path, options))
    assert result.passed, str(result)
