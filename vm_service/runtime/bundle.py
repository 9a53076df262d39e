"""Bundles the third-party JavaScript for a bare V8: no node globals, no `require`, one global each.

Input: `node_modules/` beside this file, installed from `package-lock.json`. Output: `bundled/*.js` and
`bundled/manifest.json`, both git-ignored package data. Run by `make setup`; imported by nothing.

Invariant: equal lock file, equal bundles, byte for byte on every machine. The manifest holds the SHA-256 of each bundle
and of every file that went into it, so that a runtime digest can cover the libraries too.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
OUTPUT = HERE / "bundled"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One bundle.

    Attributes:
        file: name below `bundled/`.
        global_name: the only global that evaluating the bundle creates.
        exports: property of that global -> npm package, bundled by esbuild.
        verbatim: or a file below `node_modules` that is wrapped as it is; what it exports is the global.
    """

    file: str
    global_name: str
    exports: dict[str, str] = field(default_factory=dict)
    verbatim: str = ""


BUNDLES = (
    Bundle("compiler.js", "v8vmCompiler", {"esprima": "esprima", "escodegen": "escodegen"}),
    # Contracts see this library and its arithmetic decides outcomes: not one byte of it passes through a bundler.
    Bundle("bignumber.js", "BigNumber", verbatim="bignumber.js/bignumber.js"),
)


def wrap(bundle: Bundle) -> tuple[bytes, list[Path]]:
    """Wraps one CommonJS file unchanged.

    Returns:
        The bundle and its input file.
    """
    source = MODULES / bundle.verbatim
    head = f"var {bundle.global_name} = (function (module) {{\n".encode()
    tail = b"\nreturn module.exports;\n}).call(globalThis, { exports: {} });\n"
    return head + source.read_bytes() + tail, [source]


def pack(bundle: Bundle, node: str) -> tuple[bytes, list[Path]]:
    """Bundles npm packages and what they require with esbuild.

    Returns:
        The bundle and its input files, sorted.

    Raises:
        subprocess.CalledProcessError: esbuild refused; its message is on stderr.
    """
    members = [f"{json.dumps(name)}: require({json.dumps(package)})" for name, package in bundle.exports.items()]
    entry = f"module.exports = {{ {', '.join(members)} }};"
    with tempfile.TemporaryDirectory() as folder:
        out, meta = Path(folder) / "bundle.js", Path(folder) / "meta.json"
        command = [
            *(node, str(MODULES / "esbuild/bin/esbuild")),
            *("--bundle", "--format=iife", f"--global-name={bundle.global_name}", "--platform=neutral"),
            *(
                "--main-fields=main",
                "--target=es2020",
                "--charset=utf8",
                "--legal-comments=inline",
                "--log-level=warning",
            ),
            # escodegen asks for source-map only when a map is wanted; it never is.
            "--external:source-map",
            *(f"--outfile={out}", f"--metafile={meta}"),
        ]
        subprocess.run(command, input=entry.encode(), cwd=HERE, check=True)
        inputs = sorted(HERE / name for name in json.loads(meta.read_text())["inputs"] if name != "<stdin>")
        return out.read_bytes(), inputs


def package_of(path: Path) -> dict[str, str]:
    """Reads name, version and licence of the npm package that holds a file."""
    folder = path.parent
    while not (folder / "package.json").exists():
        folder = folder.parent
    document = json.loads((folder / "package.json").read_text())
    return {"name": document["name"], "version": document["version"], "license": document.get("license", "")}


def describe(bundle: Bundle, code: bytes, inputs: list[Path]) -> dict[str, object]:
    """Builds the manifest entry of a bundle: its name, global, hash, packages and input files."""
    packages = {entry["name"]: entry for entry in map(package_of, inputs)}
    return {
        "file": bundle.file,
        "global": bundle.global_name,
        "sha256": hashlib.sha256(code).hexdigest(),
        "packages": [packages[name] for name in sorted(packages)],
        "inputs": [
            {"path": path.relative_to(MODULES).as_posix(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in inputs
        ],
    }


def main() -> int:
    """Writes all bundles, the manifest last: its presence means that the bundles are complete."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--node", required=True, help="path of the node executable")
    node = parser.parse_args().node
    OUTPUT.mkdir(exist_ok=True)
    entries = []
    for bundle in BUNDLES:
        code, inputs = wrap(bundle) if bundle.verbatim else pack(bundle, node)
        (OUTPUT / bundle.file).write_bytes(code)
        entries.append(describe(bundle, code, inputs))
        print(f"bundled {bundle.file}: {len(code):,} bytes")
    (OUTPUT / "manifest.json").write_text(json.dumps({"bundles": entries}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
