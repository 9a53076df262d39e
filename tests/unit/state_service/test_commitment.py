"""The hash chain: fixed for ever, and touched by everything that it covers."""

from state_service import commitment, records
from state_service.model import GENESIS_COMMITMENT

ONE = records.encode_writes({b"a": b"1", b"b": None})


def test_the_chain_is_the_one_that_every_replica_computes() -> None:
    """A change of these values is a change of consensus: a new domain tag, never an edit."""
    first = commitment.chain(GENESIS_COMMITMENT, 1, ONE)
    second = commitment.chain(first, 2, records.encode_writes({}))
    assert first.hex() == "61e6eeaf7d8d21f3f73b1636a5498990a32048239002d88ac912c227040fe880"
    assert second.hex() == "8b092c83decd8281e64c97a15c48a008eee9c2efb070b035b7fe6e9aa891a884"


def test_it_depends_on_parent_version_and_writes() -> None:
    base = commitment.chain(GENESIS_COMMITMENT, 1, ONE)
    assert commitment.chain(b"\1" * 32, 1, ONE) != base
    assert commitment.chain(GENESIS_COMMITMENT, 2, ONE) != base
    assert commitment.chain(GENESIS_COMMITMENT, 1, records.encode_writes({b"a": b"1", b"b": b""})) != base
