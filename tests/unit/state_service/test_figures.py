"""Figures: the table is what the metrics page shows, and configuration is what `--help` promises."""

import pytest

from chassis.config import ConfigError, parse
from chassis.metrics import Metrics
from state_service.config import StateConfig
from state_service.figures import FIGURES, FigureCollector
from tests.support.state_store import commit, opened


async def test_the_metrics_page_shows_every_figure_of_the_open_store() -> None:
    metrics = Metrics("state")
    async with opened() as store:
        shown = [store]
        FigureCollector(metrics, lambda: shown[0] if shown else None)
        await commit(store, "c1", {"k": "1"})
        page = metrics.text()
        lines = dict(line.split() for line in page.splitlines() if not line.startswith("#"))
        figures = {f"v8vm_state_{figure.name}": figure.read(store) for figure in FIGURES}
        assert {name: float(lines[name]) for name in figures} == figures
        assert "# TYPE v8vm_state_journal_commits_total counter" in page
        shown.clear()
        assert "v8vm_state_head_version" not in metrics.text()
    assert figures.keys() < {row.name for row in metrics.rows}


def test_a_misspelt_or_impossible_setting_refuses_to_start() -> None:
    assert parse(StateConfig, "state", {}, {"V8VM_STATE_RETAINED_VERSIONS": "7"}).retained_versions == 7
    for name, value in (("V8VM_STATE_CASHE_BYTES", "1"), ("V8VM_STATE_CACHE_BYTES", "-1"), ("V8VM_STATE_PORT", "x")):
        with pytest.raises(ConfigError, match=name):
            parse(StateConfig, "state", {}, {name: value})
