"""Which VM service takes a call, how much is in progress at once, and when a loss counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission import Admission
from gateway.errors import SaturatedError
from gateway.health import LossWatch
from gateway.routing import LOAD_FACTOR, choose, preference, resolve

ADDRESSES = [f"10.0.0.{i}:7002" for i in range(5)]


def test_a_contract_keeps_its_service_while_others_come_and_go() -> None:
    keys = [f"Contract{i}".encode() for i in range(300)]
    moved = 0
    for key in keys:
        before = preference(key, ADDRESSES)
        after = preference(key, ADDRESSES[1:])
        assert after == [address for address in before if address != ADDRESSES[0]]
        moved += before[0] != after[0]
    assert 30 < moved < 90  # a fifth of the contracts, and only those, had the service that left


def test_contracts_spread_evenly() -> None:
    counts = dict.fromkeys(ADDRESSES, 0)
    for i in range(1000):
        counts[preference(f"Contract{i}".encode(), ADDRESSES)[0]] += 1
    assert all(140 < count < 260 for count in counts.values())


@given(st.binary(max_size=100), st.lists(st.integers(0, 50), min_size=1, max_size=5))
def test_the_chosen_service_is_never_far_above_the_average(key: bytes, loads: list[int]) -> None:
    by_address = dict(zip(ADDRESSES, loads, strict=False))
    chosen = choose(key, by_address)
    assert by_address[chosen] <= LOAD_FACTOR * (sum(loads) + 1) / len(loads)


def test_one_popular_contract_spills_over_to_other_services() -> None:
    loads = dict.fromkeys(ADDRESSES, 0)
    for _ in range(100):
        loads[choose(b"Popular", loads)] += 1
    assert max(loads.values()) <= 26
    assert sum(load > 0 for load in loads.values()) >= 4


async def test_names_of_this_machine_resolve_to_one_family() -> None:
    assert await resolve("127.0.0.1", "7002") == {"127.0.0.1:7002"}
    assert len(await resolve("localhost", "7002")) == 1
    assert await resolve("[::1]", "7002") == {"[::1]:7002"}


def test_admission_counts_calls_and_bytes() -> None:
    admission = Admission(2, 100)
    admission.enter(90)
    with pytest.raises(SaturatedError) as refused:
        admission.enter(20)
    assert refused.value.retryable
    assert refused.value.retry_delay_ms > 0
    admission.enter(10)
    with pytest.raises(SaturatedError):
        admission.enter(0)
    admission.leave(90)
    admission.enter(20)


def test_a_call_above_the_byte_limit_is_admitted_alone() -> None:
    admission = Admission(10, 100)
    admission.enter(500)
    with pytest.raises(SaturatedError):
        admission.enter(1)
    admission.leave(500)
    admission.enter(1)


def test_a_short_loss_does_not_count() -> None:
    watch = LossWatch(2.0)
    assert watch.serving(complete=True, now=0)
    assert watch.serving(complete=False, now=1)
    assert watch.serving(complete=False, now=2.9)
    assert watch.serving(complete=True, now=3)
    assert watch.serving(complete=False, now=4)
    assert not watch.serving(complete=False, now=6)
    assert watch.serving(complete=True, now=6.5)
