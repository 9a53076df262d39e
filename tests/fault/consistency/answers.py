"""Answers against the record: complete, equal to the stored receipts, truthful, in an order that time allows."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tests.fault.consistency.elle import Answers, Report
from tests.fault.consistency.history import Attempt, Head, History, Outcome, Read, Reorganised, Sent, Stored
from tests.fault.consistency.model import appended
from tests.fault.consistency.record import Replayed

EXECUTED, DUPLICATE = "EXECUTED", "DUPLICATE"
HIDDEN_CODES = {"CANCELLED", "INTERNAL", "UNKNOWN"}
"""gRPC statuses that no caller may see: a stopping service says UNAVAILABLE, and a bug is a bug."""

HIDDEN_REASONS = {"WRITE_CONFLICT"}
"""Conflicts of batches with each other are the services' matter."""


class Chain:
    """Tells answers of the surviving chain from answers that a reorganisation made void."""

    def __init__(self, done: Replayed, reorganised: Sequence[Reorganised]) -> None:
        self._done = done
        self._reorganised = reorganised

    def survives(self, outcome: Outcome) -> bool:
        """Tells whether the version that an answer names is on the main chain at the end."""
        commit = self._done.commits.get(outcome.version)
        return commit is not None and commit.commitment == outcome.commitment

    def may_be_void(self, version: int, start: float) -> bool:
        """Tells whether a reorganisation after a moment can have dropped a version."""
        return any(item.fork_version < version and item.end >= start for item in self._reorganised)


def collect(sent: Sequence[Sent], chain: Chain) -> Answers:
    """Sorts transactions by what their callers learnt of them and still holds."""
    answers = Answers()
    for item in sent:
        for key, value in appended(item.steps):
            answers.writer[key, value] = item.tx_id
        for attempt in item.attempts:
            outcome = attempt.outcome
            if outcome is None or not outcome.status or not chain.survives(outcome):
                continue
            if outcome.status == "SUCCESS":
                answers.succeeded.setdefault(item.tx_id, (item, attempt))
            else:
                answers.failed.update(appended(item.steps))
            break
    return answers


def _outcomes(sent: Sequence[Sent]) -> Iterator[tuple[Sent, Attempt, Outcome]]:
    for item in sent:
        for attempt in item.attempts:
            if attempt.outcome is not None:
                yield item, attempt, attempt.outcome


def check_answers(history: History, done: Replayed, chain: Chain, report: Report) -> dict[str, int]:
    """Compares every answer with the record; returns how many there were of each verdict."""
    sent = history.all(Sent)
    for item in sent:
        for attempt in item.attempts:
            if attempt.code in HIDDEN_CODES or attempt.reason in HIDDEN_REASONS:
                report("answer: a failure that callers must not see", code=attempt.code, reason=attempt.reason)
    counts: dict[str, int] = defaultdict(int)
    for item, attempt, outcome in _outcomes(sent):
        counts[outcome.verdict] += 1
        if outcome.verdict in (EXECUTED, DUPLICATE):
            _check_executed(item, attempt, outcome, done, chain, report)
    _check_firsts(sent, chain, report)
    return dict(counts)


def _check_executed(
    item: Sent, attempt: Attempt, outcome: Outcome, done: Replayed, chain: Chain, report: Report
) -> None:
    where = {"hash": item.tx_hash, "verdict": outcome.verdict, "version": outcome.version}
    if not outcome.receipt or not outcome.commitment or not outcome.version:
        report("answer: not complete", **where)
        return
    if outcome.status == "SUCCESS" and not outcome.events:
        report("answer: events are missing", **where)
    place = done.places.get(item.tx_hash)
    if place is None or not chain.survives(outcome):
        # A block may lie beside the main chain from the start: another commit came before it on the same parent.
        if item.kind != "block" and not chain.may_be_void(outcome.version, attempt.start):
            report("answer: acknowledged and lost", place=place, **where)
        return
    if outcome.verdict == EXECUTED and place[0] != outcome.version:
        report("answer: another version than the record's", place=place, **where)
    if outcome.verdict == DUPLICATE and place[0] > outcome.version:
        report("answer: a duplicate of something later", place=place, **where)
    stored = done.commits[place[0]].transactions[place[1]]
    if not _equal(outcome, stored):
        report("answer: differs from the stored receipt", stored=stored, **where)


def _equal(outcome: Outcome, stored: Stored) -> bool:
    same = (outcome.receipt, outcome.status, outcome.looked) == (stored.receipt, stored.status, stored.looked)
    return same and outcome.events == stored.events


def _check_firsts(sent: Sequence[Sent], chain: Chain, report: Report) -> None:
    """Of several answers that survive, at most one batch executed the transaction."""
    for item in sent:
        versions = {
            attempt.outcome.version
            for attempt in item.attempts
            if attempt.outcome is not None and attempt.outcome.verdict == EXECUTED and chain.survives(attempt.outcome)
        }
        if len(versions) > 1:
            report("answer: executed by several batches", hash=item.tx_hash, versions=sorted(versions))


def check_real_time(history: History, done: Replayed, chain: Chain, report: Report) -> None:
    """Checks that what was known is seen by everything that began later."""
    known = [
        (attempt.end, done.places[item.tx_hash][0], f"transaction {item.tx_hash}")
        for item, attempt, outcome in _outcomes(history.all(Sent))
        if item.tx_hash in done.places and outcome.receipt and chain.survives(outcome)
    ]
    known += [(read.end, read.version, "a read") for read in history.all(Read)]
    known += [(head.end, head.version, "a head") for head in history.all(Head)]
    later = [(read.start, read.version) for read in history.all(Read) if read.newest]
    later += [(head.start, head.version) for head in history.all(Head)]
    for (start, version), (since, newest, source) in _with_newest_known(later, known):
        if version < newest and not chain.may_be_void(newest, since):
            report("real time: older than what was known", at=start, version=version, known=newest, by=source)


def check_finality(history: History, report: Report) -> None:
    """Checks that the final version is never beyond the head and never goes back."""
    heads = history.all(Head)
    for head in heads:
        if head.final_version > head.version:
            report("head: final beyond the head", head=head)
    known = [(head.end, head.final_version, "a head") for head in heads]
    later = [(head.start, head.final_version) for head in heads]
    for (start, final), (_, newest, _) in _with_newest_known(later, known):
        if final < newest:
            report("head: finality went back", at=start, final=final, known=newest)


Known = tuple[float, int, str]
"""When a version was known, the version, and by what."""


def _with_newest_known(
    later: Sequence[tuple[float, int]], known: Sequence[Known]
) -> Iterator[tuple[tuple[float, int], Known]]:
    """Yields each answer that began at a time, with the newest version known before that time."""
    ordered, at = sorted(known), 0
    newest: Known = (0.0, 0, "nothing")
    for item in sorted(later):
        while at < len(ordered) and ordered[at][0] < item[0]:
            if ordered[at][1] >= newest[1]:
                newest = ordered[at]
            at += 1
        yield item, newest
