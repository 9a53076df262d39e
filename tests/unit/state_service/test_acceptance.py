"""Whether commits are accepted, and why not."""

from dataclasses import replace

import pytest

from state_service.acceptance import Acceptance
from state_service.errors import CorruptionError
from state_service.model import WriteBatch
from tests.support.state_store import QUIET, opened

PLENTY = 1 << 40


async def test_a_healthy_store_accepts_and_a_closed_one_does_not() -> None:
    async with opened() as store:
        acceptance = Acceptance(store.config)
        assert acceptance.refusal(store, PLENTY, 0.0) is None
        assert acceptance.refusal(None, PLENTY, 0.0) == "WRITES_STOPPED"


@pytest.mark.parametrize(("free", "reason"), [(1000, None), (999, "STORAGE_FULL")])
async def test_less_space_than_the_reserve_is_a_full_disk(free: int, reason: str | None) -> None:
    async with opened() as store:
        assert Acceptance(replace(QUIET, min_free_bytes=1000)).refusal(store, free, 0.0) == reason


async def test_the_reason_of_a_failed_write_comes_first() -> None:
    async with opened() as store:
        store.journal.condemn(CorruptionError("journal", "damaged"))
        assert Acceptance(QUIET).refusal(store, 0, 0.0) == "STATE_CORRUPTED"


async def test_a_backlog_counts_once_commits_would_be_refused_for_it() -> None:
    config = replace(QUIET, l2_bytes=1 << 16, commit_wait_ms=2000)
    async with opened(config) as store:
        acceptance = Acceptance(config)
        parent = b""
        for number in range(3):  # blocks that nothing finalises are not folded
            parent_id, parent = parent, b"b%d" % number
            await store.committer.commit(WriteBatch(parent, {b"k": bytes(30_000)}, parent_id=parent_id))
        assert [acceptance.refusal(store, PLENTY, now) for now in (10.0, 11.9, 12.0)] == [None, None, "BACKLOG_FULL"]
