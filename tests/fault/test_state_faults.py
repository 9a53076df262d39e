"""Short forms of the fault rounds, for every CI run; the long ones are `make fault ROUNDS=N`."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.fault import state_corruption, state_enospc, state_failpoints, state_kill, state_model, state_power
from tests.fault.state_ledger import Verdict

SEED = 20


def test_kill_9_under_load_loses_and_tears_nothing() -> None:
    report = state_kill.run(4, SEED)
    assert report.passed, report


def test_power_loss_takes_nothing_that_was_synced() -> None:
    report = state_power.run(4, SEED)
    assert report.passed, report


def test_without_syncs_the_power_loss_rounds_report_losses() -> None:
    verdict, answers = state_power.rounds_of(1, SEED, sync=False)
    assert answers > 0
    assert verdict.lost > 0
    assert not verdict.passed


def test_a_crash_at_every_failpoint_loses_and_tears_nothing() -> None:
    report = state_failpoints.run(1, SEED)
    assert report.passed, report


def test_a_full_disk_refuses_commits_and_the_service_goes_on_when_there_is_space() -> None:
    report = state_enospc.run(3, SEED)
    assert report.passed, report


def test_damage_is_found_and_never_served() -> None:
    report = state_corruption.run(30, SEED)
    assert report.passed, report


@pytest.mark.parametrize(("on_disk", "examples"), [(False, 40), (True, 4)])
def test_random_histories_agree_with_the_model(on_disk: bool, examples: int) -> None:
    machine = state_model.machine(on_disk=on_disk, examples=examples, steps=40)
    run_state_machine_as_test(machine, settings=machine.TestCase.settings)


def test_a_verdict_fails_on_any_loss() -> None:
    assert Verdict().passed
    assert not any(verdict.passed for verdict in (Verdict(lost=1), Verdict(torn=1), Verdict(broken="x")))
