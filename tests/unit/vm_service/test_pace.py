"""Which contracts may share a batch."""

from vm_service.forms import MAX_NAME_CHARS
from vm_service.manager import pace
from vm_service.manager.pace import QUICK_S, SLOW_S, Pace


def test_an_unknown_contract_is_not_quick_and_those_of_the_chain_are() -> None:
    known = Pace()
    assert known.is_quick([])
    assert known.is_quick(["token.iost", "auth.iost"])
    assert not known.is_quick(["token.iost", "ContractA"])


def test_a_quick_run_makes_a_contract_quick_but_never_publishing() -> None:
    known = Pace()
    assert known.learn(["ContractA", "system.iost"], QUICK_S)
    assert known.is_quick(["ContractA"])
    assert not known.learn(["ContractA"], 0.001)
    assert not known.is_quick(["system.iost"])


def test_a_slow_contract_is_not_quick_for_a_while_however_quick_it_is_then() -> None:
    now = 0.0
    known = Pace(clock=lambda: now)
    known.learn(["ContractA"], 0.001)
    known.learn(["ContractA", "token.iost"], QUICK_S * 2)
    assert not known.is_quick(["ContractA"])
    assert known.is_quick(["token.iost"])
    assert not known.learn(["ContractA"], 0.001)
    now = SLOW_S
    assert known.learn(["ContractA"], 0.001)
    assert known.is_quick(["ContractA"])


def test_a_slow_batch_is_the_fault_of_contracts_that_nobody_knows_when_there_are_any() -> None:
    known = Pace()
    known.learn(["ContractA"], 0.001)
    known.learn(["ContractA", "ContractB"], QUICK_S * 2)
    assert known.is_quick(["ContractA"])
    assert not known.learn(["ContractB"], 0.001)


def test_names_that_no_contract_can_have_are_not_remembered() -> None:
    known = Pace()
    name = "C" * (MAX_NAME_CHARS + 1)
    assert not known.learn([name], 0.001)
    assert not known.is_quick([name])
    known.learn([name], QUICK_S * 2)
    assert known.learn(["C" * MAX_NAME_CHARS], 0.001)
    assert (list(known._quick), list(known._slow)) == (["C" * MAX_NAME_CHARS], [])


def test_what_is_remembered_is_bounded() -> None:
    known = Pace()
    known.learn([f"Contract{number}" for number in range(pace.MAX_KNOWN + 1)], 0.001)
    assert not known.is_quick(["Contract0"])
    assert known.is_quick([f"Contract{pace.MAX_KNOWN}"])
