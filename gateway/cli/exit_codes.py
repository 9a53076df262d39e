"""The exit codes of `v8vm`: one table for every command, those of other packages included."""

from collections.abc import Mapping
from enum import IntEnum, unique

import grpc


@unique
class ExitCode(IntEnum):
    """How a command ended. Numbers are never reused for another meaning."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    FAILED = 5
    CONFLICT = 6
    UNAVAILABLE = 7
    INTERRUPTED = 130
    PIPE_CLOSED = 141


MEANINGS: Mapping[ExitCode, tuple[str, str]] = {
    ExitCode.OK: ("ok", "The command did its work."),
    ExitCode.CHECK_FAILED: (
        "a check failed",
        "A check failed, data are damaged, or a service met an internal error.",
    ),
    ExitCode.USAGE: ("usage", "Options, arguments or files given to the command are wrong."),
    ExitCode.NOT_FOUND: ("not found", "An account, contract, receipt, token, block or version does not exist."),
    ExitCode.REFUSED: ("refused", "The node refused the request before execution; nothing was committed."),
    ExitCode.FAILED: ("failed", "The transaction was executed with a failed receipt, or a dry run or query failed."),
    ExitCode.CONFLICT: ("conflict", "Existing data or another writer stand against the request."),
    ExitCode.UNAVAILABLE: ("unavailable", "A service cannot be reached, is overloaded, or gave no answer in time."),
    ExitCode.INTERRUPTED: ("interrupted", "Ctrl-C ended the command. `demo` ends with 0: Ctrl-C is how it is stopped."),
    ExitCode.PIPE_CLOSED: ("pipe closed", "The reader of standard output, for example `head`, ended first."),
}
"""A short name for `--help` and a sentence for the documents."""

OF_STATUS: Mapping[grpc.StatusCode, ExitCode] = {
    grpc.StatusCode.INVALID_ARGUMENT: ExitCode.USAGE,
    grpc.StatusCode.OUT_OF_RANGE: ExitCode.USAGE,
    grpc.StatusCode.NOT_FOUND: ExitCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: ExitCode.REFUSED,
    grpc.StatusCode.PERMISSION_DENIED: ExitCode.REFUSED,
    grpc.StatusCode.UNAUTHENTICATED: ExitCode.REFUSED,
    grpc.StatusCode.ABORTED: ExitCode.CONFLICT,
    grpc.StatusCode.ALREADY_EXISTS: ExitCode.CONFLICT,
    grpc.StatusCode.UNAVAILABLE: ExitCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ExitCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ExitCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED: ExitCode.UNAVAILABLE,
}
"""Exit code of a call that failed; a gRPC code that is not listed is CHECK_FAILED."""

OF_REASON: Mapping[str, ExitCode] = {
    "CURSOR_UNAVAILABLE": ExitCode.NOT_FOUND,
    "VERSION_UNAVAILABLE": ExitCode.NOT_FOUND,
    "FINALITY_VIOLATED": ExitCode.CONFLICT,
    "STALE_EPOCH": ExitCode.CONFLICT,
    "STORE_LOCKED": ExitCode.CONFLICT,
    "MESSAGE_TOO_LARGE": ExitCode.REFUSED,
}
"""Reasons that say more than their gRPC code."""

OF_VERDICT: Mapping[str, ExitCode] = {
    "VERDICT_REFUSED": ExitCode.REFUSED,
    # Stopped by this machine, not by the chain: another attempt or another node may execute the transaction.
    "VERDICT_TIMEOUT": ExitCode.UNAVAILABLE,
    "VERDICT_MEMORY": ExitCode.UNAVAILABLE,
    "VERDICT_CRASH": ExitCode.UNAVAILABLE,
}
"""Exit code of a transaction without a receipt."""


def summary() -> str:
    """Returns all exit codes as one line of help."""
    return "Exit codes: " + ", ".join(f"{code:d} {name}" for code, (name, _) in MEANINGS.items()) + "."
