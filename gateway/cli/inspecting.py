"""Commands that look: receipts, contracts, events, workers."""

from typing import Annotated

import typer

from chassis.errors import RemoteError
from gateway.cli import hints, options
from gateway.cli.connection import connect
from gateway.cli.failures import NotFoundError
from gateway.cli.options import Block, Gateway, Json, Version, Wide
from gateway.cli.output import (
    console,
    print_fields,
    print_json,
    print_json_line,
    print_notice,
    print_table,
    receipt_fields,
)
from gateway.cli.texts import cut_ids, visible
from gateway.client import Client, EventFilter, base58, oldest_cursor
from iost.gateway.v1 import inspection_service_pb2 as pb

contract_app = typer.Typer(name="contract", help="Published contracts, and checking sources.", no_args_is_help=True)


def receipt(
    hashes: Annotated[list[str], typer.Argument(help="Transaction hashes, base58 or hexadecimal.")],
    version: Version = 0,
    block: Block = "",
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Shows receipts of executed transactions."""
    with connect(gateway) as client:
        wanted = [options.tx_hash(text) for text in hashes]
        found = client.receipts(wanted, version=version, block_id=options.block_id(block))
    for text, stored in zip(hashes, found, strict=True):
        if not stored.HasField("receipt"):
            raise NotFoundError(f"no receipt of transaction {text}", metadata={"transaction": text})
    if as_json:
        print_json(list(found))
        return
    for stored in found:
        print_fields([("version", stored.version), *receipt_fields(stored.receipt)])


@contract_app.command("show")
def contract_show(
    contract_id: Annotated[str, typer.Argument(metavar="ID", help="Contract id or system name.")],
    source: Annotated[bool, typer.Option("--source", help="Print the source, and nothing else.")] = False,
    version: Version = 0,
    block: Block = "",
    wide: Wide = False,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Shows a contract: owner, code hash, methods."""
    with connect(gateway) as client:
        try:
            (contract,) = client.contracts([contract_id], version=version, block_id=options.block_id(block))
        except RemoteError as error:
            if error.reason == "CONTRACT_NOT_FOUND" and (hint := hints.of_contract(client, contract_id)):
                error.add_note(hint)
            raise
    if source:
        typer.echo(contract.source, nl=not contract.source.endswith("\n"))
    elif as_json:
        print_json(contract)
    else:
        print_fields(
            [
                ("contract", contract.id),
                ("owner", contract.owner),
                ("language", f"{contract.lang} {contract.version}"),
                ("code hash", contract.code_hash.hex()),
                ("source bytes", len(contract.source.encode())),
            ]
        )
        rows = [
            (
                f"{method.name}({', '.join(method.args)})",
                " ".join(f"{limit.token}:{limit.value}" for limit in method.amount_limits),
            )
            for method in contract.methods
        ]
        print_table(("method", "may move"), rows, wide=wide)


def events(
    contract: Annotated[str, typer.Option(help="Only events of this contract.")] = "",
    method: Annotated[str, typer.Option(help="Only events posted by this method.")] = "",
    since: Annotated[
        int | None,
        typer.Option(help="Version to go on after, 0: the oldest kept. Default: now.", min=0, max=options.MAX_INT64),
    ] = None,
    until_head: Annotated[
        bool, typer.Option("--until-head", help="End at the newest version instead of waiting.")
    ] = False,
    wide: Wide = False,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Follows events of committed transactions, one a line, until Ctrl-C; survives lost connections."""
    wanted = EventFilter(contract=contract, action_name=method, until_head=until_head)
    cursor = None if since is None else pb.EventCursor(version=since, transaction_index=2**31 - 1 if since else 0)
    with connect(gateway) as client:
        client.head()  # the stream waits for a gateway for ever; one that was never there is an error
        _announce_strangers(client, contract, method, as_json)
        try:
            for item in client.events(wanted, cursor=cursor):
                _print_event(item, as_json, wide=wide)
        except RemoteError as error:
            if oldest := oldest_cursor(error):
                error.add_note(f"what is still recorded comes with --since {oldest.version - 1}")
            raise


def _print_event(item: pb.StreamEventsResponse, as_json: bool, *, wide: bool) -> None:
    if as_json:
        print_json_line(item)
    else:
        console.print(_event_line(item, wide=wide), markup=False, soft_wrap=True)


def _announce_strangers(client: Client, contract: str, method: str, as_json: bool) -> None:
    """Prints a notice when the contract or method whose events are asked for does not exist."""
    if not contract:
        return
    try:
        (found,) = client.contracts([contract])
    except RemoteError as error:
        if error.reason != "CONTRACT_NOT_FOUND":
            raise
        name, hint = f"contract {contract}", hints.of_contract(client, contract)
    else:
        methods = [item.name for item in found.methods]
        if not method or method in methods:
            return
        name, hint = f"method {method} of {contract}", hints.did_you_mean(method, methods)
    text = f"{name} does not exist at present" + (f"; {hint}" if hint else "")
    print_notice(text, as_json, reason="NOT_FOUND", metadata={"contract": contract, "method": method})


def _event_line(item: pb.StreamEventsResponse, *, wide: bool) -> str:
    if item.unwind:
        return f"{item.cursor.version} (events of higher versions are void)"
    source = f"{base58.encode(item.tx_hash)} {item.event.contract}/{item.event.action_name}"
    return visible(f"{item.cursor.version} {source if wide else cut_ids(source)} {item.event.data}")


def workers(wide: Wide = False, gateway: Gateway = options.GATEWAY, as_json: Json = False) -> None:
    """Lists the worker processes of the VM service."""
    with connect(gateway) as client:
        answer = client.workers()
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            worker.worker_id,
            worker.pid,
            pb.WorkerState.Name(worker.state).removeprefix("WORKER_STATE_"),
            worker.transaction_count,
            worker.batch_count,
            len(worker.hot_contracts),
            worker.rss_bytes >> 20,
            worker.uptime_ms // 1000,
            worker.origin,
        )
        for worker in answer.workers
    ]
    columns = ("worker", "pid", "state", "transactions", "batches", "hot", "RSS MiB", "up s", "started from")
    print_table(columns, rows, wide=wide)
    if answer.hottest:
        hottest = [(item.contract, item.use_count) for item in answer.hottest]
        print_table(("hottest contract", "batches"), hottest, wide=wide)
    print_fields(
        [
            ("wanted", answer.wanted_count),
            ("replaced", answer.restart_count),
            ("batches waiting", answer.queue_count),
            ("in quarantine", answer.quarantine_count),
            ("contract uses", _uses_text(answer.uses)),
            ("build", answer.build_id),
            ("gas schedule", answer.gas_schedule_version),
        ]
    )


def _uses_text(uses: pb.ContractUses) -> str:
    """Returns how often contracts were found hot."""
    total = uses.pinned_count + uses.recent_count + uses.cold_count
    if not total:
        return "none yet"
    tiers = (("pinned", uses.pinned_count), ("recent", uses.recent_count), ("cold", uses.cold_count))
    return ", ".join(f"{name} {count} ({100 * count / total:.0f} %)" for name, count in tiers)
