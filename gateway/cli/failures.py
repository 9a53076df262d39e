"""Errors of commands: how each exception is told to people and programs, and the exit code that it gives."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import typer

from chassis.errors import ServiceError
from gateway.cli.exit_codes import OF_REASON, OF_STATUS, OF_VERDICT, ExitCode
from gateway.cli.texts import visible
from gateway.client import CompileError, TransactionError
from gateway.client.key_files import KeyFileError, KeyFileExistsError


class CommandError(Exception):
    """A command cannot do its work. The message is one line.

    Attributes:
        reason: machine-readable, UPPER_SNAKE.
        exit_code: exit code of the process.
        metadata: every variable part of the message, for programs.
    """

    reason = "CHECK_FAILED"
    exit_code = ExitCode.CHECK_FAILED

    def __init__(self, message: str, *, metadata: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.metadata = {key: str(value) for key, value in (metadata or {}).items()}


class InputError(CommandError):
    """An option, an argument or a file given to the command cannot be used."""

    reason = "USAGE"
    exit_code = ExitCode.USAGE


class NotFoundError(CommandError):
    """The chain does not hold the requested item."""

    reason = "NOT_FOUND"
    exit_code = ExitCode.NOT_FOUND


class RefusedError(CommandError):
    """The command refuses to send the request; nothing was committed."""

    reason = "REFUSED"
    exit_code = ExitCode.REFUSED


class NoGatewayError(CommandError):
    """Nothing answers at the gateway's address."""

    reason = "NO_GATEWAY"
    exit_code = ExitCode.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error as it is shown.

    Attributes:
        reason: machine-readable, UPPER_SNAKE.
        message: text for people.
        exit_code: exit code of the process.
        metadata: every variable part of the message.
        named: whether people are shown the reason before the message.
    """

    reason: str
    message: str
    exit_code: ExitCode
    metadata: Mapping[str, str] = field(default_factory=dict)
    named: bool = False

    def line(self) -> str:
        """Returns the one line for people."""
        text = f"{self.reason}: {self.message}" if self.named else self.message
        return f"v8vm: {visible(' '.join(text.split()))}"

    def json(self) -> str:
        """Returns the one line for programs."""
        shown = {"reason": self.reason, "message": self.message, "exit_code": int(self.exit_code)}
        return json.dumps({"error": {**shown, "metadata": dict(self.metadata)}}, ensure_ascii=False)


def report_of(error: Exception) -> ErrorReport | None:
    """Describes an expected error of a command; None for a bug, whose traceback is wanted."""
    match error:
        case CommandError():
            return ErrorReport(error.reason, _text(error), error.exit_code, error.metadata)
        case ServiceError():
            return _of_call(error)
        case TransactionError():
            return ErrorReport(error.name, _text(error, error.message), _of_outcome(error.name), named=True)
        case CompileError():
            return ErrorReport("SOURCE_REFUSED", _text(error), ExitCode.CHECK_FAILED)
        case KeyFileError():
            code = ExitCode.CONFLICT if isinstance(error, KeyFileExistsError) else ExitCode.USAGE
            return ErrorReport("KEY_FILE", _text(error), code)
        case typer.TyperException():
            return _of_usage(error)
        case UnicodeEncodeError():
            # Bytes of the command line that are no UTF-8; the interface has text only.
            return ErrorReport("USAGE", f"{error.object!r} is not UTF-8 text", ExitCode.USAGE)
        case OSError() if error.filename is not None:
            return ErrorReport("FILE", f"{error.filename}: {error.strerror}", ExitCode.USAGE)
    return None


def _text(error: Exception, message: str = "") -> str:
    """Returns the message with the notes that callers added: an address, the text of an engine, a hint."""
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return f"{message or error}{notes}"


def _of_call(error: ServiceError) -> ErrorReport:
    # An incident is what finds the trace of a bug in the log of its service.
    incident = error.metadata.get("incident")
    message = _text(error) + (f" (incident {incident})" if incident else "")
    code = OF_REASON.get(error.reason) or OF_STATUS.get(error.code, ExitCode.CHECK_FAILED)
    return ErrorReport(error.reason, message, code, error.metadata, named=True)


def _of_outcome(name: str) -> ExitCode:
    """Returns the exit code of a transaction that did not succeed; `name` is a verdict's or a status's."""
    return OF_VERDICT.get(name, ExitCode.UNAVAILABLE) if name.startswith("VERDICT_") else ExitCode.FAILED


def _of_usage(error: typer.TyperException) -> ErrorReport:
    context, similar = getattr(error, "ctx", None), getattr(error, "possibilities", None)
    # Without a command the help was shown, and the error has no text.
    message = (error.message if similar else error.format_message()).rstrip(".") or "a command is missing"
    if similar:
        message += f". Did you mean {', '.join(map(repr, sorted(similar)))}?"
    where = f"; see `{context.command_path} --help`" if context else ""
    return ErrorReport("USAGE", f"{message}{where}", ExitCode.USAGE)
