"""The ratio of the dearest unit of gas to the median one."""

import pytest

from tests.fault.price_ratio import LEAST_GAS, Priced, ratio


def priced(name: str, gas: int, ns: float, kind: str = "gas", *, is_called: bool = True) -> Priced:
    return Priced(name, kind, gas, ns * max(gas, LEAST_GAS) / 1e9, is_called)


PAYLOADS = [priced("a", 4_000_000, 1), priced("b", 4_000_000, 3), priced("c", LEAST_GAS, 9)]


def test_the_worst_is_set_against_the_median_of_all_that_use_enough_gas() -> None:
    found = ratio(PAYLOADS)

    assert [item.name for item in found.ranking] == ["c", "b", "a"]
    assert (found.median_ns, found.counted) == (pytest.approx(3), 3)
    assert found.worst_over_median == pytest.approx(3)


def test_a_payload_that_ends_early_counts_for_the_worst_and_not_for_the_median() -> None:
    found = ratio([*PAYLOADS, priced("short and long", 10, 60, "error"), priced("short", 10, 0.01, "isolated")])

    assert (found.median_ns, found.counted) == (pytest.approx(3), 3)
    assert found.worst_over_median == pytest.approx(20)


def test_a_payload_that_no_rule_ends_is_named() -> None:
    found = ratio([*PAYLOADS, priced("endless", 0, 0, "timeout", is_called=False)])

    assert found.unruled == ["endless (timeout)"]


def test_a_payload_that_is_not_published_is_counted_apart() -> None:
    found = ratio([*PAYLOADS, priced("refused", 230_000, 0, "error", is_called=False)])

    assert (found.counted, found.uncalled) == (3, 1)
