"""Commands for key files."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failures import InputError
from gateway.cli.options import Json
from gateway.cli.output import print_fields, print_json
from gateway.client import Account, KeyPair, key_files
from gateway.client.keys import ALGORITHMS

app = typer.Typer(
    name="key", help="Key files: one account's name and private key, readable by you alone.", no_args_is_help=True
)


@app.command("new")
def new(
    file: Annotated[Path, typer.Argument(help="File to write; never overwritten.")],
    account: Annotated[str, typer.Option(help="Account that the key signs for.")],
    algorithm: Annotated[str, typer.Option(help=f"Signature scheme: {' or '.join(ALGORITHMS)}.")] = ALGORITHMS[0],
    as_json: Json = False,
) -> None:
    """Makes a key pair and prints its public key, which the account's record must name."""
    if algorithm not in ALGORITHMS:
        raise InputError(f"unknown algorithm {algorithm!r}; known: {', '.join(ALGORITHMS)}")
    made = Account(account, KeyPair.generate(algorithm))
    key_files.save(file, made)
    _print(made, as_json)


@app.command("show")
def show(file: Annotated[Path, typer.Argument(help="Key file.")], as_json: Json = False) -> None:
    """Shows the account and the public key of a key file; never the private key."""
    _print(key_files.load(file), as_json)


def _print(account: Account, as_json: bool) -> None:
    fields = {"account": account.name, "algorithm": account.key.algorithm, "public_key": account.key.public_text}
    if as_json:
        print_json(fields)
    else:
        print_fields([(name.replace("_", " "), value) for name, value in fields.items()])
