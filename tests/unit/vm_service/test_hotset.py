"""Which images stay installed."""

import time

from hypothesis import given
from hypothesis import strategies as st

from vm_service.worker.hotset import MAX_NAMED, HotSet


def test_a_first_use_is_cold_and_the_next_is_recent() -> None:
    hot = HotSet(room_bytes=100)
    hot.add("k1", 10)
    hot.use({"C1": "k1"})
    hot.use({"C1": "k1"})
    assert (hot.hits.cold, hot.hits.recent, hot.hits.pinned) == (1, 1, 0)


def test_pinned_contracts_count_apart_and_are_never_dropped() -> None:
    hot = HotSet(room_bytes=0, pinned=["C1"])
    hot.add("k1", 10)
    hot.use({"C1": "k1"})
    hot.add("k2", 10)
    hot.use({"C2": "k2"})
    assert hot.surplus() == ["k2"]
    hot.use({"C1": "k1"})
    assert hot.hits.pinned == 1
    assert hot.hot() == ["C1"]


def test_the_least_recently_used_are_dropped_first() -> None:
    hot = HotSet(room_bytes=20)
    for name in ("1", "2", "3"):
        hot.add(f"k{name}", 10)
        hot.use({f"C{name}": f"k{name}"})
    hot.use({"C1": "k1"})
    assert hot.surplus() == ["k2"]
    assert set(hot.hot()) == {"C1", "C3"}


def test_the_most_used_contracts_come_first() -> None:
    hot = HotSet(room_bytes=100)
    for name, count in (("a", 1), ("b", 3), ("c", 2)):
        hot.add(f"k{name}", 1)
        for _ in range(count):
            hot.use({name: f"k{name}"})
    assert hot.hot() == ["b", "c", "a"]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 30)), max_size=60), st.integers(0, 60))
def test_what_stays_fits_its_room(steps: list[tuple[int, int]], room_bytes: int) -> None:
    hot, sizes = HotSet(room_bytes), {}
    for name, size in steps:
        if f"k{name}" not in sizes:
            sizes[f"k{name}"] = size
            hot.add(f"k{name}", size)
        hot.use({f"C{name}": f"k{name}"})
        for key in hot.surplus():
            del sizes[key]
        assert sum(sizes.values()) <= room_bytes
        assert {f"C{key[1:]}" for key in sizes} == set(hot.hot())


def test_the_contracts_used_last_come_in_the_order_of_their_uses() -> None:
    hot = HotSet(room_bytes=100)
    for name in "abcbdcb":
        hot.add(f"k{name}", 1)
        hot.use({name: f"k{name}"})
    assert hot.latest(3) == ["b", "c", "d"]


def test_contracts_of_one_source_are_not_remembered_without_end() -> None:
    hot = HotSet(room_bytes=100, pinned=["C0"])
    hot.add("k", 10)
    for number in range(MAX_NAMED + 10):
        hot.use({f"C{number}": "k"})
    assert len(hot.hot()) == MAX_NAMED
    hot.add("k2", 100)
    hot.use({"D": "k2"})
    hot.add("k3", 10)
    hot.use({"E": "k3"})
    assert hot.surplus() == ["k2"]  # the image of a pinned contract stays, however long ago it was used


def a_batch_s(images: int) -> float:
    """Returns the least time of what a batch asks while so many images are installed."""
    hot, times = HotSet(room_bytes=10**9), []
    for number in range(images):
        hot.add(f"k{number}", 300)
        hot.use({f"C{number}": f"k{number}"})
    for _ in range(20):
        began = time.perf_counter()
        hot.use({"C1": "k1"})
        hot.latest(100)
        hot.surplus()
        times.append(time.perf_counter() - began)
    return min(times)


def test_a_batch_takes_no_longer_when_thousands_of_images_are_installed() -> None:
    assert a_batch_s(50_000) < 20 * a_batch_s(500)
