"""Which free worker a batch goes to."""

from vm_service.manager.affinity import choose


def test_the_worker_that_holds_the_contract_is_chosen() -> None:
    assert choose([["a"], ["b"], []], {"a"}) == 0


def test_more_contracts_held_win() -> None:
    assert choose([["a"], ["a", "b"], ["b"]], {"a", "b"}) == 1


def test_among_equals_the_one_used_last_is_chosen() -> None:
    assert choose([[], [], []], {"a"}) == 2
    assert choose([["a"], ["a"], []], {"a"}) == 1
    assert choose([["a"], ["b"]], ()) == 1
