"""Hostile contracts that were measured against raw V8: every one is contained, and nothing of it is left."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fault.attacks import run_payloads

FILE = Path(__file__).parent / "payloads" / "measured.json"
"""The format of `tests.fault.attacks`; code of thousands of equal parts is given as `code_parts`: [text, times]."""

JOBS = 2


def payloads() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    for payload in found:
        if parts := payload.pop("code_parts", None):
            payload["code"] = "".join(text * times for text, times in parts)
    return found


@pytest.mark.timeout(300)
def test_measured_payloads_are_contained() -> None:
    verdicts = list(run_payloads(payloads(), JOBS))

    assert [str(verdict) for verdict in verdicts if not verdict.contained] == []
    assert len(verdicts) == 246
