"""Settings of the VM service that are found out, and those that contradict each other."""

from pathlib import Path

import pytest

from vm_service.config import VmConfig, cpu_count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("400000 100000\n", 4),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        ("1000 100000\n", 1),
        ("max 100000\n", 7),
        ("", 7),
        ("400000\n", 7),
        ("400000 0\n", 7),
        ("\u00fc", 7),
    ],
)
def test_workers_follow_the_quota_of_the_cgroup(tmp_path: Path, text: str, count: int) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    assert cpu_count(quota, fallback=7) == count


def test_without_a_cgroup_the_fallback_counts(tmp_path: Path) -> None:
    assert cpu_count(tmp_path / "absent", fallback=3) == 3
    assert cpu_count(tmp_path, fallback=0) == 1


def test_a_maximum_below_the_minimum_is_refused() -> None:
    with pytest.raises(ValueError, match="worker_count_max=2 is below worker_count_min=3"):
        VmConfig(worker_count_min=3, worker_count_max=2)
