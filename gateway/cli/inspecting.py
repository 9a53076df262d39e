"""Commands that look: receipts, state, contracts, balances, accounts, events, workers."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from chassis.errors import RemoteError
from gateway.cli import abi_files, options
from gateway.cli.connection import connect
from gateway.cli.failures import NotFoundError
from gateway.cli.options import Gateway, Json, Version
from gateway.cli.output import console, print_fields, print_json, print_json_line, print_table, receipt_fields
from gateway.client import Client, EventFilter, base58, oldest_cursor
from iost.gateway.v1 import inspection_service_pb2 as pb

state_app = typer.Typer(name="state", help="Cells of the chain's state, by their logical names.", no_args_is_help=True)
contract_app = typer.Typer(name="contract", help="Published contracts, and checking sources.", no_args_is_help=True)
account_app = typer.Typer(name="account", help="Accounts of the chain.", no_args_is_help=True)

_ACCOUNTS = "m-auth.iost-auth-"

LISTED_CHARS = 200
"""Characters of a value in a list: all of an account's record, not the source of every contract."""


def receipt(
    hashes: Annotated[list[str], typer.Argument(help="Transaction hashes, base58 or hexadecimal.")],
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Shows receipts of executed transactions."""
    with connect(gateway) as client:
        found = client.receipts([options.tx_hash(text) for text in hashes])
    for text, stored in zip(hashes, found, strict=True):
        if not stored.HasField("receipt"):
            raise NotFoundError(f"no receipt of transaction {text}", metadata={"transaction": text})
    if as_json:
        print_json(list(found))
        return
    for stored in found:
        print_fields([("version", stored.version), *receipt_fields(stored.receipt)])


@state_app.command("get")
def state_get(
    names: Annotated[
        list[str], typer.Argument(help="b-CONTRACT-KEY, m-CONTRACT-KEY-FIELD, m-CONTRACT-KEY or c-CONTRACT.")
    ],
    version: Version = 0,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Reads cells, all from one version."""
    with connect(gateway) as client:
        entries = client.state(names, version=version)
    _print_entries(entries, as_json)


@state_app.command("list")
def state_list(
    prefix: Annotated[str, typer.Argument(help="Start of names: b-CONTRACT-, m-CONTRACT-, m-CONTRACT-KEY- or c-.")],
    limit: Annotated[int, typer.Option(help="Most cells to list.", min=1)] = 1000,
    version: Version = 0,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Lists cells below a prefix, in key order, all from one version. Long values are cut, but not with --json."""
    with connect(gateway) as client:
        entries = list(itertools.islice(client.list_state(prefix, version=version, page_size=min(limit, 1000)), limit))
    _print_entries(entries, as_json, most=LISTED_CHARS)


def _print_entries(cells: Sequence[pb.StateEntry], as_json: bool, most: int | None = None) -> None:
    if as_json:
        print_json(list(cells))
        return
    rows = [
        (
            cell.name,
            _shown(cell.value.text, most) if cell.HasField("value") else "(absent)",
            cell.value.payer,
            cell.version,
        )
        for cell in cells
    ]
    print_table(("name", "value", "payer", "version"), rows)


def _shown(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


@contract_app.command("show")
def contract_show(
    contract_id: Annotated[str, typer.Argument(metavar="ID", help="Contract id or system name.")],
    source: Annotated[bool, typer.Option("--source", help="Print the source, and nothing else.")] = False,
    version: Version = 0,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Shows a contract: owner, code hash, methods."""
    with connect(gateway) as client:
        (contract,) = client.contracts([contract_id], version=version)
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
        print_table(("method", "may move"), rows)


@contract_app.command("check")
def contract_check(
    source: Annotated[Path, typer.Argument(help="JavaScript file.")],
    abi: options.AbiFile = None,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Checks a source as publishing would, without publishing; prints its ABI."""
    text = options.read_text(source)
    found = abi_files.load(source, abi)
    with connect(gateway) as client:
        compiled = client.compile(text, found.text if found else "")
    if as_json:
        print_json(compiled)
    else:
        typer.echo(compiled.abi_json)


def balance(
    account: Annotated[str, typer.Argument(help="Account or contract.")],
    tokens: Annotated[list[str] | None, typer.Argument(help="Token symbols; iost when left out.")] = None,
    version: Version = 0,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Shows token balances as exact decimals."""
    with connect(gateway) as client:
        balances = client.balances([(account, token) for token in tokens or ["iost"]], version=version)
    if as_json:
        print_json(list(balances))
        return
    rows = [(item.token, item.amount, " ".join(part.amount for part in item.frozen_amounts)) for item in balances]
    print_table(("token", "balance", "frozen"), rows)


@account_app.command("list")
def account_list(gateway: Gateway = options.GATEWAY, as_json: Json = False) -> None:
    """Lists the accounts of the chain."""
    with connect(gateway) as client:
        names = [cell.name.removeprefix(_ACCOUNTS) for cell in client.list_state(_ACCOUNTS, page_size=1000)]
    if as_json:
        print_json(names)
    else:
        print_table(("account",), [(name,) for name in names])


@account_app.command("show")
def account_show(
    name: Annotated[str, typer.Argument(help="Account.")], gateway: Gateway = options.GATEWAY, as_json: Json = False
) -> None:
    """Shows an account: permissions and their keys, iost, gas stock, RAM."""
    with connect(gateway) as client:
        cells = client.state([_ACCOUNTS + name, f"b-gas.iost-{name}gs", f"b-gas.iost-{name}gt"])
        if not cells[0].HasField("value"):
            raise NotFoundError(f"account {name} does not exist", metadata={"account": name})
        # A small chain may lack a token; then its balance is not shown.
        balances = {token: _balance(client, name, token) for token in ("iost", "ram")}
    record = json.loads(cells[0].value.text)
    if as_json:
        values = {"gas_stock": cells[1].value.text, "gas_pledge": cells[2].value.text}
        print_json({"account": record, "balances": balances, **values})
        return
    print_fields(
        [
            ("account", name),
            *((token, amount) for token, amount in balances.items() if amount),
            ("gas stock", cells[1].value.text or "0"),
        ]
    )
    rows = [
        (permission, item.get("id"), item.get("weight"), details.get("threshold"))
        for permission, details in (record.get("permissions") or {}).items()
        for item in details.get("items") or ()
    ]
    print_table(("permission", "key or account", "weight", "threshold"), rows)


def _balance(client: Client, account: str, token: str) -> str:
    try:
        return client.balances([(account, token)])[0].amount
    except RemoteError as error:
        if error.reason == "TOKEN_NOT_FOUND":
            return ""
        raise


def events(
    contract: Annotated[str, typer.Option(help="Only events of this contract.")] = "",
    method: Annotated[str, typer.Option(help="Only events posted by this method.")] = "",
    since: Annotated[
        int | None, typer.Option(help="Version to go on after, 0: the oldest kept. Default: now.", min=0)
    ] = None,
    until_head: Annotated[
        bool, typer.Option("--until-head", help="End at the newest version instead of waiting.")
    ] = False,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Follows events of committed transactions, one a line, until Ctrl-C; survives lost connections."""
    wanted = EventFilter(contract=contract, action_name=method, until_head=until_head)
    cursor = None if since is None else pb.EventCursor(version=since, transaction_index=2**31 - 1 if since else 0)
    with connect(gateway) as client:
        try:
            for item in client.events(wanted, cursor=cursor):
                _print_event(item, as_json)
        except RemoteError as error:
            if oldest := oldest_cursor(error):
                error.add_note(f"what is still recorded comes with --since {oldest.version - 1}")
            raise


def _print_event(item: pb.StreamEventsResponse, as_json: bool) -> None:
    if as_json:
        print_json_line(item)
    elif item.unwind:
        console.print(f"{item.cursor.version} (events of higher versions are void)", markup=False)
    else:
        where = f"{item.cursor.version} {base58.encode(item.tx_hash)}"
        text = f"{where} {item.event.contract}/{item.event.action_name} {item.event.data}"
        console.print(text, markup=False, soft_wrap=True)


def workers(gateway: Gateway = options.GATEWAY, as_json: Json = False) -> None:
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
    columns = ("worker", "pid", "state", "transactions", "batches", "hot contracts", "RSS MiB", "up s", "started from")
    print_table(columns, rows)
    if answer.hottest:
        print_table(("hottest contract", "batches"), [(item.contract, item.use_count) for item in answer.hottest])
    print_fields(
        [
            ("wanted", answer.wanted_count),
            ("replaced", answer.restart_count),
            ("batches waiting", answer.queue_count),
            ("in quarantine", answer.quarantine_count),
            ("contract uses", _uses_text(answer.uses)),
            ("build", answer.build_id),
        ]
    )


def _uses_text(uses: pb.ContractUses) -> str:
    """Returns how often contracts were found hot."""
    total = uses.pinned_count + uses.recent_count + uses.cold_count
    if not total:
        return "none yet"
    tiers = (("pinned", uses.pinned_count), ("recent", uses.recent_count), ("cold", uses.cold_count))
    return ", ".join(f"{name} {count} ({100 * count / total:.0f} %)" for name, count in tiers)
