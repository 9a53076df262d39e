"""The figures of an open store, in one table: `GetStats` answers them and the metrics page shows them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chassis.metrics import MetricRow, Metrics
from state_service.store import Store


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure."""

    name: str
    """Its last word is its unit; `total` counts since the start."""
    help: str
    """What it counts, a sentence."""
    read: Callable[[Store], int]
    """Reads it from an open store."""


FIGURES = (
    Figure("head_version", "Newest version of the main chain.", lambda s: s.tree.head.version),
    Figure("final_version", "Newest final version.", lambda s: min(s.tree.final.version, s.tree.head.version)),
    Figure("base_version", "Newest folded version.", lambda s: s.tree.root.version),
    Figure("oldest_version", "Oldest version that can be read.", lambda s: s.reader.oldest_version),
    Figure("writer_epoch", "Epoch of the writer.", lambda s: s.reader.epoch),
    Figure("l2_block_count", "Live blocks, branches and the newest folded one included.", lambda s: len(s.tree)),
    Figure("l2_bytes", "Memory of versions not yet folded.", lambda s: s.tree.held_bytes),
    Figure("l2_limit_bytes", "Limit of l2_bytes.", lambda s: s.config.l2_bytes),
    Figure("l1_entry_count", "Cached entries.", lambda s: len(s.cache)),
    Figure("l1_bytes", "Memory of cached entries.", lambda s: s.cache.byte_count),
    Figure("l1_limit_bytes", "Limit of l1_bytes.", lambda s: s.cache.limit_bytes),
    Figure("l1_hits_total", "Keys found in L1.", lambda s: s.cache.counts.hits),
    Figure("l1_misses_total", "Keys not found in L1.", lambda s: s.cache.counts.misses),
    Figure("l1_fills_total", "Entries added by readers.", lambda s: s.cache.counts.fills),
    Figure("l1_refused_fills_total", "Fills that came after an apply.", lambda s: s.cache.counts.refused_fills),
    Figure("l1_evictions_total", "Entries dropped for room.", lambda s: s.cache.counts.evictions),
    Figure("l1_drops_total", "Times L1 was dropped whole.", lambda s: s.cache.counts.drops),
    Figure("l1_checks_total", "Sampled hits compared with the store.", lambda s: s.cache.counts.checks),
    Figure("l1_mismatches_total", "Sampled hits that differed: must stay 0.", lambda s: s.cache.counts.mismatches),
    Figure("journal_commits_total", "Commits that became durable.", lambda s: s.journal.counts.commits),
    Figure("journal_groups_total", "Engine batches that carried them.", lambda s: s.journal.counts.groups),
    Figure("journal_synced_groups_total", "Those that were synced.", lambda s: s.journal.counts.synced_groups),
    Figure("journal_bytes_total", "Bytes of commit records.", lambda s: s.journal.counts.record_bytes),
    Figure("history_count", "Folded versions still recorded.", lambda s: len(s.history)),
    Figure("history_oldest_version", "Oldest of them; 0: none.", lambda s: s.history.oldest_version),
    Figure("history_bytes", "Size of their records before compression.", lambda s: s.history.retention.byte_count),
    Figure("history_limit_bytes", "Limit of history_bytes.", lambda s: s.history.retention.keep_bytes),
    Figure("folds_total", "Folds.", lambda s: s.flusher.counts.folds),
    Figure("folded_versions_total", "Versions folded.", lambda s: s.flusher.counts.folded_versions),
    Figure("folded_writes_total", "Writes of those versions.", lambda s: s.flusher.counts.folded_writes),
    Figure("stored_writes_total", "Writes left after coalescing.", lambda s: s.flusher.counts.stored_writes),
    Figure("place_holders_count", "Open streams that hold places.", lambda s: s.places.holder_count),
    Figure("places_count", "Places handed out whose commit is not attached yet.", lambda s: s.places.count),
    Figure("places_handed_out_total", "Places handed out.", lambda s: s.places.counts.handed_out),
    Figure("places_used_total", "Places whose commit was attached.", lambda s: s.places.counts.used),
    Figure("places_given_back_total", "Places given back without a commit.", lambda s: s.places.counts.given_back),
    Figure("places_left_total", "Places of holders whose stream ended.", lambda s: s.places.counts.left),
    Figure("places_overtaken_total", "Places that others overtook.", lambda s: s.places.counts.overtaken),
    Figure("places_expired_total", "Places that reached their limit.", lambda s: s.places.counts.expired),
    Figure("places_late_total", "Commits refused since their place had passed.", lambda s: s.places.counts.late),
    Figure("place_waits_total", "Views and commits that waited for a place.", lambda s: s.places.counts.waits),
    Figure("stream_count", "Change and event streams open now.", lambda s: s.feed.followers),
    Figure("writes_stopped_count", "1 after an uncertain write, else 0.", lambda s: int(s.journal.failure is not None)),
)


class FigureCollector(Collector):
    """Shows the figures on the metrics page, read when it is asked for."""

    def __init__(self, metrics: Metrics, store: Callable[[], Store | None]) -> None:
        """Registers with the metrics of the service.

        Args:
            metrics: Metrics of the service.
            store: Returns the open store; None while there is none.
        """
        self._store = store
        self._rows = [
            MetricRow(f"v8vm_state_{f.name}", "counter" if f.name.endswith("_total") else "gauge", f.help, ())
            for f in FIGURES
        ]
        metrics.rows.extend(self._rows)
        metrics.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yields the figures of the open store."""
        store = self._store()
        if store is None:
            return
        for figure, row in zip(FIGURES, self._rows, strict=True):
            family = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
            yield family(row.name, row.help, value=figure.read(store))
