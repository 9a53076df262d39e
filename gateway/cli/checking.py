"""`v8vm contract check` and `abi`: what publishing does to a source, as a dry run, told by file, line and column."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import abi_files, options
from gateway.cli.connection import connect
from gateway.cli.failures import CommandError
from gateway.cli.options import ChainId, Gateway, Json
from gateway.cli.output import caret_text, failure_fields, gas_text, print_fields, print_json
from gateway.client import Account, Client, CompileError, canonical, key_files, transactions
from gateway.client.calls import is_success
from iost.chain.v1.transaction_pb2 import SIGNATURE_ALGORITHM_ED25519, Action, Signature, Transaction
from iost.gateway.v1.contract_service_pb2 import CompileOutcome
from iost.gateway.v1.outcome_pb2 import Failure, FailureFrame, TransactionOutcome

THE_CONTRACT = "(the contract)"
"""Payer of RAM whose id is not known before the publication."""

NO_ACCOUNT = "no_account"
"""Publisher when none is given: costs do not depend on who publishes, except for what `init` makes of it."""

GAS_STEP = 1_000 * options.GAS_UNIT
"""Gas limits that are recommended are multiples of this."""

MIN_GAS_LIMIT = 600_000
"""Hundredths: the lowest gas limit that the chain accepts."""

UNSIGNED = Signature(algorithm=SIGNATURE_ALGORITHM_ED25519, signature=bytes(64), public_key=bytes(32))
"""Stands for a signature in a dry run that needs none: as long as a real one, since bytes cost gas."""


class SourceRefusedError(CommandError):
    """A source has a mistake; it should not be published."""

    reason = "SOURCE_REFUSED"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the source.

    Attributes:
        message: what.
        line: in the source, from 1; 0: it has no place there.
        column: in the line, from 1.
        source_line: text of the line.
    """

    message: str
    line: int = 0
    column: int = 0
    source_line: str = ""

    def text(self, file: str) -> str:
        """Returns `FILE:LINE:COLUMN: message`."""
        where = f"{file}:{self.line}:{self.column}" if self.line else file
        return f"{where}: {self.message}"


@dataclass(slots=True)
class Report:
    """What is known of a source.

    Attributes:
        file: the source.
        abi_json: its ABI.
        findings: what is wrong with it.
        failure: where its code failed.
        account: the account that would publish; empty: none was given.
        gas_usage: gas of the publication, in hundredths.
        gas_limit: a limit that suffices, in hundredths.
        ram_bytes: RAM of the publication by payer.
        accepted: whether the chain would accept the publication of this account now; None: not known.
        refusal: why it would not.
        needs_gas_limit: whether it is accepted only with a lower gas limit than the default of `v8vm publish`.
        console_lines: lines that the source wrote with `console` at top level or in `init`.
    """

    file: str
    abi_json: str = ""
    findings: Sequence[Finding] = ()
    failure: Failure | None = None
    account: str = ""
    gas_usage: int = 0
    gas_limit: int = 0
    ram_bytes: Mapping[str, int] = field(default_factory=dict)
    accepted: bool | None = None
    refusal: str = ""
    needs_gas_limit: bool = False
    console_lines: Sequence[str] = ()


def contract_check(
    source: Annotated[Path, typer.Argument(help="JavaScript file.")],
    abi: options.AbiFile = None,
    key: Annotated[
        Path | None, typer.Option("--key", "-k", envvar="V8VM_KEY", help="Key file of the account that would publish.")
    ] = None,
    account: Annotated[
        str, typer.Option("--as", help="Account that would publish, without its key; goes before --key.")
    ] = "",
    update: Annotated[str, typer.Option(help="Id of a published contract that it would replace.")] = "",
    data: Annotated[str, typer.Option(help="Text for `can_update` of the contract to replace.")] = "",
    chain_id: ChainId = options.CHAIN,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Checks a source as publishing would, `init` included, and says what publishing costs; nothing is kept."""
    signer = None if account or key is None else key_files.load(key)
    text = options.read_text(source)
    found = abi_files.load(source, abi)
    report = Report(source.name, account=account or (signer.name if signer else ""))
    with connect(gateway) as client:
        report.findings, report.abi_json = _compiled(client, text, found.text if found else "")
        if not report.findings:
            used = found or abi_files.derived(source, report.abi_json)
            action = transactions.publish_action(text, used.document, update, data)
            _rehearse(client, report, action, chain_id, new=not update)
            if not report.findings and report.account:
                _ask_whether_accepted(client, report, action, chain_id, signer)
    _print(report, found or (abi_files.derived(source, report.abi_json) if report.abi_json else None), as_json)
    _judge(report)


def contract_abi(
    source: Annotated[Path, typer.Argument(help="JavaScript file.")],
    gateway: Gateway = options.GATEWAY,
) -> None:
    """Prints the ABI that the node derives from a source, for a file beside it."""
    text = options.read_text(source)
    with connect(gateway) as client:
        try:
            typer.echo(client.compile(text).abi_json)
        except CompileError as error:
            raise SourceRefusedError(_finding(error.outcome).text(source.name)) from None


# -- the checks ------------------------------------------------------------------------------------------------------


def _compiled(client: Client, text: str, abi_json: str) -> tuple[Sequence[Finding], str]:
    """Compiles; returns what is wrong, and the ABI."""
    try:
        outcome = client.compile(text, abi_json)
    except CompileError as error:
        return [_finding(error.outcome)], error.outcome.abi_json
    problems = [
        Finding(item.message, item.place.line, item.place.column, item.place.source_line) for item in outcome.problems
    ]
    return problems, outcome.abi_json


def _finding(outcome: CompileOutcome) -> Finding:
    place = outcome.place
    return Finding(" ".join(outcome.message.split()), place.line, place.column, place.source_line)


def _rehearse(client: Client, report: Report, action: Action, chain_id: int, *, new: bool) -> None:
    """Runs the publication with all signatures, gas and RAM taken for granted: what fails then is the code."""
    publisher = report.account or NO_ACCOUNT
    transaction = _unsigned(transactions.build(publisher, [action], gas_limit=_MOST, chain_id=chain_id))
    response = client.execute([transaction], dry_run=True, trace=True, assume_signed=True, assume_paid=True)
    outcome = response.outcomes[0]
    contract = canonical.contract_id(transaction) if new else ""
    report.gas_usage = outcome.receipt.gas_usage
    report.console_lines = list(outcome.console_lines)
    if not is_success(outcome):
        report.failure = outcome.failure
        report.findings = [_failed(outcome, contract)]
        return
    report.gas_limit = max(MIN_GAS_LIMIT, -(-report.gas_usage // GAS_STEP) * GAS_STEP)
    report.ram_bytes = {
        THE_CONTRACT if usage.payer == contract else usage.payer: usage.bytes for usage in outcome.receipt.ram_usages
    }


_MOST = transactions.PUBLISH_GAS_LIMIT


def _failed(outcome: TransactionOutcome, contract: str) -> Finding:
    """Returns what is wrong with a publication, at the innermost place that lies in the new contract."""
    message = outcome.receipt.status.message or outcome.message
    # What stands before names the action, system.iost/setCode, and begins to quote the source.
    shown = " ".join((message.partition(" error: ")[2] or message).split())
    place = next(
        (frame for frame in outcome.failure.frames if frame.contract == contract and frame.line), FailureFrame()
    )
    return Finding(shown, place.line, place.column, place.source_line)


def _ask_whether_accepted(
    client: Client, report: Report, action: Action, chain_id: int, signer: Account | None
) -> None:
    """Asks whether the account would be let publish now, with a gas limit that suffices and with the default one."""

    def ask(gas_limit: int) -> TransactionOutcome:
        transaction = transactions.build(report.account, [action], gas_limit=gas_limit, chain_id=chain_id)
        ready = transactions.sign(transaction, signer) if signer else _unsigned(transaction)
        return client.execute([ready], dry_run=True, assume_signed=signer is None).outcomes[0]

    outcome = ask(report.gas_limit)
    report.accepted = is_success(outcome)
    if report.accepted:
        report.needs_gas_limit = not is_success(ask(_MOST))
    else:
        report.refusal = " ".join((outcome.message or outcome.receipt.status.message).split())


def _unsigned(transaction: Transaction) -> Transaction:
    transaction.publisher_signatures.append(UNSIGNED)
    return transaction


# -- what is shown ---------------------------------------------------------------------------------------------------


def _print(report: Report, abi: abi_files.Abi | None, as_json: bool) -> None:
    if as_json:
        print_json(_plain(report))
        return
    for finding in report.findings:
        typer.echo(finding.text(report.file))
        if finding.source_line:
            typer.echo(_excerpt(finding))
    print_fields(_fields(report, abi))


def _plain(report: Report) -> dict[str, object]:
    return {
        "file": report.file,
        "findings": [asdict(finding) for finding in report.findings],
        "failure": report.failure,
        "abi_json": report.abi_json,
        "account": report.account,
        "gas_usage": report.gas_usage,
        "gas_limit": report.gas_limit,
        "ram_usages": [{"payer": payer, "bytes": amount} for payer, amount in report.ram_bytes.items()],
        "accepted": report.accepted,
        "refusal": report.refusal,
        "console_lines": list(report.console_lines),
    }


def _excerpt(finding: Finding) -> str:
    number = f"{finding.line:6} | "
    line, caret = caret_text(finding.source_line, finding.column).split("\n")
    return f"{number}{line}\n{' ' * (len(number) - 2)}| {caret}"


def _fields(report: Report, abi: abi_files.Abi | None) -> Iterable[tuple[str, object]]:
    if report.failure is not None and len(report.failure.frames) > 1:
        yield from failure_fields(report.failure, excerpt=False)
    if abi is not None:
        yield "ABI", abi.origin
        yield "methods", ", ".join(abi.methods()) or "none"
    for line in report.console_lines:
        yield "console", line
    if report.findings:
        return
    yield "gas", gas_text(report.gas_usage)
    for payer, amount in report.ram_bytes.items():
        yield "RAM", f"{'(the publisher)' if payer == NO_ACCOUNT else payer} {amount:+d} bytes"
    yield "publishing", _verdict(report)


def _verdict(report: Report) -> str:
    if report.accepted is None:
        return "works; whether an account can pay is said with --key or --as ACCOUNT"
    if not report.accepted:
        return f"refused for {report.account}: {report.refusal}"
    if report.needs_gas_limit:
        limit = report.gas_limit // options.GAS_UNIT
        return f"{report.account} can pay with --gas-limit {limit}, not with the default limit"
    return f"{report.account} can pay"


def _judge(report: Report) -> None:
    """Ends the command when the check failed."""
    if report.findings:
        first = report.findings[0]
        more = f" (and {len(report.findings) - 1} more)" if len(report.findings) > 1 else ""
        metadata = {"file": report.file, "line": first.line, "column": first.column}
        raise SourceRefusedError(first.text(report.file) + more, metadata=metadata)
    if report.accepted is False:
        raise CommandError(f"publishing is {_verdict(report)}", metadata={"account": report.account})
