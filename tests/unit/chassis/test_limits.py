"""What a process must be granted, and how it says what is missing."""

import resource
import threading

import pytest

from chassis import limits


@pytest.fixture
def descriptors(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Soft and hard limit of open files."""
    limit = [0, 0]
    real = resource.getrlimit
    fake = lambda kind: tuple(limit) if kind == resource.RLIMIT_NOFILE else real(kind)  # noqa: E731
    monkeypatch.setattr(resource, "getrlimit", fake)
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, wanted: limit.__setitem__(slice(None), list(wanted)))
    return limit


@pytest.mark.parametrize(
    ("soft", "hard", "after", "enough"),
    [
        (1024, 1 << 20, limits.WANTED_DESCRIPTORS, True),
        (64, 100, 100, True),
        (8192, 1 << 20, 8192, True),
        (20, 20, 20, False),
        (20, 63, 63, False),
    ],
)
def test_the_hard_limit_of_open_files_is_used_up_to_what_is_wanted(
    descriptors: list[int], soft: int, hard: int, after: int, enough: bool
) -> None:
    descriptors[:] = [soft, hard]
    told = limits.shortage()
    assert descriptors == [after, hard]
    assert (told == "") is enough
    assert enough or ("ulimit -n" in told and str(after) in told)


def test_threads_that_cannot_be_started_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    assert limits.shortage() == ""
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert "ulimit -u" in limits.shortage()
