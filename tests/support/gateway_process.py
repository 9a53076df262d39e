"""A gateway as a process of its own in front of a VM service and its store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import grpc

from chassis.channels import sync_channel
from gateway.demo.processes import Program, Service
from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.node import free_ports
from tests.support.vm_world import VmWorld

EXECUTE = "/iost.gateway.v1.TransactionService/ExecuteTransactions"


@contextmanager
def in_front_of(world: VmWorld, log_dir: Path) -> Iterator[grpc.Channel]:
    """Lets `world.execute` go through a gateway, whose channel it yields; its log goes to a file of `log_dir`."""
    assert world.vm is not None
    addresses = (f"--vm-address={world.vm.address}", f"--state-address={world.state.address}")
    gateway = Service(Program("gateway", "gateway", free_ports(1)[0], addresses), log_dir)
    direct = world.execution
    try:
        gateway.wait_ready()
        world.gateway_address = gateway.program.address
        with sync_channel(gateway.program.address) as channel:
            # The messages of both services are equal on the wire.
            execute = channel.unary_unary(
                EXECUTE, pb.ExecuteTransactionsRequest.SerializeToString, pb.ExecuteTransactionsResponse.FromString
            )
            world.execution = SimpleNamespace(ExecuteTransactions=execute)  # type: ignore[assignment]
            yield channel
    finally:
        world.execution = direct
        gateway.stop()
