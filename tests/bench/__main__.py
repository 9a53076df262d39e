"""Runs the benchmarks: a table, and as the last line one JSON object with all figures.

    python -m tests.bench [NAME ...]        all, or only those named (echo, engine, e2e, ...)

Each benchmark is a module of this package with a function `run()` that returns figures by name, the unit at the end
of the name. They run one after the other, each alone on the machine; ratios are made of figures of the same run.
"""

import importlib
import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

BENCHMARKS = ("echo", "engine", "e2e", "metering", "state_bench", "workers", "replicas", "gas")
"""In this order; those of parts that are not there are left out."""

RATIOS = {
    "block_e2e_over_engine": ("block_e2e_tx_per_s", "engine_tx_per_s"),
    "unary_over_echo": ("unary_e2e_tx_per_s", "grpc_echo_per_s"),
}


def available() -> list[str]:
    """Lists the benchmarks that exist in this checkout."""
    return [name for name in BENCHMARKS if importlib.util.find_spec(f"tests.bench.{name}")]


def with_ratios(figures: Mapping[str, float]) -> dict[str, float]:
    """Adds each ratio whose two figures were measured."""
    ratios = {
        name: round(figures[over] / figures[under], 3)
        for name, (over, under) in RATIOS.items()
        if over in figures and under in figures
    }
    return {**figures, **ratios}


def machine() -> dict[str, object]:
    """Describes what the figures were measured on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {"cpu": model, "cpu_count": os.cpu_count(), "python": platform.python_version()}


def main(names: list[str]) -> int:
    """Runs the named benchmarks, or all; returns 0, or 1 when one of them failed."""
    console = Console(stderr=False)
    figures: dict[str, float] = {}
    failed: list[str] = []
    for name in names or available():
        started = time.perf_counter()
        console.print(f"{name} ...", end=" ")
        try:
            figures.update(importlib.import_module(f"tests.bench.{name}").run())
        except Exception as error:  # noqa: BLE001 - the others are still worth running
            failed.append(name)
            console.print(f"[red]failed:[/] {error!r}", markup=True)
        else:
            console.print(f"{time.perf_counter() - started:.1f} s")
    figures = with_ratios(figures)
    table = Table("figure", "value", box=None, header_style="bold")
    for name, value in figures.items():
        table.add_row(name, f"{value:,}")
    console.print(table)
    print(json.dumps({**figures, "machine": machine(), **({"failed": failed} if failed else {})}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
