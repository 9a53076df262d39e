"""The worker count as a function of load, with a clock of its own."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from vm_service.manager.autoscaler import LoadSample, ScaleRule, ScaleState, decide

RULE = ScaleRule(least=1, most=8)
STEP_S = 0.25


def simulate(size: int, seconds: float, demand: float, *, start_s: float = 0.0, rule: ScaleRule = RULE) -> list[int]:
    """Sizes over time while `demand` workers' worth of work arrives; who has too few workers makes requests wait."""
    state, sizes, now_s = ScaleState(size), [], start_s
    while now_s < start_s + seconds:
        busy = min(1.0, demand / state.size)
        wait_s = 0.05 if demand > state.size * 0.9 else 0.0
        state = decide(state, LoadSample(now_s, busy, wait_s), rule)
        sizes.append(state.size)
        now_s += STEP_S
    return sizes


def test_a_load_step_up_is_answered_within_two_seconds_and_then_stays() -> None:
    sizes = simulate(1, 20, demand=4)
    assert sizes[int(2 / STEP_S)] >= 4
    assert sizes[-1] <= 6
    assert len(set(sizes[int(5 / STEP_S) :])) == 1


def test_a_load_step_down_is_followed_slowly_by_one_worker_at_a_time() -> None:
    sizes = simulate(6, 250, demand=0)
    assert sizes[int(25 / STEP_S)] == 6
    assert all(before - after in (0, 1) for before, after in itertools.pairwise(sizes))
    assert sizes[-1] == RULE.least


def test_a_burst_shorter_than_the_hysteresis_changes_nothing() -> None:
    state = ScaleState(2)
    state = decide(state, LoadSample(0.0, 1.0, 1.0), RULE)
    state = decide(state, LoadSample(0.25, 0.5, 0.0), RULE)
    state = decide(state, LoadSample(0.6, 1.0, 1.0), RULE)
    assert state.size == 2


def test_busy_workers_without_a_queue_are_not_joined_by_more() -> None:
    state = ScaleState(2)
    for look in range(20):
        state = decide(state, LoadSample(look * STEP_S, 0.9, 0.0), RULE)
    assert state.size == 2


def test_a_steady_load_in_between_changes_nothing() -> None:
    assert set(simulate(4, 300, demand=2.4)) == {4}


@given(
    st.integers(-3, 30),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 10), st.floats(0, 100)), max_size=30),
    st.integers(1, 4),
    st.integers(0, 6),
)
def test_the_size_stays_within_its_bounds_and_steps(
    size: int, looks: list[tuple[float, float, float]], least: int, more: int
) -> None:
    rule = ScaleRule(least=least, most=least + more)
    state, now_s = ScaleState(size), 0.0
    for busy, wait_s, pause_s in looks:
        now_s += pause_s
        before = min(max(state.size, rule.least), rule.most)
        state = decide(state, LoadSample(now_s, busy, wait_s), rule)
        assert rule.least <= state.size <= rule.most
        assert before - 1 <= state.size <= 2 * before
