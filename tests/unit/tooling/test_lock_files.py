"""Lock files: complete, hashed, and silent about where packages come from."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCK = (ROOT / "requirements.lock").read_text()
NPM_LOCKS = (
    "vm_service/runtime/package-lock.json",
    "proto/package-lock.json",
    "docs/nodes/javascript/package-lock.json",
)


def canonical(requirement: str) -> str:
    """Returns the normalised name of a requirement, without extras and version."""
    name = re.split(r"[\s\[<>=~!;]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    declared = {canonical(entry) for group in (project["project"]["dependencies"], *extras) for entry in group}
    locked = {canonical(line) for line in LOCK.splitlines() if re.match(r"[A-Za-z0-9]", line)}
    assert declared - {"v8vm"} <= locked


def test_every_locked_package_is_exact_and_has_hashes() -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"\S+==\S+ \\\n", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry


def test_no_lock_file_names_a_registry() -> None:
    assert "://" not in LOCK
    assert not re.search(r"--(index-url|extra-index-url|find-links)", re.sub(r"(?m)^#.*$", "", LOCK))
    for path in NPM_LOCKS:
        packages = json.loads((ROOT / path).read_text())["packages"]
        for entry in packages.values():
            entry.pop("funding", None)  # where authors take money, not where packages lie
        assert "://" not in json.dumps(packages)


@pytest.mark.parametrize("path", NPM_LOCKS)
def test_every_npm_package_has_an_integrity_hash(path: str) -> None:
    packages = json.loads((ROOT / path).read_text())["packages"]
    assert all(entry.get("integrity", "").startswith("sha512-") for name, entry in packages.items() if name)
