"""The store's own record, replayed version by version in the model: what ran, what it saw, what readers were shown."""

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.fault.consistency.elle import Report
from tests.fault.consistency.history import ACCOUNTS, INITIAL, Commit, Read, Sent, Stored
from tests.fault.consistency.model import CONTRACTS, World


@dataclass(slots=True)
class Timeline:
    """Values of one key by version."""

    versions: list[int]
    values: list[object]

    def set(self, version: int, value: object) -> None:
        """Sets the value from a version on. REQUIRES: versions do not fall."""
        self.versions.append(version)
        self.values.append(value)

    def at(self, version: int) -> object:
        """Returns the value as of a version."""
        return self.values[bisect_right(self.versions, version) - 1]


@dataclass(slots=True)
class Replayed:
    """The main chain, as the model ran it."""

    commits: dict[int, Commit] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Version and index of each transaction, by hash."""
    lists: dict[str, Timeline] = field(default_factory=lambda: defaultdict(lambda: Timeline([0], [[]])))
    balances: dict[str, Timeline] = field(default_factory=dict)


def replay(commits: Sequence[Commit], sent: Mapping[str, Sent], report: Report) -> Replayed:
    """Runs every transaction of the record in the model and reports each difference.

    Args:
        commits: the main chain, by version.
        sent: transactions of the workload by hash; others (publications, genesis) are passed over.
        report: takes anomalies.
    """
    done = Replayed()
    world = World()
    done.balances = {key: Timeline([0], [value]) for key, value in world.balances.items()}
    _check_chain(commits, report)
    for commit in commits:
        done.commits[commit.version] = commit
        for index, stored in enumerate(commit.transactions):
            where = {"hash": stored.tx_hash, "version": commit.version, "index": index}
            if stored.tx_hash in done.places:
                report("record: executed twice", before=done.places[stored.tx_hash], **where)
            done.places[stored.tx_hash] = (commit.version, index)
            if (made := sent.get(stored.tx_hash)) is not None:
                lists, balances = dict(world.lists), dict(world.balances)
                _compare(made, stored, world, report, where)
                _note(done, commit.version, lists, balances, world)
        _check_sums(world, commit.version, report)
    return done


def _compare(made: Sent, stored: Stored, world: World, report: Report, where: Mapping[str, object]) -> None:
    """Runs one transaction in the model and compares."""
    looked = world.run(made.steps)
    if (looked is not None) != (stored.status == "SUCCESS"):
        report("record: status differs from the model", status=stored.status, **where)
    elif looked is None:
        if stored.events or stored.looked:
            report("record: a failed transaction left something", **where)
    else:
        if stored.looked != looked:
            report("record: not serial in version order", got=stored.looked, model=looked, **where)
        if stored.events != [made.tx_id]:
            report("record: events differ", events=stored.events, **where)


def _check_sums(world: World, version: int, report: Report) -> None:
    for contract in range(CONTRACTS):
        total = sum(value for key, value in world.balances.items() if key.startswith(f"{contract}/"))
        if total != ACCOUNTS * INITIAL:
            report("record: the sum changed", contract=contract, version=version, total=total)


def _note(done: Replayed, version: int, lists: dict[str, list[int]], balances: dict[str, int], world: World) -> None:
    for key, values in world.lists.items():
        if values is not lists.get(key):
            done.lists[key].set(version, values)
    for name, value in world.balances.items():
        if value != balances[name]:
            done.balances[name].set(version, value)


def _check_chain(commits: Sequence[Commit], report: Report) -> None:
    for one, other in itertools.pairwise(commits):
        where = {"versions": (one.version, other.version)}
        if other.version != one.version + 1 or other.parent_id != one.block_id:
            report("record: the chain has a gap", **where)
        if other.number <= one.number:
            report("record: block number does not grow", numbers=(one.number, other.number), **where)
        if other.time_ns <= one.time_ns:
            report("record: block time does not grow", times=(one.time_ns, other.time_ns), **where)


def check_reads(reads: Iterable[Read], done: Replayed, report: Report) -> None:
    """Compares reads with the model at their versions. REQUIRES: no read is of a dropped branch."""
    for read in reads:
        where = {"version": read.version, "newest": read.newest}
        for key, values in read.lists.items():
            if done.lists[key].at(read.version) != values:
                report("read: list differs from the model", key=key, got=values, **where)
        for key, value in read.balances.items():
            if done.balances[key].at(read.version) != value:
                report("read: balance differs from the model", key=key, got=value, **where)
