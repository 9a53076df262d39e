"""What the demonstration sends, and what must become of it: each step a transaction with its expected outcome."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.client import Account, KeyPair, action, build, sign
from gateway.client.calls import status_name, verdict_name
from gateway.client.transactions import GAS_LIMIT
from iost.chain.v1.receipt_pb2 import STATUS_CODE_SUCCESS
from iost.chain.v1.transaction_pb2 import Action, Transaction
from iost.gateway.v1.outcome_pb2 import TransactionOutcome

CONTRACTS = Path(__file__).parent / "contracts"
"""The sample contracts; each file X.js has its ABI beside it as X.js.abi."""

SAMPLES = ("counter", "token", "lucky_bet")

PLAYERS = ("alice", "bobby", "carol", "david")
ADMIN = "admin"
"""Publishes the contracts, owns them, and issues the token."""

COUNTS = {"count": 100, "token": 80, "bet": 60, "pay": 60}
"""Transactions of each kind that succeed: 300, enough for several rounds of the game, a few seconds of work."""

SYSTEM_COUNTS = {"buy ram": 15, "sell ram": 10, "sign up": 5}
"""The same for calls of the system contracts `ram.iost` and `auth.iost`."""

SYSTEM_CONTRACTS = ("auth.iost", "ram.iost")
"""System contracts that the plan calls."""

MIN_BOUGHT_BYTES = 1000
"""Fewest bytes of RAM in a purchase; sales have at most as many, so that their price is in the market."""

SMALL_GAS_LIMIT = 5_000_000
"""Hundredths: 50,000 gas, enough to begin a call (30,000) and not for long."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction and what must become of it.

    Attributes:
        kind: what it does, in a word or two.
        publisher: who signs.
        actions: what it does.
        expect: empty: it succeeds; else a text that the refusal or failure must contain.
        effect: amount that a success adds to the counter, or moves.
        gas_limit: in hundredths.
        forged: the signature is spoilt.
    """

    kind: str
    publisher: str
    actions: tuple[Action, ...]
    expect: str = ""
    effect: int = 0
    gas_limit: int = GAS_LIMIT
    forged: bool = False

    def transaction(self, accounts: Mapping[str, Account]) -> Transaction:
        """Builds and signs the transaction; its time runs from now."""
        publisher = accounts[self.publisher]
        made = sign(build(publisher.name, self.actions, gas_limit=self.gas_limit), publisher)
        if self.forged:
            made.publisher_signatures[0].signature = bytes(64)
        return made

    def verdict(self, outcome: TransactionOutcome) -> str:
        """Compares an outcome with what was expected; returns what is wrong with it, or an empty text."""
        got = describe(outcome)
        if not self.expect:
            return "" if succeeded(outcome) else f"{self.kind} of {self.publisher} should succeed, but: {got}"
        if succeeded(outcome) or self.expect not in got:
            return f"{self.kind} of {self.publisher} should fail with {self.expect!r}, but: {got}"
        return ""


def succeeded(outcome: TransactionOutcome) -> bool:
    """Tells whether a transaction took effect."""
    return outcome.HasField("receipt") and outcome.receipt.status.code == STATUS_CODE_SUCCESS


def describe(outcome: TransactionOutcome) -> str:
    """Writes status or verdict with its message."""
    if outcome.HasField("receipt"):
        status = outcome.receipt.status
        return f"{status_name(status.code).removeprefix('STATUS_CODE_')} {status.message}".strip()
    return f"{verdict_name(outcome.verdict).removeprefix('VERDICT_')} {outcome.message}".strip()


def good_steps(ids: Mapping[str, str], seed: int, *, with_system: bool = True) -> list[Step]:
    """Makes the transactions that succeed, in an order that is mixed but the same for the same seed.

    Args:
        ids: ids of the sample contracts by name.
        seed: decides order and amounts.
        with_system: whether the chain has the system contracts.
    """
    choose = random.Random(seed)
    makers = {
        "count": _count,
        "token": _token,
        "bet": _bet,
        "pay": _pay,
        "buy ram": _buy_ram,
        "sell ram": _sell_ram,
        "sign up": _sign_up,
    }
    counts = {**COUNTS, **(SYSTEM_COUNTS if with_system else {})}
    steps = [makers[kind](ids, choose) for kind, count in counts.items() for _ in range(count)]
    choose.shuffle(steps)
    return steps


def _pair(choose: random.Random) -> tuple[str, str]:
    one, other = choose.sample(PLAYERS, 2)
    return one, other


def _count(ids: Mapping[str, str], choose: random.Random) -> Step:
    amount = choose.randint(1, 9)
    return Step("count", choose.choice(PLAYERS), (action(ids["counter"], "add", amount),), effect=amount)


def _token(ids: Mapping[str, str], choose: random.Random) -> Step:
    giver, taker = _pair(choose)
    return Step("token", giver, (action(ids["token"], "transfer", giver, taker, str(choose.randint(1, 5)), "demo"),))


def _bet(ids: Mapping[str, str], choose: random.Random) -> Step:
    player = choose.choice(PLAYERS)
    stake = f"{choose.randint(1, 3)}.{choose.randint(0, 99):02d}"
    return Step("bet", player, (action(ids["lucky_bet"], "bet", player, choose.randint(0, 9), stake),))


def _pay(ids: Mapping[str, str], choose: random.Random) -> Step:
    giver, taker = _pair(choose)
    amount = f"0.{choose.randint(1, 99_999_999):08d}"
    return Step("pay", giver, (action("token.iost", "transfer", "iost", giver, taker, amount, "demo"),))


def _buy_ram(_: Mapping[str, str], choose: random.Random) -> Step:
    player = choose.choice(PLAYERS)
    count = choose.randint(MIN_BOUGHT_BYTES, 5 * MIN_BOUGHT_BYTES)
    return Step("buy ram", player, (action("ram.iost", "buy", player, player, count),))


def _sell_ram(_: Mapping[str, str], choose: random.Random) -> Step:
    player = choose.choice(PLAYERS)
    bought, sold = MIN_BOUGHT_BYTES, choose.randint(1, MIN_BOUGHT_BYTES)
    buy = action("ram.iost", "buy", player, player, bought)
    return Step("sell ram", player, (buy, action("ram.iost", "sell", player, player, sold)))


def _sign_up(_: Mapping[str, str], choose: random.Random) -> Step:
    player, name = choose.choice(PLAYERS), f"new{choose.randrange(10**8):08}"
    key = KeyPair("ed25519", choose.randbytes(32)).public_text
    return Step("sign up", player, (action("auth.iost", "signUp", name, key, key),))


def bad_system_steps() -> Iterator[Step]:
    """Makes calls of the system contracts of which nothing may take effect."""
    key = KeyPair("ed25519", bytes(32)).public_text
    yield Step("account exists", "alice", (action("auth.iost", "signUp", "bobby", key, key),), "id existed")
    yield Step("foreign ram", "alice", (action("ram.iost", "sell", "bobby", "alice", 100),), "require auth failed")


def bad_steps(ids: Mapping[str, str]) -> Iterator[Step]:
    """Makes transactions of which nothing may take effect, one for each reason."""
    counter, token, bet = ids["counter"], ids["token"], ids["lucky_bet"]
    much = "1000000000"
    yield Step(
        "too much iost",
        "alice",
        (action("token.iost", "transfer", "iost", "alice", "bobby", much, ""),),
        "balance not enough",
    )
    yield Step(
        "too much token", "alice", (action(token, "transfer", "alice", "bobby", much, ""),), "balance not enough"
    )
    yield Step("stake too high", "alice", (action(bet, "bet", "alice", 3, much),), "balance not enough")
    yield Step(
        "first good, then bad",
        "bobby",
        (action(counter, "add", 5), action("token.iost", "transfer", "iost", "bobby", "alice", much, "")),
        "balance not enough",
    )
    yield Step("exception", "alice", (action(counter, "add", -1),), "amount must be positive")
    yield Step("out of gas", "alice", (action(counter, "sum", 10_000_000),), "out of gas", gas_limit=SMALL_GAS_LIMIT)
    yield Step("foreign funds", "alice", (action(token, "transfer", "bobby", "alice", "1", ""),), "no permission")
    yield Step("too few arguments", "alice", (action(counter, "add"),), "args length unmatched")
    yield Step("wrong argument type", "alice", (action(counter, "add", "five"),), "error parse number arg")
    yield Step("unknown method", "alice", (action(counter, "nothing"),), "not found")
    yield Step("unknown contract", "alice", (action("ContractNothing", "add", 1),), "not found")
    yield Step("private method", "alice", (action(token, "_add", "alice", "5"),), "not found")
    yield Step("forged signature", "alice", (action(counter, "add", 1),), "REFUSED", forged=True)
