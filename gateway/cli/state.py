"""Commands for cells of the chain's state."""

from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.cli import hints, options
from gateway.cli.connection import connect
from gateway.cli.options import Block, Gateway, Json, Version, Wide
from gateway.cli.output import print_json, print_notice, print_table
from gateway.client import Client
from iost.gateway.v1 import inspection_service_pb2 as pb

app = typer.Typer(name="state", help="Cells of the chain's state, by their logical names.", no_args_is_help=True)

LISTED_CHARS = 200
"""Characters of a value in a list: all of an account's record, not the source of every contract."""

PAGE_SIZE = 1000
"""The largest page that the state service gives."""


@app.command("get")
def get(
    names: Annotated[
        list[str], typer.Argument(help="b-CONTRACT-KEY, m-CONTRACT-KEY-FIELD, m-CONTRACT-KEY or c-CONTRACT.")
    ],
    version: Version = 0,
    block: Block = "",
    wide: Wide = False,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Reads cells, all from one version."""
    with connect(gateway) as client:
        entries = client.state(names, version=version, block_id=options.block_id(block))
        similar = [(cell.name, hints.of_cell(client, cell.name)) for cell in entries if not cell.HasField("value")]
    _print(entries, as_json, wide=wide)
    for name, hint in similar:
        if hint:
            print_notice(f"{name} is absent; {hint}", as_json, reason="SIMILAR_NAMES", metadata={"name": name})


@app.command("list")
def list_below(
    prefix: Annotated[str, typer.Argument(help="Start of names: b-CONTRACT-, m-CONTRACT-, m-CONTRACT-KEY- or c-.")],
    limit: Annotated[int, typer.Option(help="Most cells to list.", min=1)] = PAGE_SIZE,
    page: Annotated[str, typer.Option(help="Where to go on: the token that a cut list tells.")] = "",
    version: Version = 0,
    block: Block = "",
    wide: Wide = False,
    gateway: Gateway = options.GATEWAY,
    as_json: Json = False,
) -> None:
    """Lists cells below a prefix, in key order, all from one version. Tables cut long values, without --wide."""
    with connect(gateway) as client:
        entries, following = _list(client, prefix, limit, page, version=version, block_id=options.block_id(block))
    _print(entries, as_json, wide=wide, most=None if wide else LISTED_CHARS)
    if following:
        print_notice(
            f"{len(entries)} cells are shown, more follow: go on with --page {following}, or show more with --limit",
            as_json,
            reason="LIST_CUT",
            metadata={"count": len(entries), "page": following},
        )
    elif not entries:
        print_notice(f"no cell is below {prefix}", as_json, reason="LIST_EMPTY", metadata={"prefix": prefix})


def _list(
    client: Client, prefix: str, limit: int, page_token: str, *, version: int, block_id: bytes
) -> tuple[Sequence[pb.StateEntry], str]:
    """Reads up to `limit` cells; returns them with the token of those that follow, empty at the end."""
    entries: list[pb.StateEntry] = []
    while True:
        size = min(limit - len(entries), PAGE_SIZE)
        page = client.state_page(prefix, version=version, block_id=block_id, page_size=size, page_token=page_token)
        entries += page.entries
        version, page_token = page.version, page.next_page_token
        if not page_token or len(entries) >= limit:
            return entries, page_token


def _print(cells: Sequence[pb.StateEntry], as_json: bool, *, wide: bool, most: int | None = None) -> None:
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
    print_table(("name", "value", "payer", "version"), rows, wide=wide)


def _shown(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[:most]}... ({len(text)} characters)"
