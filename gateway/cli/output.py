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
from gateway.cli.texts import cut_ids, visible
from gateway.client import base58
from gateway.client.calls import status_name, verdict_name
from iost.chain.v1.receipt_pb2 import STATUS_CODE_SUCCESS, Receipt, Status
from iost.gateway.v1.outcome_pb2 import VERDICT_DUPLICATE, Failure, TransactionOutcome
from iost.gateway.v1.transaction_service_pb2 import CallOutcome

WIDEST_COLUMNS = 1_000_000
"""Width that nothing exceeds: where a line is to stay one line."""

console = Console(highlight=False)
"""Standard output, as wide as the terminal; 80 columns when it goes to a file or a pipe."""

_plain_console = Console(highlight=False, width=WIDEST_COLUMNS, color_system=None)

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


def print_table(columns: Sequence[str], rows: Iterable[Row], title: str = "", *, wide: bool = False) -> None:
    """Prints a table as wide as the screen; cells are shown as they are, never read as markup.

    Where a row would not fit, ids are cut in the middle, and what is still too long continues below. With `wide`
    nothing is cut or continued.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    table = _table(columns, cells, title)
    if not wide and _plain_console.measure(table).maximum > console.width:
        table = _table(columns, [[_cut(cell) for cell in row] for row in cells], title)
    if console.is_terminal and not wide:
        console.print(table)
    else:
        _print_plain(table, WIDEST_COLUMNS if wide else console.width)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Text]], title: str) -> Table:
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _text(value: object) -> Text:
    return value if isinstance(value, Text) else Text(visible(str(value)))


def _cut(cell: Text) -> Text:
    cut = cut_ids(cell.plain)
    return cell if cut == cell.plain else Text(cut, style=cell.style)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Prints names and values, one pair a line; values are whole, and in a file or a pipe they stay one line."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, _text(value))
    if console.is_terminal:
        console.print(table)
    else:
        _print_plain(table, WIDEST_COLUMNS)


def _print_plain(table: Table, width: int) -> None:
    """Prints a table without styles, and without the blanks that would fill its lines up to the longest one."""
    with _plain_console.capture() as captured:
        _plain_console.print(table, width=width)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().removesuffix("\n").split("\n")))
    sys.stdout.flush()


def gas_text(hundredths: int) -> str:
    """Writes gas in its unit with two decimals, as the reference does: 3012340 is `30123.40`."""
    whole, rest = divmod(abs(hundredths), GAS_UNIT)
    return f"{'-' if hundredths < 0 else ''}{whole}.{rest:02d}"


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


def failure_fields(failure: Failure, *, excerpt: bool = True) -> Iterable[tuple[str, object]]:
    """Lists where something failed, the innermost place first, and what was thrown; `excerpt`: with the source line."""
    for number, frame in enumerate(failure.frames):
        where = f"{frame.contract}/{frame.action_name}"
        if frame.line:
            where += f" line {frame.line}, column {frame.column}"
            where += f" in {frame.function_name}" if frame.function_name not in ("", frame.action_name) else ""
        yield "called from" if number else "failed in", where
        if excerpt and frame.source_line and not number:
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
