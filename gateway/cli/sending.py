"""Commands that send: publish, call, query, and prepared transactions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf import json_format

from gateway.cli import abi_files, hints, options
from gateway.cli.connection import connect
from gateway.cli.failures import InputError, RefusedError
from gateway.cli.options import Block, ChainId, GasLimit, Gateway, Json, Key, Version
from gateway.cli.output import call_fields, gas_text, outcome_fields, print_fields, print_json, print_notice
from gateway.client import Client, CompileError, TransactionError, base58, canonical, key_files, transactions
from gateway.client.calls import check, is_success
from iost.chain.v1.transaction_pb2 import Action, Transaction
from iost.gateway.v1.outcome_pb2 import TransactionOutcome
from iost.gateway.v1.transaction_service_pb2 import CallOutcome

tx_app = typer.Typer(
    name="tx", help="Prepared transactions: files of JSON, made by `v8vm call --print`.", no_args_is_help=True
)

CHECKED = (
    ("checked", "form, size, chain id, time and expiry, gas limit and ratio"),
    ("", "signatures, permissions of publisher and signers, gas of the publisher"),
)
"""What validation checks; the first check that fails refuses the transaction."""

EXECUTED = ("", "then all actions, alone, on the newest state; nothing was kept")
REFUSED = ("", "the first check that fails refuses the transaction; no action ran")

_MAX_SIGNED_GAS = transactions.PUBLISH_GAS_LIMIT // options.GAS_UNIT


def publish(
    source: Annotated[Path, typer.Argument(help="JavaScript file.")],
    key: Key,
    abi: options.AbiFile = None,
    update: Annotated[str, typer.Option(help="Id of a published contract to replace.")] = "",
    data: Annotated[str, typer.Option(help="Text for `can_update` of the contract to replace.")] = "",
    gas_limit: GasLimit = _MAX_SIGNED_GAS,
    chain_id: ChainId = options.CHAIN,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Publishes a contract, or replaces a published one; prints its id."""
    account = key_files.load(key)
    text = options.read_text(source)
    found = abi_files.load(source, abi)
    with connect(gateway) as client:
        used = found or _derived_abi(client, source, text)
        print_notice(
            used.announcement(), as_json, reason="ABI", metadata={"origin": used.origin, "methods": used.methods()}
        )
        signed = transactions.signed(
            account,
            transactions.publish_action(text, used.document, update, data),
            gas_limit=gas_limit * options.GAS_UNIT,
            chain_id=chain_id,
        )
        outcome = client.execute([signed]).outcomes[0]
    contract = update or canonical.contract_id(signed)
    _show(outcome, as_json, contract=contract)


def _derived_abi(client: Client, source: Path, text: str) -> abi_files.Abi:
    """Asks the node for the ABI that it derives from a source.

    Raises:
        RefusedError: the source is refused, so it is not published.
    """
    try:
        return abi_files.derived(source, client.compile(text).abi_json)
    except CompileError as error:
        raise RefusedError(str(error)) from None


def call(
    calls: Annotated[
        list[str], typer.Argument(help="CONTRACT METHOD ARGS, any number of times; ARGS is a JSON array.")
    ],
    key: Key,
    signer: Annotated[
        list[Path] | None, typer.Option(help="Key file of a further account that agrees; may be repeated.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="TOKEN:AMOUNT that may be moved at most; may be repeated. Default *:unlimited."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Execute, but keep nothing.")] = False,
    print_only: Annotated[
        bool, typer.Option("--print", help="Print the signed transaction instead of sending it.")
    ] = False,
    gas_limit: GasLimit = options.GAS,
    chain_id: ChainId = options.CHAIN,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Sends a transaction of one or more calls; they take effect together or not at all."""
    account = key_files.load(key)
    signers = [key_files.load(path) for path in signer or ()]
    transaction = transactions.build(
        account.name,
        _actions(calls),
        gas_limit=gas_limit * options.GAS_UNIT,
        chain_id=chain_id,
        signers=[f"{further.name}@active" for further in signers],
        amount_limits=_limits(limit),
    )
    transactions.sign(transaction, account, *signers)
    if print_only:
        typer.echo(json_format.MessageToJson(transaction, preserving_proto_field_name=True))
        return
    _send(transaction, gateway, dry_run=dry_run, as_json=as_json)


def _actions(texts: Sequence[str]) -> list[Action]:
    if len(texts) % 3 == 2:
        texts = [*texts, "[]"]
    if len(texts) % 3:
        raise InputError("calls are CONTRACT METHOD ARGS, any number of times; the last ARGS may be left out")
    triples = zip(texts[::3], texts[1::3], texts[2::3], strict=True)
    return [
        Action(contract=contract, action_name=method, data=options.arguments(args))
        for contract, method, args in triples
    ]


def _limits(texts: Sequence[str] | None) -> dict[str, str] | None:
    if not texts:
        return None
    pairs = [text.partition(":") for text in texts]
    if not all(token and value for token, _, value in pairs):
        raise InputError("a limit is TOKEN:AMOUNT, for example iost:10 or *:unlimited")
    return {token: value for token, _, value in pairs}


def query(
    contract: Annotated[str, typer.Argument(help="Contract id or system name.")],
    method: Annotated[str, typer.Argument(help="Method of its ABI.")],
    args: Annotated[str, typer.Argument(help="Arguments, a JSON array.")] = "[]",
    publisher: Annotated[str, typer.Option(help="Account shown to the contract as publisher; has no authority.")] = "",
    version: Version = 0,
    block: Block = "",
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Calls a method without a transaction: nothing is kept, nothing is paid, no key is needed."""
    data, at = options.arguments(args), options.block_id(block)
    with connect(gateway) as client, hints.for_calls(client, [(contract, method)]):
        try:
            outcome = client.call(
                contract, method, data=data, publisher=publisher, version=version, block_id=at, trace=True
            )
        except TransactionError as error:
            _show_call(error.outcome, as_json)
            raise
    _show_call(outcome, as_json)


def _show_call(outcome: CallOutcome | TransactionOutcome, as_json: bool) -> None:
    assert isinstance(outcome, CallOutcome)
    if as_json:
        print_json(outcome)
    else:
        print_fields(call_fields(outcome))


def trace(
    file: Annotated[Path, typer.Argument(help="Transaction as JSON, made by `v8vm call --print`.")],
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Runs a prepared transaction on the newest state and shows where it fails; nothing is kept.

    Signatures are taken for granted, and a transaction that has expired runs as of now.
    """
    transaction = _read(file)
    notes = [("trace", "nothing of this was kept")]
    if transactions.renew(transaction):
        notes.append(("expired", "it ran as of now, with another hash"))
    with connect(gateway) as client:
        outcome = client.execute([transaction], dry_run=True, trace=True, assume_signed=True).outcomes[0]
    _show(outcome, as_json, notes=notes)


@tx_app.command("send")
def send(
    file: Annotated[Path, typer.Argument(help="Transaction as JSON.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Execute, but keep nothing.")] = False,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Sends a signed transaction."""
    _send(_read(file), gateway, dry_run=dry_run, as_json=as_json)


@tx_app.command("validate")
def validate(
    file: Annotated[Path, typer.Argument(help="Transaction as JSON.")],
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Asks whether a signed transaction would be accepted now, and executes it without keeping anything.

    Exit code 4: it would be refused; 5: it would be executed and fail.
    """
    transaction = _read(file)
    with connect(gateway) as client:
        outcome = client.validate([transaction], trace=True).outcomes[0]
        (known,) = client.receipts([canonical.transaction_hash(transaction)])
    _show(outcome, as_json, notes=[*CHECKED, EXECUTED if outcome.HasField("receipt") else REFUSED])
    if known.HasField("receipt"):
        text = f"the transaction was executed in version {known.version}; sending it again answers that receipt"
        print_notice(text, as_json, reason="DUPLICATE", metadata={"version": known.version})


@tx_app.command("show")
def show(file: Annotated[Path, typer.Argument(help="Transaction as JSON.")], as_json: Json = False) -> None:
    """Shows hash, size and content of a transaction; needs no gateway."""
    transaction = _read(file)
    fields: list[tuple[str, object]] = [
        ("hash", base58.encode(canonical.transaction_hash(transaction))),
        ("bytes", len(canonical.full_form(transaction))),
        ("publisher", transaction.publisher),
        ("signers", " ".join(transaction.signers)),
        ("gas limit", gas_text(transaction.gas_limit)),
        *(("action", f"{item.contract} {item.action_name} {item.data}") for item in transaction.actions),
    ]
    if as_json:
        print_json({"hash": fields[0][1], "bytes": fields[1][1], "transaction": transaction})
    else:
        print_fields(fields)


def _read(file: Path) -> Transaction:
    try:
        return json_format.Parse(options.read_json_text(file), Transaction())
    except json_format.ParseError as error:
        raise InputError(f"{file} is not a transaction: {str(error).splitlines()[0]}") from None


def _send(transaction: Transaction, gateway: str, *, dry_run: bool, as_json: bool) -> None:
    with connect(gateway) as client:
        outcome = client.execute([transaction], dry_run=dry_run, trace=dry_run).outcomes[0]
        with hints.for_calls(client, [(item.contract, item.action_name) for item in transaction.actions]):
            _show(outcome, as_json, notes=[("dry run", "nothing of this was kept")] if dry_run else [])


def _show(
    outcome: TransactionOutcome, as_json: bool, *, contract: str = "", notes: Sequence[tuple[str, object]] = ()
) -> None:
    """Prints an outcome; a transaction that did not succeed also ends the command with its reason."""
    if as_json:
        print_json({"contract": contract, "outcome": outcome} if contract else outcome)
    else:
        named = bool(contract) and is_success(outcome)  # a publication that failed made no contract
        print_fields([*([("contract", contract)] if named else []), *outcome_fields(outcome), *notes])
    check(outcome)
