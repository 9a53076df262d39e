"""A sound history without any service, and every way to spoil it that the judge must find.

`sound` plays the workload against the model: a serial store whose callers, readers and subscribers see the truth. Each
entry of `SPOILS` makes one lie of it, named after the fault of a store that would cause it.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from tests.fault.consistency.history import (
    Append,
    Attempt,
    Commit,
    Delivered,
    Entry,
    Fail,
    Head,
    Look,
    Move,
    Outcome,
    Read,
    Reorganised,
    Sent,
    Step,
    Stored,
)
from tests.fault.consistency.model import World

E = TypeVar("E")
KEYS = [f"{number % 2}/{number}" for number in range(4)]
TRANSACTIONS = 120
FORK_AT = 80
"""Version after which the history has a reorganisation: two versions were dropped and replaced."""


def digest(*parts: object) -> str:
    """Returns a hash that stands for a receipt, block id or commitment."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _steps(number: int, chance: random.Random) -> list[Step]:
    if chance.random() < 0.25:
        one, other = chance.sample(range(6), 2)
        contract = chance.randrange(2)
        return [Move(f"{contract}/p{one}", f"{contract}/p{other}", chance.choice((1, 10, 700)))]
    steps: list[Step] = []
    for place in range(chance.randint(2, 4)):
        key = chance.choice(KEYS)
        steps.append(Append(key, number * 10 + place) if chance.random() < 0.5 else Look(key))
    if chance.random() < 0.1:
        steps.append(Fail())
    return steps


def sound(seed: int = 1) -> list[Entry]:
    """Returns a history without anomalies: transactions, retries, reads, heads, two subscribers, a reorganisation."""
    chance, world = random.Random(seed), World()
    entries: list[Entry] = []
    parent = ""
    for version in range(1, TRANSACTIONS + 1):
        start, end = float(version), version + 0.5
        if version == FORK_AT + 1:
            entries += _dropped(version, parent, start)
            start, end = start + 0.6, end + 0.4
        steps, tx_hash, tx_id = _steps(version, chance), digest("tx", version), f"t{version}"
        looked = world.run(steps)
        status = "RUNTIME_ERROR" if looked is None else "SUCCESS"
        events = [] if looked is None else [tx_id]
        stored = Stored(tx_hash, status, digest("receipt", version), looked or [], events)
        commit = Commit(
            version, digest("block", version), parent, digest("commitment", version), version, version * 1000, [stored]
        )
        parent = commit.block_id
        outcome = Outcome("EXECUTED", status, "", stored.receipt, stored.looked, events, version, commit.commitment)
        attempts = [Attempt(start, end, 0, outcome)]
        if chance.random() < 0.2:
            again = msgspec.structs.replace(outcome, verdict="DUPLICATE")
            attempts.append(Attempt(end, end + 0.1, 1, again))
        entries.append(Sent(tx_id, tx_hash, steps, "single", attempts))
        entries.append(commit)
        entries += [
            Delivered(subscriber, version, commit.block_id, 0, place, tx_hash, data)
            for subscriber in ("library", "own")
            for place, data in enumerate(events)
        ]
        lists = {key: list(world.lists.get(key, [])) for key in KEYS}
        entries.append(Read(end + 0.15, end + 0.2, version, lists, dict(world.balances)))
        entries.append(Head(end + 0.15, end + 0.2, version, max(0, version - 10), commit.commitment))
    return entries


def _dropped(version: int, parent: str, start: float) -> list[Entry]:
    """Two versions that a reorganisation drops: seen, acknowledged, then void."""
    entries: list[Entry] = []
    for place in range(2):
        tx_hash, tx_id, block_id = digest("void", place), f"void{place}", digest("void block", place)
        outcome = Outcome(
            *("EXECUTED", "SUCCESS", "", digest("void receipt", place), [], [tx_id]),
            *(version + place, digest("void commitment", place)),
        )
        at = start + place * 0.1
        entries.append(
            Sent(tx_id, tx_hash, [Append(KEYS[0], -1 - place)], "block", [Attempt(at, at + 0.05, 0, outcome)])
        )
        entries.append(Delivered("own", version + place, block_id, 0, 0, tx_hash, tx_id))
    entries.append(Reorganised(start + 0.3, start + 0.5, version - 1))
    entries.append(Delivered("own", version - 1, parent, 2**31 - 1, 2**31 - 1, unwind=True))
    return entries


# -- spoiling ----------------------------------------------------------------------------------------------------------


def _places(entries: Sequence[Entry], kind: type[E], fits: Callable[[E], bool] = lambda _: True) -> list[int]:
    return [place for place, entry in enumerate(entries) if isinstance(entry, kind) and fits(entry)]


def _middle(places: Sequence[int]) -> int:
    return places[len(places) // 2]


def _change(entries: list[Entry], place: int, **values: object) -> None:
    entries[place] = msgspec.structs.replace(entries[place], **values)


def _succeeded(sent: Sent) -> bool:
    outcome = sent.attempts[0].outcome
    return sent.kind == "single" and outcome is not None and outcome.status == "SUCCESS"


def _saw_several(sent: Sent) -> bool:
    """Tells whether a transaction looked at a list of others' values, and appended something."""
    outcome = sent.attempts[0].outcome
    looked = [] if outcome is None else outcome.looked
    own = {step.key for step in sent.steps if isinstance(step, Append)}
    keys = [step.key for step in sent.steps if isinstance(step, Look)]
    return bool(own) and any(len(values) > 2 and key not in own for key, values in zip(keys, looked, strict=False))


def _answer(entries: list[Entry], place: int, attempt: int = 0, **values: object) -> None:
    """Changes what an answer says; the store's record keeps the truth."""
    sent = entries[place]
    assert isinstance(sent, Sent)
    attempts = list(sent.attempts)
    outcome = attempts[attempt].outcome
    assert outcome is not None
    attempts[attempt] = msgspec.structs.replace(attempts[attempt], outcome=msgspec.structs.replace(outcome, **values))
    _change(entries, place, attempts=attempts)


def _stored(entries: list[Entry], place: int, **values: object) -> None:
    commit = entries[place]
    assert isinstance(commit, Commit)
    _change(entries, place, transactions=[msgspec.structs.replace(commit.transactions[0], **values)])


def _looked(entries: list[Entry], change: Callable[[list[int]], list[int]]) -> None:
    place = _middle(_places(entries, Sent, lambda item: _succeeded(item) and _saw_several(item)))
    sent = entries[place]
    assert isinstance(sent, Sent)
    outcome = sent.attempts[0].outcome
    assert outcome is not None
    own = {step.key for step in sent.steps if isinstance(step, Append)}
    keys = [step.key for step in sent.steps if isinstance(step, Look)]
    looked = [
        change(list(values)) if key not in own and len(values) > 2 else values
        for key, values in zip(keys, outcome.looked, strict=True)
    ]
    _answer(entries, place, looked=looked)


def lost_append(entries: list[Entry]) -> None:
    """The last read lacks a value that was acknowledged."""
    place = _places(entries, Read)[-1]
    read = entries[place]
    assert isinstance(read, Read)
    _change(entries, place, lists={key: values[:-1] for key, values in read.lists.items()})


def swapped_values(entries: list[Entry]) -> None:
    """A look shows two appends in another order."""
    _looked(entries, lambda values: [values[1], values[0], *values[2:]])


def stale_look(entries: list[Entry]) -> None:
    """A transaction looked at an old list and appended on newer ones."""
    _looked(entries, lambda values: values[:-2])


def repeated_value(entries: list[Entry]) -> None:
    """A list holds a value twice: an append was applied twice."""
    _looked(entries, lambda values: [*values, values[-1]])


def foreign_value(entries: list[Entry]) -> None:
    """A list holds a value that no transaction appended."""
    _looked(entries, lambda values: [*values[:-1], 999_999])


def aborted_read(entries: list[Entry]) -> None:
    """A read shows the append of a failed transaction."""
    failed = next(
        entry
        for entry in entries
        if isinstance(entry, Sent)
        and any(isinstance(step, Fail) for step in entry.steps)
        and isinstance(entry.steps[0], Append)
    )
    step = failed.steps[0]
    assert isinstance(step, Append)
    place = _places(entries, Read)[-1]
    read = entries[place]
    assert isinstance(read, Read)
    _change(entries, place, lists={**read.lists, step.key: [*read.lists[step.key], step.value]})


def failed_left_event(entries: list[Entry]) -> None:
    """A failed transaction announced something."""
    _stored(entries, _places(entries, Commit, lambda item: item.transactions[0].status != "SUCCESS")[0], events=["x"])


def executed_twice(entries: list[Entry]) -> None:
    """Two versions hold the same transaction."""
    places = _places(entries, Commit)
    first, last = entries[places[3]], entries[places[-3]]
    assert isinstance(first, Commit)
    assert isinstance(last, Commit)
    _change(entries, places[-3], transactions=[*last.transactions, first.transactions[0]])


def lost_transaction(entries: list[Entry]) -> None:
    """A version lost a transaction that was acknowledged."""
    _change(entries, _middle(_places(entries, Commit, lambda item: item.version < FORK_AT)), transactions=[])


def swapped_versions(entries: list[Entry]) -> None:
    """Two versions hold each other's transactions."""
    places = _places(entries, Commit)
    one, other = places[30], places[50]
    first, second = entries[one], entries[other]
    assert isinstance(first, Commit)
    assert isinstance(second, Commit)
    _change(entries, one, transactions=second.transactions)
    _change(entries, other, transactions=first.transactions)


def gap(entries: list[Entry]) -> None:
    """The record lacks a version."""
    entries.pop(_middle(_places(entries, Commit)))


def time_goes_back(entries: list[Entry]) -> None:
    """A block's time lies before its parent's."""
    _change(entries, _middle(_places(entries, Commit)), time_ns=1)


def number_repeats(entries: list[Entry]) -> None:
    """Two blocks have one number."""
    place = _middle(_places(entries, Commit))
    commit = entries[place]
    assert isinstance(commit, Commit)
    _change(entries, place, number=commit.number - 1)


def wrong_balance(entries: list[Entry]) -> None:
    """A read shows a balance that never was."""
    place = _middle(_places(entries, Read, lambda item: item.version > FORK_AT))
    read = entries[place]
    assert isinstance(read, Read)
    _change(entries, place, balances={**read.balances, "0/p0": read.balances["0/p0"] + 1})


def other_receipt(entries: list[Entry]) -> None:
    """An answer holds another receipt than the store."""
    _answer(entries, _middle(_places(entries, Sent, _succeeded)), receipt="00")


def answer_without_events(entries: list[Entry]) -> None:
    """An answer lacks the events of its transaction."""
    _answer(entries, _middle(_places(entries, Sent, _succeeded)), events=[])


def answer_without_commitment(entries: list[Entry]) -> None:
    """An answer names no commitment."""
    _answer(entries, _middle(_places(entries, Sent, _succeeded)), commitment="")


def lost_acknowledged(entries: list[Entry]) -> None:
    """An acknowledged version is not on the chain, and no reorganisation explains it."""
    _answer(entries, _places(entries, Sent, _succeeded)[-1], commitment="ff")


def duplicate_said_executed(entries: list[Entry]) -> None:
    """A repeated transaction is answered as executed anew, at another version."""
    place = _places(entries, Sent, lambda item: _succeeded(item) and len(item.attempts) > 1)[0]
    last = [entry for entry in entries if isinstance(entry, Commit)][-1]
    _answer(entries, place, 1, verdict="EXECUTED", version=last.version, commitment=last.commitment)


def _failed_call(entries: list[Entry], code: str, reason: str) -> None:
    place = _middle(_places(entries, Sent))
    sent = entries[place]
    assert isinstance(sent, Sent)
    first = sent.attempts[0]
    _change(entries, place, attempts=[Attempt(first.start, first.start, 0, None, code, reason), *sent.attempts])


def cancelled(entries: list[Entry]) -> None:
    """A caller got CANCELLED, which nothing retries."""
    _failed_call(entries, "CANCELLED", "")


def conflict(entries: list[Entry]) -> None:
    """A caller got a conflict between batches."""
    _failed_call(entries, "ABORTED", "WRITE_CONFLICT")


def old_head(entries: list[Entry]) -> None:
    """A head is older than one that was answered before."""
    place = _places(entries, Head)[-1]
    _change(entries, place, version=TRANSACTIONS - 20, final_version=TRANSACTIONS - 30)


def finality_goes_back(entries: list[Entry]) -> None:
    """A final version is no longer final."""
    _change(entries, _places(entries, Head)[-1], final_version=3)


def old_read(entries: list[Entry]) -> None:
    """A read of the newest version shows the state of an earlier one."""
    places = _places(entries, Read)
    early, late = entries[places[-20]], entries[places[-1]]
    assert isinstance(early, Read)
    assert isinstance(late, Read)
    entries[places[-1]] = msgspec.structs.replace(early, start=late.start, end=late.end)


def lost_event(entries: list[Entry]) -> None:
    """A subscriber misses an event."""
    entries.pop(_middle(_places(entries, Delivered, lambda item: item.subscriber == "own" and not item.unwind)))


def repeated_event(entries: list[Entry]) -> None:
    """A subscriber gets an event twice."""
    place = _middle(_places(entries, Delivered, lambda item: item.subscriber == "library"))
    entries.insert(place, entries[place])


def forgotten_unwind(entries: list[Entry]) -> None:
    """A subscriber is not told that events are void."""
    entries.pop(_places(entries, Delivered, lambda item: item.unwind)[0])


def unwind_too_high(entries: list[Entry]) -> None:
    """An unwind names the dropped version instead of the newest common one."""
    place = _places(entries, Delivered, lambda item: item.unwind)[0]
    _change(entries, place, version=FORK_AT + 1)


def unwind_without_id(entries: list[Entry]) -> None:
    """An unwind names no block."""
    _change(entries, _places(entries, Delivered, lambda item: item.unwind)[0], block_id="")


SPOILS: dict[Callable[[list[Entry]], None], str] = {
    lost_append: "read: list differs from the model",
    swapped_values: "elle: incompatible orders",
    stale_look: "elle: cycle with real time",
    repeated_value: "elle: value twice in a list",
    foreign_value: "elle: value from nowhere",
    aborted_read: "elle: aborted read",
    failed_left_event: "record: a failed transaction left something",
    executed_twice: "record: executed twice",
    lost_transaction: "answer: acknowledged and lost",
    swapped_versions: "record: not serial in version order",
    gap: "record: the chain has a gap",
    time_goes_back: "record: block time does not grow",
    number_repeats: "record: block number does not grow",
    wrong_balance: "read: balance differs from the model",
    other_receipt: "answer: differs from the stored receipt",
    answer_without_events: "answer: events are missing",
    answer_without_commitment: "answer: not complete",
    lost_acknowledged: "answer: acknowledged and lost",
    duplicate_said_executed: "answer: executed by several batches",
    cancelled: "answer: a failure that callers must not see",
    conflict: "answer: a failure that callers must not see",
    old_head: "real time: older than what was known",
    finality_goes_back: "head: finality went back",
    old_read: "real time: older than what was known",
    lost_event: "stream: an event is missing",
    repeated_event: "stream: repeated or out of order",
    forgotten_unwind: "stream: an event of a dropped block is kept",
    unwind_too_high: "stream: an event of a dropped block is kept",
    unwind_without_id: "stream: an unwind without a block id",
}
"""Every way to spoil a sound history, and the anomaly that the judge must name for it."""
