"""What commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.options import GAS_UNIT
from gateway.cli.plain import to_plain
from gateway.client import base58
from gateway.client.calls import status_name, verdict_name
from iost.chain.v1.receipt_pb2 import STATUS_CODE_SUCCESS, Receipt, Status
from iost.gateway.v1.outcome_pb2 import VERDICT_DUPLICATE, Failure, TransactionOutcome
from iost.gateway.v1.transaction_service_pb2 import CallOutcome

PIPE_COLUMNS = 200
"""Width of tables that do not go to a terminal: a name and a contract id stay on one line."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)

Row = Sequence[object]


def print_json(value: object) -> None:
    """Prints a value, messages included, as indented JSON on standard output."""
    json.dump(_plain(value), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def print_json_line(value: object) -> None:
    """Prints a value as one line of JSON and flushes: for streams."""
    sys.stdout.write(json.dumps(_plain(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_notice(text: str, as_json: bool, *, reason: str, metadata: Mapping[str, object] | None = None) -> None:
    """Tells something beside the result: a line on standard error, as JSON for programs."""
    if as_json:
        notice = {"reason": reason, "message": text, "metadata": _plain(dict(metadata or {}))}
        sys.stderr.write(json.dumps({"notice": notice}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"v8vm: {text}\n")


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return to_plain(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def print_table(columns: Sequence[str], rows: Iterable[Row], title: str = "") -> None:
    """Prints a table; cells are shown as they are, never read as markup."""
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        # Names and hashes are to be copied: they wrap but are never cut.
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    console.print(table)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Prints names and values, one pair a line."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, value if isinstance(value, Text) else Text(str(value)))
    console.print(table)


def gas_text(hundredths: int) -> str:
    """Writes gas as people read it: 3012345 is `30123.45`."""
    whole, rest = divmod(hundredths, GAS_UNIT)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")


def status_text(status: Status) -> Text:
    """Writes a status in its colour."""
    good = status.code == STATUS_CODE_SUCCESS
    return Text(status_name(status.code).removeprefix("STATUS_CODE_"), style="green" if good else "red")


def receipt_fields(receipt: Receipt) -> Iterable[tuple[str, object]]:
    """Lists what people want to know of a receipt."""
    yield "transaction", base58.encode(receipt.tx_hash)
    yield "status", status_text(receipt.status)
    if receipt.status.message:
        yield "message", receipt.status.message
    yield "gas", gas_text(receipt.gas_usage)
    for usage in receipt.ram_usages:
        yield "RAM", f"{usage.payer} {usage.bytes:+d} bytes"
    for text in receipt.returns:
        yield "returns", text
    for entry in receipt.receipts:
        yield "receipt", f"{entry.func_name} {entry.content}"


def call_fields(outcome: CallOutcome) -> Iterable[tuple[str, object]]:
    """Lists what people want to know of a read-only call."""
    yield "status", status_text(outcome.status)
    if outcome.status.message:
        yield "message", outcome.status.message
    yield from failure_fields(outcome.failure)
    if outcome.returns:
        yield "returns", outcome.returns
    yield "gas", gas_text(outcome.gas_usage)
    for line in outcome.console_lines:
        yield "console", line


def failure_fields(failure: Failure) -> Iterable[tuple[str, object]]:
    """Lists where something failed, the innermost place first, and what was thrown."""
    for number, frame in enumerate(failure.frames):
        where = f"{frame.contract}/{frame.action_name}"
        if frame.line:
            where += f" line {frame.line}, column {frame.column}"
            where += f" in {frame.function_name}" if frame.function_name not in ("", frame.action_name) else ""
        yield "called from" if number else "failed in", where
        if frame.source_line and not number:
            yield "", caret_text(frame.source_line, frame.column)
    if failure.thrown_json:
        yield "thrown", failure.thrown_json


def caret_text(line: str, column: int) -> str:
    """Writes a source line and, below it, a caret at a column counted from 1; tabs stay, so that both align."""
    indent = "".join(unit if unit == "\t" else " " for unit in line[: column - 1])
    return f"{line}\n{indent}^"


def outcome_fields(outcome: TransactionOutcome) -> Iterable[tuple[str, object]]:
    """Lists what people want to know of an outcome."""
    if not outcome.HasField("receipt"):
        yield "transaction", base58.encode(outcome.tx_hash)
        yield "verdict", Text(verdict_name(outcome.verdict).removeprefix("VERDICT_"), style="red")
        yield "message", outcome.message
        return
    if outcome.verdict == VERDICT_DUPLICATE:
        yield "verdict", "DUPLICATE: executed before, this is its first receipt"
    yield from receipt_fields(outcome.receipt)
    yield from failure_fields(outcome.failure)
    for event in outcome.events:
        yield "event", f"{event.contract}/{event.action_name} {event.data}"
    for line in outcome.console_lines:
        yield "console", line
