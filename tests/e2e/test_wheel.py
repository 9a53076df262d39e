"""The wheel is complete: installed outside the checkout, the demonstration runs to its end."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.node import free_ports

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
BUILD_INPUTS = ("chassis", "gateway", "state_service", "vm_service", "proto")
BUILD_FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
DATA_SUFFIXES = (".js", ".abi", ".yaml", ".proto")


def run(command: list[str], cwd: Path, seconds: float = 110) -> subprocess.CompletedProcess[str]:
    """Runs a command as a user of the installed package would: nothing of the checkout is on its paths."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "V8VM_"))}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )


def copy_sources(folder: Path, *left_out: str) -> Path:
    """Copies the sources, so that no earlier build folder can lend the wheel a file; returns the copy."""
    sources = folder / "sources"
    skipped = shutil.ignore_patterns("node_modules", "__pycache__", "*.egg-info", *left_out)
    for name in BUILD_INPUTS:
        shutil.copytree(ROOT / name, sources / name, ignore=skipped)
    for name in BUILD_FILES:
        shutil.copy(ROOT / name, sources / name)
    return sources


def build_wheel(folder: Path) -> Path:
    """Builds the wheel below a folder; returns its path."""
    sources = copy_sources(folder)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    done = run([*pip, "--no-build-isolation", "--no-index", f"--wheel-dir={folder}", "."], sources)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("v8vm-*.whl")
    return wheel


def required(name: str, extras: frozenset[str], found: set[str]) -> Iterator[metadata.Distribution]:
    """Yields the distributions that a distribution needs with some extras, each once."""
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        wanted = any(
            requirement.marker is None or requirement.marker.evaluate({"extra": extra}) for extra in {*extras, ""}
        )
        if not wanted:
            continue
        key = requirement.name.lower().replace("_", "-")
        if key != "v8vm" and key not in found:
            found.add(key)
            yield metadata.distribution(requirement.name)
        if key != "v8vm" or requirement.extras - extras:
            yield from required(requirement.name, frozenset(requirement.extras), found)


def install(wheel: Path, folder: Path) -> Path:
    """Makes an environment of the wheel and what its metadata asks for, and nothing else; returns its `bin`.

    Dependencies are linked from this environment, which holds the versions of the lock file: no registry is asked.
    """
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for distribution in required("v8vm", frozenset({"all"}), set()):
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            link, target = packages / top, Path(str(distribution.locate_file(top)))
            if link.is_dir() and not link.is_symlink():
                continue
            if not link.exists():
                link.symlink_to(target)
    done = run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", f"--python={folder / 'bin/python'}"),
            *("install", "--quiet", "--no-deps", "--no-index", str(wheel)),
        ],
        folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_demonstration_runs_from_the_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    tools = install(wheel, tmp_path / "environment")
    place = tmp_path / "somewhere"
    place.mkdir()
    show = "import vm_service, iost; print(vm_service.__file__, *iost.__path__)"
    where = run([str(tools / "python"), "-c", show], place)
    assert where.returncode == 0, where.stderr
    assert all(part.startswith(str(tmp_path)) for part in where.stdout.split()), where.stdout
    gateway, vm, state = free_ports(3)
    ports = (f"--gateway-port={gateway}", f"--vm-port={vm}", f"--state-port={state}")
    done = run([str(tools / "v8vm"), "demo", "--once", f"--data-dir={place / 'data'}", *ports], place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    assert "all 345 transactions ended as expected" in done.stdout


def test_the_wheel_holds_every_data_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    files = [path for name in BUILD_INPUTS for path in (ROOT / name).rglob("*") if path.suffix in DATA_SUFFIXES]
    wanted = {
        path.relative_to(ROOT / "proto" if path.suffix == ".proto" else ROOT).as_posix()
        for path in files
        if "node_modules" not in path.parts and not path.name.startswith("buf.")
    }
    assert len(wanted) > 80
    assert wanted <= held


def test_a_wheel_without_the_bundled_libraries_is_refused(tmp_path: Path) -> None:
    sources = copy_sources(tmp_path, "bundled")
    command = [sys.executable, "-W", "ignore", "setup.py", "--quiet", "bdist_wheel", f"--dist-dir={tmp_path}"]
    done = run(command, sources)
    assert done.returncode != 0
    assert "run `make setup`" in done.stderr
    assert not list(tmp_path.glob("*.whl"))
