"""Hints for names that do not exist: the most similar names that do."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

from chassis.errors import RemoteError
from gateway.client import Client, TransactionError

LOOKED_AT = 200
"""Most names that are looked at for a hint: one page of the state service, a few milliseconds."""

MOST = 3
"""Most names in a hint."""

ACCOUNTS = "m-auth.iost-auth-"
TOKENS = "m-token.iost-TI"


def did_you_mean(word: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Returns `did you mean ...?` with the known words that are most similar, behind a prefix; else an empty text."""
    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(name.lower(), name)
    similar = [by_folded[folded] for folded in get_close_matches(word.lower(), by_folded, n=MOST, cutoff=0.7)]
    similar = [prefix + name for name in similar if name != word]
    return f"did you mean {', '.join(similar)}?" if similar else ""


def of_method(client: Client, contract: str, method: str) -> str:
    """Returns a hint when a contract lacks a method, or when the contract itself does not exist."""
    try:
        (found,) = client.contracts([contract])
    except RemoteError:
        return of_contract(client, contract)
    methods = [item.name for item in found.methods]
    return "" if method in methods else did_you_mean(method, methods)


def of_contract(client: Client, contract: str) -> str:
    """Returns a hint for the id of a contract that does not exist; only system names are similar to anything."""
    return did_you_mean(contract, _names(client, "c-", contract[:1]))


def of_account(client: Client, account: str) -> str:
    """Returns a hint for an account that does not exist."""
    return did_you_mean(account, _names(client, ACCOUNTS, account[:1]))


def of_token(client: Client, token: str) -> str:
    """Returns a hint for a token that does not exist."""
    return did_you_mean(token, _names(client, TOKENS, ""))


def of_cell(client: Client, name: str) -> str:
    """Returns a hint for a cell that does not exist: names of the same contract, or of the same map."""
    prefix, _, last = name.rpartition("-")
    if prefix in ("", "c"):
        return of_contract(client, last)
    similar = did_you_mean(last, _names(client, f"{prefix}-", ""), prefix=f"{prefix}-")
    # A field of a map that does not exist: the map's name may be the mistyped part.
    return similar or (of_cell(client, prefix) if prefix.count("-") > 1 else "")


def _names(client: Client, prefix: str, start: str) -> list[str]:
    """Lists what follows a prefix in names of state; none where the node does not tell."""
    try:
        entries = client.state_page(prefix + start, page_size=LOOKED_AT).entries
        return [entry.name.removeprefix(prefix) for entry in entries]
    except RemoteError:
        return []


@contextmanager
def for_calls(client: Client, calls: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Adds a hint to a failure of calls, each a contract and a method, when one of them was mistyped."""
    try:
        yield
    except TransactionError as error:
        for contract, method in calls:
            if hint := of_method(client, contract, method):
                error.add_note(hint)
                break
        raise
