"""One node for all tests that leave it healthy; tests that break something start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import Node, running_node


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[Node]:
    with running_node(tmp_path / "node") as running:
        yield running


@pytest.fixture(scope="session")
def counter(node: Node) -> str:
    """Id of a published counter."""
    return node.publish("counter")
