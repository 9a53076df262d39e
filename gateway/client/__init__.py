"""The Python client of a V8VM node, for node modules, tools and tests. See `AsyncClient` and `Client`.

Modules, in the order a transaction passes through them:

- `keys`, `key_files`: key pairs and where they are kept;
- `json_texts`: arguments as JSON, with exact numbers;
- `base58`: the text form of hashes and keys;
- `canonical`: the bytes that are signed and hashed;
- `transactions`: actions, building, signing;
- `calls`, `events`: what the clients are made of;
- `async_client`, `blocking_client`: the clients.
"""

from chassis.errors import RemoteError
from gateway.client.async_client import AsyncClient
from gateway.client.blocking_client import Client
from gateway.client.calls import CompileError, Published, TransactionError, check
from gateway.client.canonical import contract_id, transaction_hash
from gateway.client.events import EventFilter, oldest_cursor
from gateway.client.key_files import Account
from gateway.client.keys import KeyPair
from gateway.client.transactions import action, build, sign, signed

__all__ = [
    "Account",
    "AsyncClient",
    "Client",
    "CompileError",
    "EventFilter",
    "KeyPair",
    "Published",
    "RemoteError",
    "TransactionError",
    "action",
    "build",
    "check",
    "contract_id",
    "oldest_cursor",
    "sign",
    "signed",
    "transaction_hash",
]
