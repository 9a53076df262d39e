"""Build hook only: generates the protobuf code before packages are collected. Everything else is in pyproject.toml."""

import runpy
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
BUNDLES = ROOT / "vm_service/runtime/bundled/manifest.json"


class GenerateThenBuild(build_py):
    """`build_py` with the generated code in place, alike for editable installs, wheels and images."""

    def run(self):
        # An editable install comes before the bundles in `make setup`; a wheel without them could run no contract.
        if not self.editable_mode and not BUNDLES.exists():
            sys.exit(f"{BUNDLES.relative_to(ROOT)} is missing: run `make setup`, then build the wheel")
        generate = runpy.run_path(str(ROOT / "proto" / "generate.py"))
        generate["main"]()
        super().run()


setup(cmdclass={"build_py": GenerateThenBuild})
