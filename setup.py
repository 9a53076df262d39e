"""Build hook only: generates the protobuf code before packages are collected. Everything else is in pyproject.toml."""

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class GenerateThenBuild(build_py):
    """`build_py` with the generated code in place, alike for editable installs, wheels and images."""

    def run(self):
        generate = runpy.run_path(str(Path(__file__).parent / "proto" / "generate.py"))
        generate["main"]()
        super().run()


setup(cmdclass={"build_py": GenerateThenBuild})
