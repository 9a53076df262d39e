"""Which images stay installed."""

from hypothesis import given
from hypothesis import strategies as st

from vm_service.worker.hotset import HotSet


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
