"""Generates Python code from the .proto files: the one protoc call, used by `make proto` and by the build hook.

Because the proto path equals the package path, the code lands beside its source and needs no rewriting of imports:
`proto/iost/vm/v1/execution_service.proto` becomes `iost.vm.v1.execution_service_pb2`. There is no `__init__.py` below
`proto/iost`: `iost` is a namespace package.
"""

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
PLUGINS = Path(sys.executable).parent


def main() -> int:
    """Runs protoc over every .proto file below `proto/iost`.

    Returns:
        protoc's exit code; 0 when all files were generated.
    """
    sources = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "iost").rglob("*.proto"))
    arguments = [
        "protoc",
        f"--proto_path={ROOT}",
        f"--proto_path={files('grpc_tools') / '_proto'}",
        f"--python_out={ROOT}",
        f"--grpc_python_out={ROOT}",
    ]
    # Types: messages and stubs, by mypy-protobuf where it is installed beside this interpreter.
    for plugin in ("mypy", "mypy_grpc"):
        if (executable := PLUGINS / f"protoc-gen-{plugin}").exists():
            arguments += [f"--plugin=protoc-gen-{plugin}={executable}", f"--{plugin}_out=quiet:{ROOT}"]
    code: int = protoc.main(arguments + sources)
    return code


if __name__ == "__main__":
    sys.exit(main())
