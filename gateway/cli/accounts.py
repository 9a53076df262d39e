"""Commands for accounts and their balances."""

import json
from decimal import ROUND_DOWN, Decimal
from typing import Annotated

import typer

from chassis.errors import RemoteError
from gateway.cli import hints, options
from gateway.cli.connection import connect
from gateway.cli.failures import NotFoundError
from gateway.cli.hints import ACCOUNTS
from gateway.cli.options import Block, Gateway, Json, Version, Wide
from gateway.cli.output import print_fields, print_json, print_notice, print_table
from gateway.client import Client

app = typer.Typer(name="account", help="Accounts of the chain.", no_args_is_help=True)


def balance(
    account: Annotated[str, typer.Argument(help="Account or contract.")],
    tokens: Annotated[list[str] | None, typer.Argument(help="Token symbols; iost when left out.")] = None,
    version: Version = 0,
    block: Block = "",
    wide: Wide = False,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Shows token balances as exact decimals; exit code 3 for an account or token that does not exist."""
    wanted, at = tokens or ["iost"], options.block_id(block)
    with connect(gateway) as client:
        try:
            balances = client.balances([(account, token) for token in wanted], version=version, block_id=at)
        except RemoteError as error:
            if error.reason == "TOKEN_NOT_FOUND" and (hint := hints.of_token(client, error.metadata.get("token", ""))):
                error.add_note(hint)
            raise
        missing = None if _exists(client, account, version, at) else _missing(client, account)
    holds = any(item.frozen_amounts or Decimal(item.amount) for item in balances)
    if missing and not holds:
        raise missing
    if as_json:
        print_json(list(balances))
    else:
        rows = [(item.token, item.amount, " ".join(part.amount for part in item.frozen_amounts)) for item in balances]
        print_table(("token", "balance", "frozen"), rows, wide=wide)
    if missing:
        print_notice(f"{missing}, but holds tokens", as_json, reason="NOT_FOUND", metadata=missing.metadata)


def _exists(client: Client, name: str, version: int, block_id: bytes) -> bool:
    """Tells whether an account or a contract has this name."""
    cells = client.state([ACCOUNTS + name, f"c-{name}"], version=version, block_id=block_id)
    return any(cell.HasField("value") for cell in cells)


def _missing(client: Client, account: str) -> NotFoundError:
    """Makes the error of an account that does not exist, with a hint where there is a similar name."""
    error = NotFoundError(f"account {account} does not exist", metadata={"account": account})
    if hint := hints.of_account(client, account):
        error.add_note(hint)
    return error


@app.command("list")
def list_all(wide: Wide = False, gateway: Gateway = options.GATEWAY, as_json: Json = False) -> None:
    """Lists the accounts of the chain."""
    with connect(gateway) as client:
        names = [cell.name.removeprefix(ACCOUNTS) for cell in client.list_state(ACCOUNTS, page_size=1000)]
    if as_json:
        print_json(names)
    else:
        print_table(("account",), [(name,) for name in names], wide=wide)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Account.")],
    wide: Wide = False,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Shows an account: permissions and their keys, iost, gas stock, RAM."""
    with connect(gateway) as client:
        cells = client.state([ACCOUNTS + name, f"b-gas.iost-{name}gs", f"b-gas.iost-{name}gt"])
        if not cells[0].HasField("value"):
            raise _missing(client, name)
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
            ("gas stock", _gas(cells[1].value.text)),
        ]
    )
    rows = [
        (permission, item.get("id"), item.get("weight"), details.get("threshold"))
        for permission, details in (record.get("permissions") or {}).items()
        for item in details.get("items") or ()
    ]
    print_table(("permission", "key or account", "weight", "threshold"), rows, wide=wide)


def _gas(text: str) -> str:
    """Writes a stock of gas, which the state holds with more decimals, as gas is written everywhere."""
    return f"{Decimal(text or 0).quantize(Decimal('0.01'), ROUND_DOWN):f}"


def _balance(client: Client, account: str, token: str) -> str:
    try:
        return client.balances([(account, token)])[0].amount
    except RemoteError as error:
        if error.reason == "TOKEN_NOT_FOUND":
            return ""
        raise
