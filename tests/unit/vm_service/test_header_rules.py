"""Headers against the parent: what is refused, and that the message names both values."""

import pytest

from iost.chain.v1.block_pb2 import BlockHeader
from vm_service.errors import BlockRefusedError
from vm_service.model import View
from vm_service.worker import header_rules

NOW = 10_000 * 10**6
PARENT = View(7, b"parent", number=6, time_ns=5_000, block_hash=b"hash")


def check(header: BlockHeader, parent: View = PARENT, ahead_ms: int = 3) -> None:
    header_rules.check(header, parent, now_ns=NOW, ahead_ms=ahead_ms)


@pytest.mark.parametrize("time_ns", [5_001, NOW, NOW + 3 * 10**6])
def test_the_next_number_and_a_later_time_up_to_the_bound_are_taken(time_ns: int) -> None:
    check(BlockHeader(number=7, time_ns=time_ns, parent_hash=b"hash"))


def test_a_hash_is_not_checked_where_the_parents_is_not_known() -> None:
    check(BlockHeader(number=7, time_ns=NOW, parent_hash=b"any"), View(7, b"parent", number=6, time_ns=1))


@pytest.mark.parametrize(
    ("changes", "field", "expected", "actual", "named"),
    [
        ({"number": 6}, "header.number", "7", "6", ("6", "7")),
        ({"number": 8}, "header.number", "7", "8", ("8", "7")),
        ({"number": 0}, "header.number", "7", "0", ("0", "7")),
        ({"time_ns": 5_000}, "header.time_ns", "after 5000", "5000", ("5000",)),
        ({"time_ns": 4_999}, "header.time_ns", "after 5000", "4999", ("4999", "5000")),
        (
            {"time_ns": NOW + 3 * 10**6 + 1},
            "header.time_ns",
            f"at most {NOW + 3 * 10**6}",
            f"{NOW + 3 * 10**6 + 1}",
            (f"{NOW + 3 * 10**6 + 1}", f"{NOW}", "3 ms"),
        ),
        ({"parent_hash": b""}, "header.parent_hash", b"hash".hex(), "", (b"hash".hex(),)),
        ({"parent_hash": b"haxh"}, "header.parent_hash", b"hash".hex(), b"haxh".hex(), (b"hash".hex(), b"haxh".hex())),
    ],
)
def test_another_header_is_refused_and_both_values_are_named(
    changes: dict[str, object], field: str, expected: str, actual: str, named: tuple[str, ...]
) -> None:
    header = BlockHeader(**{"number": 7, "time_ns": NOW, "parent_hash": b"hash", **changes})  # type: ignore[arg-type]
    with pytest.raises(BlockRefusedError) as caught:
        check(header)
    assert caught.value.metadata == {"field": field, "expected": expected, "actual": actual}
    assert all(value in caught.value.message for value in named)
