"""The list-append analysis of Elle, from answers alone: no knowledge of versions or of the store's own record.

Values are unique, so the longest list seen of a key gives the order of all appends to it. From it follow the edges
between transactions: `ww` one append after another, `wr` a look that saw an append, `rw` a look that came before an
append. A cycle means that no serial order explains the answers; with edges of real time, that none does which respects
what callers knew. See Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations".
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fault.consistency.history import Append, Attempt, Look, Sent
from tests.fault.consistency.model import appended

Report = Callable[..., None]
"""Takes the kind of an anomaly and its evidence."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A list that a transaction or a reader saw, with what the transaction had appended itself before."""

    who: str
    key: str
    values: Sequence[int]
    mine: Sequence[int] = ()
    transaction: bool = True


@dataclass(slots=True)
class Answers:
    """Transactions by what callers learnt of them."""

    succeeded: dict[str, tuple[Sent, Attempt]] = field(default_factory=dict)
    failed: set[tuple[str, int]] = field(default_factory=set)
    """Appends of transactions that failed."""
    writer: dict[tuple[str, int], str] = field(default_factory=dict)
    """Transaction of each append, whatever became of it."""


def observations(sent: Sent, attempt: Attempt) -> list[Observed]:
    """Returns what a successful transaction saw."""
    assert attempt.outcome is not None
    looked = iter(attempt.outcome.looked)
    mine: dict[str, list[int]] = defaultdict(list)
    found = []
    for step in sent.steps:
        match step:
            case Append(key, value):
                mine[key].append(value)
            case Look(key):
                found.append(Observed(sent.tx_id, key, next(looked), tuple(mine[key])))
    return found


def analyse(answers: Answers, reads: Iterable[Observed], report: Report) -> dict[str, int]:
    """Reports every anomaly; returns how much there was to judge."""
    seen = [*reads]
    for sent, attempt in answers.succeeded.values():
        seen += observations(sent, attempt)
    orders = _orders(seen, report)
    for item in seen:
        _judge(item, answers, orders[item.key], report)
    edges = _edges(seen, orders, answers)
    for part in components(edges):
        report("elle: cycle", nodes=part[:8])
    for part in components(_with_real_time(edges, answers)):
        report("elle: cycle with real time", nodes=[node for node in part if isinstance(node, str)][:8])
    return {"lists seen": len(seen), "keys": len(orders), "edges": sum(map(len, edges.values()))}


def _orders(seen: Sequence[Observed], report: Report) -> dict[str, Sequence[int]]:
    orders: dict[str, Sequence[int]] = {}
    for item in seen:
        if len(set(item.values)) != len(item.values):
            report("elle: value twice in a list", who=item.who, key=item.key, values=item.values)
        if len(item.values) > len(orders.get(item.key, ())):
            orders[item.key] = item.values
        orders.setdefault(item.key, ())
    return orders


def _judge(item: Observed, answers: Answers, order: Sequence[int], report: Report) -> None:
    evidence: dict[str, Any] = {"who": item.who, "key": item.key, "values": item.values}
    if list(order[: len(item.values)]) != list(item.values):
        report("elle: incompatible orders", longest=order, **evidence)
    if item.mine and list(item.values[-len(item.mine) :]) != list(item.mine):
        report("elle: own append not seen", mine=item.mine, **evidence)
    for value in item.values:
        if (item.key, value) in answers.failed:
            report("elle: aborted read", value=value, **evidence)
        if (item.key, value) not in answers.writer:
            report("elle: value from nowhere", value=value, **evidence)
    writer = answers.writer.get((item.key, item.values[-1])) if item.values else None
    if writer in answers.succeeded and writer != item.who:
        last = [value for key, value in appended(answers.succeeded[writer][0].steps) if key == item.key][-1]
        if item.values[-1] != last:
            report("elle: intermediate read", writer=writer, **evidence)


def _edges(seen: Sequence[Observed], orders: Mapping[str, Sequence[int]], answers: Answers) -> dict[Any, set[Any]]:
    graph: dict[Any, set[Any]] = defaultdict(set)

    def edge(one: str | None, other: str | None) -> None:
        if one is not None and other is not None and one != other:
            graph[one].add(other)
            graph.setdefault(other, set())

    for key, order in orders.items():
        writers = [answers.writer.get((key, value)) for value in order]
        for one, other in itertools.pairwise(writers):
            edge(one, other)
    for item in seen:
        if not item.transaction:
            continue
        own = {value for value in orders[item.key] if answers.writer.get((item.key, value)) == item.who}
        before = [value for value in item.values if value not in own]
        after = [value for value in orders[item.key][len(item.values) :] if value not in own]
        if before:
            edge(answers.writer.get((item.key, before[-1])), item.who)
        if after:
            edge(item.who, answers.writer.get((item.key, after[0])))
    return graph


def _with_real_time(edges: Mapping[Any, set[Any]], answers: Answers) -> dict[Any, set[Any]]:
    """Adds an edge from each acknowledged transaction to every later one, by way of a chain of barriers."""
    graph = defaultdict(set, {node: set(after) for node, after in edges.items()})
    ends = sorted((attempt.end, tx_id) for tx_id, (_, attempt) in answers.succeeded.items())
    starts = sorted((sent.attempts[0].start, tx_id) for tx_id, (sent, _) in answers.succeeded.items())
    at, barrier = 0, None
    for start, tx_id in starts:
        ended = []
        while at < len(ends) and ends[at][0] < start:
            ended.append(ends[at][1])
            at += 1
        if ended:
            fresh = ("barrier", at)
            for one in ended:
                graph[one].add(fresh)
            if barrier is not None:
                graph[barrier].add(fresh)
            graph.setdefault(fresh, set())
            barrier = fresh
        if barrier is not None:
            graph[barrier].add(tx_id)
            graph.setdefault(tx_id, set())
    return graph


def components(graph: Mapping[Any, set[Any]]) -> list[list[Any]]:
    """Returns the strongly connected components of more than one node (Tarjan, without recursion)."""
    search = _Search()
    for root in graph:
        if root not in search.index:
            search.walk(graph, root)
    return search.found


class _Search:
    """The state of Tarjan's algorithm."""

    def __init__(self) -> None:
        self.index: dict[Any, int] = {}
        self.found: list[list[Any]] = []
        self._low: dict[Any, int] = {}
        self._open: dict[Any, None] = {}  # nodes whose component is not complete, in the order of their visit

    def walk(self, graph: Mapping[Any, set[Any]], root: Any) -> None:
        """Visits all that can be reached from a node."""
        work = [(root, self._enter(graph, root))]
        while work:
            node, successors = work[-1]
            following = next(successors, None)
            if following is None:
                work.pop()
                self._leave(node, work[-1][0] if work else None)
            elif following not in self.index:
                work.append((following, self._enter(graph, following)))
            elif following in self._open:
                self._low[node] = min(self._low[node], self.index[following])

    def _enter(self, graph: Mapping[Any, set[Any]], node: Any) -> Iterator[Any]:
        self.index[node] = self._low[node] = len(self.index)
        self._open[node] = None
        return iter(graph[node])

    def _leave(self, node: Any, parent: Any) -> None:
        if parent is not None:
            self._low[parent] = min(self._low[parent], self._low[node])
        if self._low[node] < self.index[node]:
            return
        part = []
        while not part or part[-1] != node:
            part.append(self._open.popitem()[0])
        if len(part) > 1:
            self.found.append(part)
