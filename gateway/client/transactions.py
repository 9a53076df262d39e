"""Building and signing transactions."""

import json
import time
from collections.abc import Mapping, Sequence

from gateway.client import json_texts
from gateway.client.canonical import base_form, digest, publish_form
from gateway.client.key_files import Account
from iost.chain.v1.transaction_pb2 import Action, AmountLimit, Transaction

GAS_RATIO = 100
"""Hundredths: ratio 1, the lowest that the chain accepts."""

GAS_LIMIT = 100_000_000
"""Hundredths: 1,000,000 gas, IOST's own default for calls; about thirty plain contract calls."""

PUBLISH_GAS_LIMIT = 400_000_000
"""Hundredths: 4,000,000 gas, the most that the chain accepts; publishing costs 200,000 and 80 for each byte of code."""

LIFETIME_S = 90
"""Seconds until expiry: the longest that the chain accepts."""

CHAIN_ID = 1024
"""IOST's main chain, and what `make run` uses."""

UNLIMITED = {"*": "unlimited"}
"""Amount limit that allows every movement of every token."""


def action(contract: str, method: str, *args: object) -> Action:
    """Makes an action from Python values, each written as JSON: text, numbers, booleans, None, lists and mappings.

    `int` and `Decimal` are exact; a `float` has the digits that Python shows. Arguments that are JSON text already
    travel as they are in an `Action` of their own.

    Raises:
        TypeError: a value cannot be written as JSON.
        ValueError: a number is NaN, infinite or beyond the range of a number.
    """
    return Action(contract=contract, action_name=method, data=json_texts.encode(args))


def publish_action(source: str, abi: Mapping[str, object], contract_id: str = "", update_data: str = "") -> Action:
    """Makes the action that publishes a contract, or updates the published `contract_id`.

    Args:
        source: JavaScript source.
        abi: ABI document: `lang`, `version` and a list `abi`.
        contract_id: id of the contract to replace; empty: publish a new one.
        update_data: handed to the old contract's `can_update`; only for an update.
    """
    info = {"lang": abi["lang"], "version": abi["version"], "abi": abi["abi"]}
    contract = {"ID": contract_id, "info": info, "code": source}
    text = json.dumps(contract, ensure_ascii=False, separators=(",", ":"))
    if contract_id:
        return action("system.iost", "updateCode", text, update_data)
    return action("system.iost", "setCode", text)


class Clock:
    """Times for transactions, each later than the one before: equal actions never become equal transactions."""

    def __init__(self) -> None:
        self._last_ns = 0

    def next_ns(self) -> int:
        """Returns nanoseconds since 1970."""
        self._last_ns = max(self._last_ns + 1, time.time_ns())
        return self._last_ns


_CLOCK = Clock()


def build(
    publisher: str,
    actions: Sequence[Action],
    *,
    gas_limit: int = GAS_LIMIT,
    gas_ratio: int = GAS_RATIO,
    amount_limits: Mapping[str, str] | None = None,
    chain_id: int = CHAIN_ID,
    signers: Sequence[str] = (),
    time_ns: int = 0,
    lifetime_s: int = LIFETIME_S,
) -> Transaction:
    """Makes an unsigned transaction.

    Args:
        publisher: account that pays gas and RAM.
        actions: what to do, in order; all of it or nothing takes effect.
        gas_limit: most gas to spend, in hundredths, 600000 to 400000000.
        gas_ratio: price ratio in hundredths, 100 to 10000.
        amount_limits: token to decimal text or `unlimited`; `*` is every other token. None: everything unlimited.
        chain_id: the chain it is for.
        signers: further authority asked for, each `account@permission`.
        time_ns: time of creation, nanoseconds since 1970; 0: now, later than any transaction built before.
        lifetime_s: seconds until it is void, at most 90.
    """
    created_ns = time_ns or _CLOCK.next_ns()
    limits = UNLIMITED if amount_limits is None else amount_limits
    return Transaction(
        time_ns=created_ns,
        expiration_ns=created_ns + lifetime_s * 1_000_000_000,
        gas_ratio=gas_ratio,
        gas_limit=gas_limit,
        chain_id=chain_id,
        signers=signers,
        actions=actions,
        amount_limits=[AmountLimit(token=token, value=value) for token, value in limits.items()],
        publisher=publisher,
    )


def renew(transaction: Transaction) -> bool:
    """Dates an expired transaction anew, in place; its signatures are void then. Tells whether it had expired."""
    now_ns = _CLOCK.next_ns()
    end_ns = min(transaction.expiration_ns, transaction.time_ns + LIFETIME_S * 1_000_000_000)
    if now_ns < end_ns:
        return False
    transaction.time_ns = now_ns
    transaction.expiration_ns = now_ns + LIFETIME_S * 1_000_000_000
    return True


def sign(transaction: Transaction, publisher: Account, *signers: Account) -> Transaction:
    """Adds signatures in place: those of `signers`, then the publisher's. Returns the same transaction.

    REQUIRES: nothing is changed afterwards; every signature covers everything that was there before it.
    """
    base_digest = digest(base_form(transaction))
    transaction.signatures.extend(signer.key.sign(base_digest) for signer in signers)
    transaction.publisher_signatures.append(publisher.key.sign(digest(publish_form(transaction))))
    return transaction


def signed(publisher: Account, *actions: Action, gas_limit: int = GAS_LIMIT, chain_id: int = CHAIN_ID) -> Transaction:
    """Makes a transaction of `publisher` and signs it: the short form of `build` and `sign`."""
    return sign(build(publisher.name, actions, gas_limit=gas_limit, chain_id=chain_id), publisher)
