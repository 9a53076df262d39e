"""The demonstration's own judgement: it must notice what is wrong."""

import dataclasses
import json
from decimal import Decimal

import pytest

from gateway.client import Account, KeyPair
from gateway.demo.genesis import document
from gateway.demo.plan import (
    ADMIN,
    CONTRACTS,
    COUNTS,
    PLAYERS,
    SAMPLES,
    SYSTEM_COUNTS,
    Step,
    bad_steps,
    bad_system_steps,
    good_steps,
)
from gateway.demo.run import Figures, check
from iost.chain.v1 import receipt_pb2
from iost.gateway.v1.outcome_pb2 import VERDICT_REFUSED, TransactionOutcome

IDS = {name: f"Contract{name}" for name in SAMPLES}
GAME = IDS["lucky_bet"]
ACCOUNTS = {name: Account(name, KeyPair("ed25519", bytes(32))) for name in (ADMIN, *PLAYERS)}

BEFORE = Figures(
    version=3,
    count=10,
    supply=400,
    tokens=dict.fromkeys(PLAYERS, 100),
    iost={**dict.fromkeys(PLAYERS, Decimal(50)), GAME: Decimal("1.5")},
    pot=Decimal("1.5"),
    round=1,
)


def outcome(code: int = receipt_pb2.STATUS_CODE_SUCCESS, message: str = "") -> TransactionOutcome:
    return TransactionOutcome(receipt=receipt_pb2.Receipt(status=receipt_pb2.Status(code=code, message=message)))


REFUSED = TransactionOutcome(verdict=VERDICT_REFUSED, message="unauthorized")
FAILED = outcome(receipt_pb2.STATUS_CODE_RUNTIME_ERROR, "balance not enough")
RESULTS = [
    (Step("count", "alice", (), effect=5), outcome()),
    (Step("count", "alice", (), effect=7), FAILED),
]
AFTER = dataclasses.replace(BEFORE, version=9, count=15)


def test_right_sums_hold() -> None:
    assert all(item.holds for item in check(BEFORE, AFTER, RESULTS))


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 22},
        {"supply": 401},
        {"tokens": {**AFTER.tokens, "alice": 99}},
        {"tokens": {**AFTER.tokens, "alice": -1, "bobby": 201}},
        {"pot": Decimal("1.49999999")},
        {"iost": {**AFTER.iost, "alice": Decimal("50.00000001")}},
    ],
)
def test_wrong_sums_are_noticed(wrong: dict[str, object]) -> None:
    checks = check(BEFORE, dataclasses.replace(AFTER, **wrong), RESULTS)
    assert not all(item.holds for item in checks)


@pytest.mark.parametrize(
    ("expect", "got", "fine"),
    [
        ("", outcome(), True),
        ("", FAILED, False),
        ("", REFUSED, False),
        ("balance not enough", FAILED, True),
        ("out of gas", FAILED, False),
        ("REFUSED", REFUSED, True),
        ("anything", outcome(), False),
    ],
)
def test_outcomes_are_compared_with_what_was_expected(expect: str, got: TransactionOutcome, fine: bool) -> None:
    assert (Step("kind", "alice", (), expect).verdict(got) == "") is fine


def test_the_plan_is_the_same_for_the_same_seed_and_signed_by_its_publisher() -> None:
    steps = good_steps(IDS, seed=5)
    assert steps == good_steps(IDS, seed=5)
    assert steps != good_steps(IDS, seed=6)
    assert len(steps) == sum(COUNTS.values()) + sum(SYSTEM_COUNTS.values())
    assert len(good_steps(IDS, seed=5, with_system=False)) == sum(COUNTS.values())
    for step in [*steps[:20], *bad_steps(IDS), *bad_system_steps()]:
        made = step.transaction(ACCOUNTS)
        assert made.publisher == step.publisher
        assert len(made.publisher_signatures) == 1
        assert (made.publisher_signatures[0].signature == bytes(64)) is step.forged


def test_sample_contracts_have_an_abi_beside_them() -> None:
    for name in SAMPLES:
        assert (CONTRACTS / f"{name}.js").read_text()
        abi = json.loads((CONTRACTS / f"{name}.js.abi").read_text())
        assert abi["lang"] == "javascript"
        assert all(method["amountLimit"] is not None for method in abi["abi"])


def test_the_genesis_file_names_every_account_with_its_key() -> None:
    content = json.loads(document(ACCOUNTS))
    assert {item["id"]: item["active"] for item in content["accounts"]} == {
        name: account.key.public_text for name, account in ACCOUNTS.items()
    }
