"""Everything that can go wrong with a call to the state service, as one tree.

    StateError
    ├── InvalidRequestError        INVALID_ARGUMENT     malformed key, id, page, range
    ├── WriteConflictError         ABORTED              a key that was read has changed on the parent
    ├── PlaceLostError             ABORTED              the place of the commit has passed
    ├── OutOfOrderError            ABORTED              number or time does not exceed the parent's
    ├── HolderUnknownError         FAILED_PRECONDITION  the stream that holds places has ended
    ├── BlockNotFoundError         NOT_FOUND            no live block has this commit id
    ├── BlockHashError             FAILED_PRECONDITION  another hash is recorded for the block
    ├── VersionUnavailableError    FAILED_PRECONDITION  outside the live range
    ├── CursorUnavailableError     FAILED_PRECONDITION  no longer recorded, or on a dropped branch
    ├── FinalityError              FAILED_PRECONDITION  would undo a final block
    ├── StaleEpochError            FAILED_PRECONDITION  another writer took over
    ├── BacklogFullError           RESOURCE_EXHAUSTED   commits outrun folding
    ├── BackupNotFoundError        NOT_FOUND            the backup was closed or held for too long
    ├── BackupLimitError           RESOURCE_EXHAUSTED   too many backups are open
    ├── StorageFullError           RESOURCE_EXHAUSTED   no space on the disk
    ├── WritesStoppedError         UNAVAILABLE          a write was uncertain; restart or reopening pending
    ├── StorageFailedError         UNAVAILABLE          the engine failed
    ├── StoreLockedError           FAILED_PRECONDITION  another process has the folder
    ├── NoStoreError               NOT_FOUND            the folder holds no store
    ├── AlreadyExistsError         ALREADY_EXISTS       a checkpoint or store is in that place
    ├── UnknownSchemaError         FAILED_PRECONDITION  written by another version of this software
    └── CorruptionError            DATA_LOSS            a stored byte changed by itself; never retried

`chassis.errors` turns them into gRPC statuses with ErrorInfo; every variable of a message is in its metadata too.
"""

from collections.abc import Sequence

import grpc
from google.protobuf.message import Message

from chassis.errors import MalformedRequestError, ServiceError

InvalidRequestError = MalformedRequestError
"""A request that can never be right: the chassis has it for every service."""


class StateError(ServiceError):
    """Base of the failures that this service knows."""


class WriteConflictError(StateError):
    """A key that the batch read has another version on the parent; nothing was applied."""

    reason = "WRITE_CONFLICT"
    code = grpc.StatusCode.ABORTED

    def __init__(self, conflicting_keys: Sequence[bytes], version: int, details: Sequence[Message] = ()) -> None:
        """Creates the error; `version` is the parent's."""
        metadata = {"version": version, "key_count": len(conflicting_keys)}
        super().__init__(
            f"{len(conflicting_keys)} keys changed since they were read; the parent is version {version}",
            metadata=metadata,
            details=details,
        )
        self.conflicting_keys = tuple(conflicting_keys)
        self.version = version


class PlaceLostError(StateError):
    """The place of the commit was given back, overtaken or expired; nothing was applied: run again with a new place."""

    reason = "PLACE_LOST"
    code = grpc.StatusCode.ABORTED

    def __init__(self, place_id: int, details: Sequence[Message] = ()) -> None:
        """Creates the error."""
        super().__init__(
            f"place {place_id} has passed; run again with a new one", metadata={"place_id": place_id}, details=details
        )
        self.place_id = place_id


class OutOfOrderError(StateError):
    """Number or time of a linear commit does not exceed that of its parent; nothing was applied: run again."""

    reason = "OUT_OF_ORDER"
    code = grpc.StatusCode.ABORTED

    def __init__(
        self, given: tuple[int, int], parent: tuple[int, int], version: int, details: Sequence[Message] = ()
    ) -> None:
        """Creates the error.

        Args:
            given: Number and time of the commit.
            parent: Number and time of its parent.
            version: Version of the parent.
            details: Details for callers.
        """
        super().__init__(
            f"number {given[0]} and time {given[1]} ns must exceed the parent's, {parent[0]} and {parent[1]} ns",
            metadata={
                "number": given[0],
                "time_ns": given[1],
                "parent_number": parent[0],
                "parent_time_ns": parent[1],
                "version": version,
            },
            details=details,
        )
        self.given, self.parent, self.version = given, parent, version


class HolderUnknownError(StateError):
    """No open stream holds places under this id: open `HoldPlaces` again."""

    reason = "HOLDER_UNKNOWN"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, holder_id: int) -> None:
        """Creates the error."""
        super().__init__(f"no open stream has holder id {holder_id}", metadata={"holder_id": holder_id})


class BlockNotFoundError(StateError):
    """No live block has this commit id: never committed, dropped, or folded long ago."""

    reason = "BLOCK_NOT_FOUND"
    code = grpc.StatusCode.NOT_FOUND

    def __init__(self, block_id: bytes) -> None:
        """Creates the error."""
        super().__init__(f"no live block {block_id.hex()}", metadata={"block_id": block_id.hex()})


class BlockHashError(StateError):
    """Another hash was recorded for the block before; the message names both."""

    reason = "BLOCK_HASH_DIFFERS"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, block_id: bytes, recorded: bytes, given: bytes) -> None:
        """Creates the error."""
        super().__init__(
            f"block {block_id.hex()} has the recorded hash {recorded.hex()}, not {given.hex()}",
            metadata={"block_id": block_id.hex(), "expected": recorded.hex(), "actual": given.hex()},
        )


class VersionUnavailableError(StateError):
    """The version is not in the live range; the message names the range."""

    reason = "VERSION_UNAVAILABLE"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, version: int, oldest: int, newest: int) -> None:
        """Creates the error."""
        super().__init__(
            f"version {version} cannot be read: versions {oldest} to {newest} are live",
            metadata={"version": version, "oldest_version": oldest, "newest_version": newest},
        )


class CursorUnavailableError(StateError):
    """The stream cannot go on from there without a gap; the metadata name the oldest version and its block id."""

    reason = "CURSOR_UNAVAILABLE"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, version: int, oldest: int, why: str, oldest_id: bytes = b"") -> None:
        """Creates the error; `oldest_id` is the commit id of the oldest recorded version, if there is one."""
        super().__init__(
            f"cannot stream from version {version}: {why}; the oldest recorded version is {oldest}",
            metadata={"version": version, "oldest_version": oldest, "oldest_block_id": oldest_id.hex()},
        )


class FinalityError(StateError):
    """Building on the block, finalising it or dropping it would undo a final one."""

    reason = "FINALITY_VIOLATED"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, block_id: bytes, final_version: int) -> None:
        """Creates the error."""
        super().__init__(
            f"block {block_id.hex()}: this would undo final version {final_version}",
            metadata={"block_id": block_id.hex(), "final_version": final_version},
        )


class StaleEpochError(StateError):
    """Another writer took the store over, or the caller remembers an earlier one."""

    reason = "STALE_EPOCH"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, given: int, current: int) -> None:
        """Creates the error."""
        super().__init__(
            f"epoch {given} is stale; the writer's epoch is {current}", metadata={"given": given, "epoch": current}
        )


class BacklogFullError(StateError):
    """Commits outrun folding, or blocks pile up without being finalised."""

    reason = "BACKLOG_FULL"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    retryable = True
    retry_delay_ms = 100

    def __init__(self, held_bytes: int, limit_bytes: int) -> None:
        """Creates the error."""
        super().__init__(
            f"{held_bytes} bytes of unfolded versions are held, the limit is {limit_bytes}: finalise blocks or wait",
            metadata={"held_bytes": held_bytes, "limit_bytes": limit_bytes},
        )


class BackupNotFoundError(StateError):
    """The backup was closed, or removed since nothing was read from it for too long; open a new one."""

    reason = "BACKUP_NOT_FOUND"
    code = grpc.StatusCode.NOT_FOUND

    def __init__(self, backup_id: str) -> None:
        """Creates the error."""
        super().__init__(f"no open backup {backup_id}", metadata={"backup_id": backup_id})


class BackupLimitError(StateError):
    """As many backups are open as the service allows; each keeps files on disk."""

    reason = "BACKUP_LIMIT"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    retryable = True
    retry_delay_ms = 60_000

    def __init__(self, limit: int, hold_ms: int) -> None:
        """Creates the error."""
        super().__init__(
            f"{limit} backups are open; each ends when it is finished, or {hold_ms} ms after the last read",
            metadata={"limit": limit, "hold_ms": hold_ms},
        )


class StorageFullError(StateError):
    """No space for a write; reads go on."""

    reason = "STORAGE_FULL"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    retryable = True
    retry_delay_ms = 1000

    def __init__(self, cause: str = "", *, applied: bool | None = None) -> None:
        """Creates the error.

        Args:
            cause: Text of the engine, for the log.
            applied: False: certainly nothing was written; None: uncertain.
        """
        super().__init__("the disk of the store is full; commits are refused until there is space")
        self.cause = cause
        self.applied = applied


class WritesStoppedError(StateError):
    """An earlier write is uncertain, or the store is being closed: nothing is written until it is opened again."""

    reason = "WRITES_STOPPED"
    code = grpc.StatusCode.UNAVAILABLE
    retryable = True
    retry_delay_ms = 1000

    def __init__(self, cause: str) -> None:
        """Creates the error; `cause` is the reason of the first failure, or says what the service is doing."""
        super().__init__(f"commits are stopped ({cause})", metadata={"cause": cause})


class StorageFailedError(StateError):
    """The engine failed; the outcome of a write is uncertain."""

    reason = "STORAGE_FAILED"
    code = grpc.StatusCode.UNAVAILABLE

    def __init__(self, cause: str) -> None:
        """Creates the error; `cause` is the engine's text, for the log only."""
        super().__init__("the storage engine failed")
        self.cause = cause


class StoreLockedError(StateError):
    """Another process writes this data folder."""

    reason = "STORE_LOCKED"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, folder: str, holder: str) -> None:
        """Creates the error; `holder` is the process id found in the lock file."""
        super().__init__(f"data folder {folder} is in use by process {holder}", metadata={"holder": holder})


class NoStoreError(StateError):
    """The folder holds no store."""

    reason = "NO_STORE"
    code = grpc.StatusCode.NOT_FOUND


class AlreadyExistsError(StateError):
    """A checkpoint or a store is in that place already; nothing is overwritten."""

    reason = "ALREADY_EXISTS"
    code = grpc.StatusCode.ALREADY_EXISTS


class UnknownSchemaError(StateError):
    """The store was written by a version of this software that this one does not know."""

    reason = "UNKNOWN_SCHEMA"
    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, found: int, known: int) -> None:
        """Creates the error."""
        super().__init__(
            f"the store has schema version {found}, this software knows {known}: run the software that wrote it",
            metadata={"found": found, "known": known},
        )


class CorruptionError(StateError):
    """A stored byte changed by itself. Never retried; writes stop and health says so."""

    reason = "STATE_CORRUPTED"
    code = grpc.StatusCode.DATA_LOSS

    def __init__(self, place: str, cause: str) -> None:
        """Creates the error.

        Args:
            place: Where: a file of the store with an offset, or a record by its key.
            cause: What does not fit, for the log.
        """
        super().__init__(f"stored data is damaged: {place}", metadata={"place": place})
        self.place = place
        self.cause = cause
