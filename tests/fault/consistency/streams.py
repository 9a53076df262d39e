"""Event streams against the record: each subscriber ends with exactly the events of the main chain, in order."""

from collections import defaultdict
from collections.abc import Sequence

from tests.fault.consistency.elle import Report
from tests.fault.consistency.history import Delivered, History, StreamFailed
from tests.fault.consistency.record import Replayed

Event = tuple[int, int, int, str, str]
"""Version, transaction index, event index, transaction hash, data."""


def expected_events(done: Replayed, first_version: int) -> list[Event]:
    """Returns the events of the main chain from a version on."""
    return [
        (version, index, number, stored.tx_hash, data)
        for version, commit in sorted(done.commits.items())
        if version >= first_version
        for index, stored in enumerate(commit.transactions)
        for number, data in enumerate(stored.events)
    ]


def check_streams(history: History, done: Replayed, first_version: int, report: Report) -> dict[str, int]:
    """Replays what each subscriber got, unwinds included; returns the number of messages by subscriber."""
    for failed in history.all(StreamFailed):
        report("stream: a failure that a subscriber must not see", failed=failed)
    by_subscriber: dict[str, list[Delivered]] = defaultdict(list)
    for item in history.all(Delivered):
        by_subscriber[item.subscriber].append(item)
    expected = expected_events(done, first_version)
    for subscriber, items in by_subscriber.items():
        _check(subscriber, _held(subscriber, items, report), expected, report)
    return {subscriber: len(items) for subscriber, items in by_subscriber.items()}


def _held(subscriber: str, items: Sequence[Delivered], report: Report) -> list[Event]:
    """Returns what a subscriber holds at the end, having undone what was unwound."""
    held: list[Event] = []
    for item in items:
        if item.unwind:
            if not item.block_id and item.version:
                report("stream: an unwind without a block id", subscriber=subscriber, item=item)
            while held and held[-1][0] > item.version:
                held.pop()
            continue
        place = (item.version, item.transaction_index, item.event_index)
        if held and place <= held[-1][:3]:
            report("stream: repeated or out of order", subscriber=subscriber, item=item, before=held[-1])
        held.append((*place, item.tx_hash, item.data))
    return held


def _check(subscriber: str, held: Sequence[Event], expected: Sequence[Event], report: Report) -> None:
    wanted, got = set(expected), set(held)
    for event in sorted(wanted - got)[:3]:
        report("stream: an event is missing", subscriber=subscriber, event=event, missing=len(wanted - got))
    for event in sorted(got - wanted)[:3]:
        report("stream: an event of a dropped block is kept", subscriber=subscriber, event=event)
