"""Which companies of contracts may share a batch."""

from vm_service import company
from vm_service.forms import MAX_NAME_CHARS
from vm_service.manager import pace
from vm_service.manager.pace import QUICK_S, SLOW_S, Pace

A = frozenset({"ContractA"})
B = frozenset({"ContractB"})
AB = A | B


def run(
    known: Pace, *companies: company.Company, seconds: float = 0.001, slow: tuple[tuple[int, int], ...] = ()
) -> bool:
    """Lets a batch of these companies run."""
    return known.learn(companies, seconds, used=frozenset().union(*companies), slow=slow)


def test_an_unknown_contract_is_not_quick_and_those_of_the_chain_are() -> None:
    known = Pace()
    assert known.is_quick([])
    assert known.is_quick([company.of(["token.iost", "auth.iost"])])
    assert not known.is_quick([company.of(["token.iost", "ContractA"])])


def test_a_quick_run_makes_a_company_quick_but_never_publishing() -> None:
    known = Pace()
    publishing = company.of([company.PUBLISHER])
    assert run(known, A, publishing)
    assert known.is_quick([A])
    assert not run(known, A)
    assert not known.is_quick([publishing])


def test_a_slow_company_is_not_quick_for_a_while_however_quick_it_is_then() -> None:
    now = 0.0
    known = Pace(clock=lambda: now)
    run(known, A)
    run(known, A, seconds=QUICK_S * 2)
    assert not known.is_quick([A])
    assert not run(known, A)
    now = SLOW_S
    assert run(known, A)
    assert known.is_quick([A])


def test_a_contract_that_is_named_beside_a_slow_one_is_no_slower_for_it() -> None:
    known = Pace()
    run(known, A, B)
    run(known, AB, seconds=QUICK_S * 2)
    assert known.is_quick([A, B])
    assert not known.is_quick([AB])


def test_a_slow_item_that_was_seen_is_the_fault_of_its_own_company_only() -> None:
    known = Pace()
    run(known, A, B)
    run(known, A, B, seconds=2.0, slow=((1, 1950),))
    assert known.is_quick([A])
    assert not known.is_quick([B])


def test_a_slow_item_does_not_hide_behind_many_quick_ones() -> None:
    known = Pace()
    run(known, A, *[B] * 500, seconds=1.0, slow=((0, 900),))
    assert not known.is_quick([A])
    assert known.is_quick([B])


def test_a_contract_that_did_not_run_is_not_known_to_be_quick() -> None:
    known = Pace()
    assert not known.learn([A], 0.001, used=frozenset(), slow=())
    assert not known.learn([AB], 0.001, used=A, slow=())
    assert not known.is_quick([A])


def test_names_that_no_contract_can_have_are_not_remembered() -> None:
    known = Pace()
    name = frozenset({"C" * (MAX_NAME_CHARS + 1)})
    assert not run(known, name)
    run(known, name, seconds=QUICK_S * 2)
    many = frozenset(f"Contract{number}" for number in range(pace.MAX_NAMES + 1))
    assert not run(known, many)
    assert (len(known._quick), len(known._slow)) == (0, 0)


def test_what_is_remembered_is_bounded() -> None:
    known = Pace()
    for number in range(pace.MAX_KNOWN + 1):
        run(known, frozenset({f"Contract{number}"}))
    assert not known.is_quick([frozenset({"Contract0"})])
    assert known.is_quick([frozenset({f"Contract{pace.MAX_KNOWN}"})])
