"""Attacks on money and authority: the short form of `python -m tests.fault.tokens`, with seeds of its own."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.fault.tokens.__main__ import attack
from tests.fault.tokens.attacker import Attacker
from tests.fault.tokens.invariants import Watch
from tests.fault.tokens.observed import read
from vm_service.state_keys import StoredValue, field_key, plain_key

SEEDS = (1_000_000, 1_000_001)
COUNT = 120
ENDINGS = {"success", "failure", "shortage", "update", "wild success", "wild failure"}


@pytest.fixture(scope="module")
def attacker() -> Iterator[Attacker]:
    attacker = Attacker(1)
    yield attacker
    attacker.close()


@pytest.mark.timeout(120)
def test_random_transactions_do_what_the_model_says_and_keep_every_sum() -> None:
    kinds: Counter[str] = Counter()
    found = [problem for seed in SEEDS for problem in attack(seed, COUNT, kinds)]

    assert found == []
    assert kinds.total() == COUNT * len(SEEDS)
    assert set(kinds) >= ENDINGS


@pytest.mark.parametrize(
    ("key", "change", "problem"),
    [
        (field_key("token.iost", "TBalice", "iost"), 1, "more iost than the supply tells"),
        (field_key("token.iost", "TBalice", "iost"), -(2**63), "balance ('iost', 'alice') is -"),
        (field_key("token.iost", "TBalice", "ram"), 1, "RAM"),
        (plain_key("ram.iost", "URalice"), -1, "RAM counted beyond what cells fill"),
        (field_key("token.iost", "TBgas.iost", "iost"), -1, "gas.iost holds -1 beside the pledges"),
        (field_key("token.iost", "TBvote.iost", "iost"), -1, "vote.iost owes"),
        (field_key("token721.iost", "T721Balice", "art"), 1, "counts 2 tokens and owns 1"),
    ],
)
def test_a_cell_that_is_one_off_is_found(attacker: Attacker, key: str, change: int, problem: str) -> None:
    cells = dict(attacker.world.cells)
    watch = Watch(cells)
    assert list(watch.problems(cells, read(cells))) == []

    value = StoredValue.decode(cells[key])
    cells[key] = StoredValue(value.letter, str(int(value.data) + change), value.payer).encode()

    assert any(problem in text for text in watch.problems(cells, read(cells)))
