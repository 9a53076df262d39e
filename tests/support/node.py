"""A node of three real processes in a folder of its own, with accounts that have iost, gas and RAM."""

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.client import Account, Client
from gateway.demo import genesis
from gateway.demo.plan import ADMIN, CONTRACTS
from gateway.demo.processes import Program, Services, programs


def free_ports(count: int) -> list[int]:
    """Finds ports that nobody uses at the moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(contextlib.closing(socket.socket())) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]


class Node:
    """The running node.

    Attributes:
        folder: state, keys, logs.
        services: the processes.
        client: of the gateway.
        accounts: by name; `admin`, `alice`, `bobby`, `carol`, `david`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        gateway, vm, state = free_ports(3)
        self.programs: tuple[Program, Program, Program] = programs(
            folder, gateway_port=gateway, vm_port=vm, state_port=state
        )
        self.use(self.programs)
        self.client: Client
        self.accounts: Mapping[str, Account]

    def use(self, wanted: tuple[Program, Program, Program]) -> None:
        """Runs other programs than those of the demonstration. REQUIRES: nothing was started yet."""
        self.programs = wanted
        self.services = Services(wanted, self.folder / "logs")

    @property
    def state(self) -> Program:
        """The state service."""
        return self.programs[0]

    @property
    def vm(self) -> Program:
        """The VM service."""
        return self.programs[1]

    @property
    def gateway(self) -> Program:
        """The gateway."""
        return self.programs[2]

    @property
    def admin(self) -> Account:
        """Who publishes."""
        return self.accounts[ADMIN]

    def key_file(self, name: str) -> Path:
        """Key file of an account."""
        return self.folder / genesis.KEY_FOLDER / f"{name}.json"

    def publish(self, name: str) -> str:
        """Publishes a sample contract; returns its id."""
        source = (CONTRACTS / f"{name}.js").read_text()
        abi = json.loads((CONTRACTS / f"{name}.js.abi").read_text())
        return self.client.publish(self.admin, source, abi).contract_id


@contextlib.contextmanager
def running_node(folder: Path) -> Iterator[Node]:
    """Starts a node on an empty store; stops all of it at the end."""
    with running(Node(folder)) as node:
        yield node


@contextlib.contextmanager
def running(node: Node) -> Iterator[Node]:
    """Starts a prepared node on an empty store; stops all of it at the end."""
    node.folder.mkdir(parents=True, exist_ok=True)
    with node.services:
        node.services.start()
        with Client(node.gateway.address) as client:
            node.client = client
            node.accounts = genesis.prepare(client, node.state.address, node.folder)
            yield node
