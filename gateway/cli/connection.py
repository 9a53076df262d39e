"""The connection of one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.rpc.error_details_pb2 import ErrorInfo

from chassis.errors import RemoteError
from gateway.cli.failures import InputError, NoGatewayError
from gateway.client import Client


@contextmanager
def connect(gateway: str) -> Iterator[Client]:
    """Opens a client for the time of a command.

    Raises:
        InputError: the address is empty.
        NoGatewayError: nothing answers at the address.
    """
    if not gateway.strip():
        raise InputError("the address of the gateway is empty; see --gateway")
    with Client(gateway) as client:
        try:
            yield client
        except RemoteError as error:
            # Without ErrorInfo the answer was made by this side's transport.
            if error.reason == "PEER_UNAVAILABLE" and error.detail(ErrorInfo) is None:
                message = f"no gateway answers at {gateway}; is it running? See --gateway"
                raise NoGatewayError(message, metadata={"gateway": gateway}) from None
            raise
