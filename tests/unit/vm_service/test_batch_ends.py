"""Where a batch may end before its time: at the first transaction of a request, whatever of it need not run."""

from vm_service.worker.intake import Item
from vm_service.worker.run import Outcome, Run


def run_of(*sizes: int, settled: tuple[int, ...] = ()) -> Run:
    """Returns a run of requests with so many transactions, of which some need not run."""
    count = sum(sizes)
    starts = [sum(sizes[:place]) for place in range(1, len(sizes))]
    outcomes = {place: Outcome(tx_hash=bytes([place])) for place in settled}
    places = [place for place in range(count) if place not in outcomes]
    return Run([Item(bytes([place])) for place in range(count)], outcomes, places=places, starts=starts)


def test_a_batch_may_end_where_a_request_begins() -> None:
    assert run_of(1, 1, 1).stops == [1, 2]
    assert run_of(2, 3, 1).stops == [2, 5]
    assert run_of(4).stops == []


def test_transactions_that_need_not_run_do_not_count() -> None:
    assert run_of(2, 2, 2, settled=(0, 2)).stops == [1, 2]
    assert run_of(1, 2, 1, settled=(0,)).stops == [2]
    assert run_of(1, 1, settled=(1,)).stops == []


def test_what_comes_after_the_end_is_left_out() -> None:
    run = run_of(2, 2, 2, settled=(1, 3, 5))
    run.end_before(2)
    assert [item.tx_hash for item in run.items] == [b"\0", b"\1", b"\2", b"\3"]
    assert (run.places, sorted(run.settled)) == ([0, 2], [1, 3])
    assert [outcome.tx_hash for outcome in run.outcomes([Outcome(tx_hash=b"a"), Outcome(tx_hash=b"b")])] == [
        *(b"a", b"\1", b"b", b"\3")
    ]


def test_a_request_whose_first_transaction_need_not_run_is_left_out_whole() -> None:
    run = run_of(1, 2, 1, settled=(1,))
    run.end_before(1)
    assert [item.tx_hash for item in run.items] == [b"\0"]
    assert (run.places, run.settled) == ([0], {})
