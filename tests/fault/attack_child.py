"""`python -m tests.fault.attack_child [FLAGS]`: runs payloads that a parent sends until one ends the executor.

Line in: {"code", "then_code"?, and what `Chain.run` takes}. Line out: {"first": ending, "then": ending or null}. Memory
is limited as in a worker (`vm_service/worker/confinement.py`), so that what ends a worker ends this process and not the
machine. FLAGS are V8's: outcomes must not depend on them.
"""

import json
import os
import sys
from dataclasses import asdict

from tests.fault.attack_chain import Chain
from vm_service.model import Limits
from vm_service.worker import confinement
from vm_service.worker.__main__ import MEMORY_MARGIN


def main() -> None:
    """Serves the parent and leaves by `os._exit`: an isolate that was stopped must not be closed."""
    confinement.die_with_parent(os.getppid())
    confinement.limit_core_dumps()
    chain = Chain(tuple(sys.argv[1:]))
    chain.run("class C { init() {} run() { return 'ready'; } }\nmodule.exports = C;")  # makes the compiler isolate
    confinement.limit_memory(MEMORY_MARGIN * Limits().heap_bytes)
    print("ready", flush=True)
    for line in sys.stdin:
        payload = json.loads(line)
        then_code = payload.pop("then_code", None)
        first = chain.run(**payload)
        then = chain.run(then_code) if then_code is not None and not first.fatal else None
        print(json.dumps({"first": asdict(first), "then": then and asdict(then)}), flush=True)
        if first.fatal or (then is not None and then.fatal):
            break
    os._exit(0)


if __name__ == "__main__":
    main()
