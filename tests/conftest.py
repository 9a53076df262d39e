"""Marks every test by its directory, and says what to do when the generated code is missing.

Helpers live in tests/support; nothing but hooks belongs here.
"""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent
KINDS = ("unit", "integration", "conformance", "e2e", "fault", "bench")

# A loaded machine is no fault: no property may depend on how long an example takes.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Refuses to run without the code generated from proto/."""
    if importlib.util.find_spec("iost") is None or not any((ROOT.parent / "proto/iost").rglob("*_pb2.py")):
        pytest.exit("no generated protobuf code: run `make setup` (or `make proto`)", returncode=4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Adds the marker that is the name of the first directory below tests/."""
    for item in items:
        if item.path.is_relative_to(ROOT) and (kind := item.path.relative_to(ROOT).parts[0]) in KINDS:
            item.add_marker(kind)
