"""Whether the store accepts commits: what health name `submit`, the metrics and `v8vm status` say."""

from state_service.config import StateConfig
from state_service.errors import BacklogFullError, StorageFullError, WritesStoppedError
from state_service.store import Store


class Acceptance:
    """Decides it from the store, the free space and the time."""

    def __init__(self, config: StateConfig) -> None:
        """Takes the limits."""
        self._config = config
        self._full_since: float | None = None

    def refusal(self, store: Store | None, free_bytes: int, now: float) -> str | None:
        """Returns the error reason with which commits are refused; None while they are accepted.

        Args:
            store: The open store; None while it is opened anew.
            free_bytes: Free space of the disk.
            now: Seconds of a monotonic clock.
        """
        if store is None:
            return WritesStoppedError.reason
        if store.journal.failure is not None:
            return store.journal.failure.reason
        if free_bytes < self._config.min_free_bytes:
            return StorageFullError.reason
        return BacklogFullError.reason if self._backlog_full(store, now) else None

    def _backlog_full(self, store: Store, now: float) -> bool:
        """L2 is over its limit for longer than a commit waits."""
        if store.tree.held_bytes <= self._config.l2_bytes:
            self._full_since = None
            return False
        if self._full_since is None:
            self._full_since = now
        return now - self._full_since >= self._config.commit_wait_ms / 1000
