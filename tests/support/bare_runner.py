"""Single sources run on a bare host: no published contract, no caller, an empty store."""

from tests.support.memory_state import MemoryState
from vm_service.model import Batch, BlockContext, Limits, Mode
from vm_service.worker.executor import Executor

BLOCK = BlockContext(1, b"", "witness", 0)


class BareRunner:
    """Owns the executor of one worker; collects its garbage as the worker would, and replaces it as the pool would."""

    def __init__(self, transaction_ms: int) -> None:
        self._limits = Limits(transaction_ms=transaction_ms)
        self._executor = self._make()

    def _make(self) -> Executor:
        return Executor(MemoryState(), limits=self._limits)

    def executor(self) -> Executor:
        """Returns the executor for the next call; a former one is closed."""
        if not self._executor.condemned and self._executor.heap_bytes() > self._limits.heap_bytes // 2:
            self._executor.collect_garbage()
        if self._executor.condemned or self._executor.heap_bytes() >= self._limits.heap_bytes * 3 // 4:
            self._executor.close()
            self._executor = self._make()
        return self._executor

    def close(self) -> None:
        """Closes the executor."""
        self._executor.close()


def bare_batch(source: str, gas_limit: int) -> Batch:
    """Makes a batch that calls `run` of a source."""
    call = {"contract": "Contractbench", "action": "run", "data": "[]", "source": source, "gas_limit": gas_limit}
    return Batch(Mode.BARE, lambda *_: BLOCK, calls=[call])
