"""Publishes the sample contracts, sends a few hundred transactions, shows what happened, and checks the sums."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chassis.errors import RemoteError
from gateway.cli.output import console, gas_text, print_fields, print_table, receipt_fields
from gateway.client import Account, Client, EventFilter, TransactionError, action, transaction_hash
from gateway.client.transactions import PUBLISH_GAS_LIMIT
from gateway.demo.plan import (
    ADMIN,
    CONTRACTS,
    PLAYERS,
    SAMPLES,
    SYSTEM_CONTRACTS,
    Step,
    bad_steps,
    bad_system_steps,
    describe,
    good_steps,
    succeeded,
)
from iost.gateway.v1.inspection_service_pb2 import EventCursor
from iost.gateway.v1.outcome_pb2 import TransactionOutcome

BATCH = 20
"""Transactions a request: some 15 requests, so that the progress bar moves."""

ISSUED = 500
"""Units of the sample token that each player gets at each run; the players move fewer than that."""

IDS_FILE = "contracts.json"

SYSTEM_HOLDERS = {"ram.iost": "the RAM market", "gas.iost": "pledges"}
"""System contracts to which players pay iost, with the name shown."""

Accounts = Mapping[str, Account]


class DemoFailedError(Exception):
    """The demonstration cannot go on; the message is one line."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the chain holds at one version, as far as the sample contracts go.

    Attributes:
        version: the version.
        count: value of the counter.
        supply: units of the sample token.
        tokens: units by player.
        iost: balance by player, of the game, and of the system contracts that players pay.
        pot: what the game says that it holds.
        round: number of the game's round.
    """

    version: int
    count: int
    supply: int
    tokens: Mapping[str, int]
    iost: Mapping[str, Decimal]
    pot: Decimal
    round: int


@dataclass(frozen=True, slots=True)
class Check:
    """One statement about the run, and whether it holds."""

    statement: str
    holds: bool


def publish(client: Client, admin: Account, folder: Path) -> dict[str, str]:
    """Finds the contracts of an earlier run on this chain, or publishes them.

    Args:
        client: of the gateway.
        admin: who publishes.
        folder: where the ids are kept between runs.

    Returns:
        Contract id by name.

    Raises:
        DemoFailedError: a contract cannot be published.
    """
    ids = known_contracts(folder)
    if ids and _exist(client, list(ids.values())):
        return ids
    for name in SAMPLES:
        source = (CONTRACTS / f"{name}.js").read_text()
        abi = json.loads((CONTRACTS / f"{name}.js.abi").read_text())
        try:
            published = client.publish(admin, source, abi, gas_limit=PUBLISH_GAS_LIMIT)
        except TransactionError as error:
            raise DemoFailedError(f"publishing {name} failed: {error}") from None
        ids[name] = published.contract_id
        console.print(
            f"published {name:<10} {published.contract_id}  gas {gas_text(published.outcome.receipt.gas_usage)}",
            soft_wrap=True,
        )
    (folder / IDS_FILE).write_text(json.dumps(ids, indent=2) + "\n")
    return ids


def known_contracts(folder: Path) -> dict[str, str]:
    """Reads the contract ids of the last run, by name; empty when there was none."""
    file = folder / IDS_FILE
    ids: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return ids


def _exist(client: Client, ids: Sequence[str]) -> bool:
    try:
        client.contracts(ids)
    except RemoteError as error:
        if error.reason == "CONTRACT_NOT_FOUND":
            return False
        raise
    return True


def read_figures(client: Client, ids: Mapping[str, str]) -> Figures:
    """Reads the figures, all from the newest version."""
    version = client.head().version
    counter, token, bet = (ids[name] for name in SAMPLES)
    names = [f"b-{counter}-count", f"b-{token}-supply", f"b-{bet}-pot", f"b-{bet}-round"]
    players = [f"m-{token}-balances-{player}" for player in PLAYERS]
    cells = [entry.value.text for entry in client.state(names + players, version=version)]
    holders = [*PLAYERS, bet, *SYSTEM_HOLDERS]
    balances = client.balances([(holder, "iost") for holder in holders], version=version)
    count, supply, pot, round_ = cells[: len(names)]
    return Figures(
        version=version,
        count=int(count),
        supply=int(supply),
        tokens={player: int(units or 0) for player, units in zip(PLAYERS, cells[len(names) :], strict=True)},
        iost={holder: Decimal(item.amount) for holder, item in zip(holders, balances, strict=True)},
        pot=Decimal(pot),
        round=int(round_),
    )


def issue(client: Client, admin: Account, ids: Mapping[str, str]) -> None:
    """Gives every player units of the sample token.

    Raises:
        DemoFailedError: the contract refuses.
    """
    actions = [action(ids["token"], "issue", player, str(ISSUED)) for player in PLAYERS]
    try:
        client.send(admin, *actions)
    except TransactionError as error:
        raise DemoFailedError(f"issuing the sample token failed: {error}") from None


def send(client: Client, accounts: Accounts, steps: Sequence[Step]) -> Iterator[tuple[Step, TransactionOutcome]]:
    """Sends steps in batches, with a progress bar; yields each with its outcome."""
    columns = (TextColumn("transactions"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(steps))
        for start in range(0, len(steps), BATCH):
            batch = steps[start : start + BATCH]
            transactions = [step.transaction(accounts) for step in batch]
            outcomes = client.execute(transactions).outcomes
            for transaction, outcome in zip(transactions, outcomes, strict=True):
                if outcome.tx_hash != transaction_hash(transaction):
                    raise DemoFailedError("the node computes another transaction hash than this client")
            yield from zip(batch, outcomes, strict=True)
            progress.advance(task, len(batch))


def check(before: Figures, after: Figures, results: Sequence[tuple[Step, TransactionOutcome]]) -> list[Check]:
    """Compares the sums before and after with what the successful transactions say; exact, no rounding."""
    added = sum(step.effect for step, outcome in results if succeeded(outcome))
    return [
        Check(f"the counter grew by what was added ({added})", after.count == before.count + added),
        Check(f"token balances sum up to the supply ({after.supply})", sum(after.tokens.values()) == after.supply),
        Check("transfers of the token made and lost no unit", after.supply == before.supply),
        Check(f"the game holds its pot ({after.pot:f} iost)", after.iost[_game(after)] == after.pot),
        Check(
            f"players, game, market and pledges together hold the same iost ({sum(after.iost.values()):f})",
            sum(after.iost.values()) == sum(before.iost.values()),
        ),
        Check("nobody has less than nothing", min(after.tokens.values()) >= 0 and min(after.iost.values()) >= 0),
    ]


def _game(figures: Figures) -> str:
    return next(holder for holder in figures.iost if holder not in PLAYERS and holder not in SYSTEM_HOLDERS)


def check_records(
    client: Client, before: Figures, ids: Mapping[str, str], results: Sequence[tuple[Step, TransactionOutcome]]
) -> list[Check]:
    """Compares receipts and events, read back from the node, with the outcomes it gave."""
    stored = client.receipts([outcome.tx_hash for _, outcome in results])
    same = all(
        item.receipt == outcome.receipt if outcome.HasField("receipt") else not item.HasField("receipt")
        for item, (_, outcome) in zip(stored, results, strict=True)
    )
    counted = sum(step.kind == "count" and succeeded(outcome) for step, outcome in results)
    wanted = EventFilter(contract=ids["counter"], until_head=True)
    posted = list(client.events(wanted, cursor=EventCursor(version=before.version, transaction_index=2**31 - 1)))
    return [
        Check(f"{len(results)} receipts read back are those of the answers", same),
        Check(f"each addition, and nothing else, posted an event ({counted})", len(posted) == counted),
    ]


def show_results(results: Sequence[tuple[Step, TransactionOutcome]]) -> None:
    """Prints a summary of the good transactions, one receipt, and what became of each bad one."""
    rows = []
    for kind, group in itertools.groupby(sorted(results, key=lambda item: item[0].kind), key=lambda item: item[0].kind):
        receipts = [outcome.receipt for _, outcome in group if succeeded(outcome)]
        if receipts:
            average = sum(receipt.gas_usage for receipt in receipts) // len(receipts)
            rows.append((kind, len(receipts), gas_text(average)))
    print_table(("kind", "succeeded", "average gas"), rows, title="\nTransactions that took effect")
    rounds = [outcome for _, outcome in results if any("finish" in entry.content for entry in outcome.receipt.receipts)]
    if rounds:
        console.print("\nA receipt: the last bet of a round")
        print_fields(receipt_fields(rounds[0].receipt))
    # The part of a message behind the description of the action is what differs.
    bad = [
        (step.kind, describe(outcome).partition("error: ")[2] or describe(outcome))
        for step, outcome in results
        if step.expect
    ]
    print_table(
        ("attempt", "what became of it"), bad, title="\nTransactions that had to fail; nothing of them was kept"
    )


def show_figures(before: Figures, after: Figures) -> None:
    """Prints the figures before and after."""
    rows: list[tuple[object, object, object]] = [
        ("version", before.version, after.version),
        ("counter", before.count, after.count),
        ("token supply", before.supply, after.supply),
        *((f"tokens of {player}", before.tokens[player], after.tokens[player]) for player in PLAYERS),
        *(
            (f"iost of {_short(holder)}", f"{before.iost[holder]:f}", f"{after.iost[holder]:f}")
            for holder in after.iost
        ),
        ("round of the game", before.round, after.round),
    ]
    print_table(("", "before", "after"), rows, title="\nState")


def _short(holder: str) -> str:
    return holder if holder in PLAYERS else SYSTEM_HOLDERS.get(holder, "the game")


def show_checks(checks: Sequence[Check]) -> None:
    """Prints the checks."""
    console.print("\nChecks")
    for item in checks:
        console.print(f"  [{'green' if item.holds else 'red'}]{'ok' if item.holds else 'FAILED'}[/]  {item.statement}")


def demonstrate(client: Client, accounts: Accounts, folder: Path) -> bool:
    """Runs the whole demonstration against a node; returns whether all checks hold.

    Raises:
        DemoFailedError: it cannot go on.
        RemoteError: the node cannot be reached or refuses a call.
    """
    ids = publish(client, accounts[ADMIN], folder)
    issue(client, accounts[ADMIN], ids)
    before = read_figures(client, ids)
    with_system = _exist(client, SYSTEM_CONTRACTS)  # a chain of an earlier release may not have them
    steps = [*good_steps(ids, seed=before.version, with_system=with_system), *bad_steps(ids)]
    if with_system:
        steps += bad_system_steps()
    results = list(send(client, accounts, steps))
    after = read_figures(client, ids)
    show_results(results)
    show_figures(before, after)
    wrong = [text for step, outcome in results if (text := step.verdict(outcome))]
    checks = [
        Check(f"all {len(results)} transactions ended as expected", not wrong),
        *check(before, after, results),
        *check_records(client, before, ids, results),
    ]
    show_checks(checks)
    for text in wrong[:10]:
        console.print(f"      {text}", style="red", markup=False)
    return all(item.holds for item in checks)
