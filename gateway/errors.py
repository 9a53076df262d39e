"""Errors of the gateway's own.

    ServiceError (chassis)
    ├── SaturatedError            RESOURCE_EXHAUSTED, retry after a moment
    ├── DrainingError             UNAVAILABLE: this gateway is stopping
    ├── NoEndpointError           UNAVAILABLE: no address of a VM service is known
    ├── ContractNotFoundError     NOT_FOUND
    ├── TokenNotFoundError        NOT_FOUND
    └── ForwardingError           INTERNAL: a peer answered what cannot be

Everything else that callers see comes from the VM and state services and passes through unchanged.
"""

import grpc

import chassis.errors
from chassis.errors import ServiceError


class SaturatedError(ServiceError):
    """The gateway has as much in progress as it is configured to hold."""

    reason = "GATEWAY_SATURATED"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    retryable = True
    retry_delay_ms = 100


class DrainingError(chassis.errors.DrainingError):
    """The gateway is stopping. Send the call to another one, or again once it is back; resume from the cursor."""

    reason = "GATEWAY_DRAINING"


class NoEndpointError(ServiceError):
    """No address of a VM service is known at the moment."""

    reason = "NO_VM_SERVICE"
    code = grpc.StatusCode.UNAVAILABLE
    retryable = True
    retry_delay_ms = 500


class ContractNotFoundError(ServiceError):
    """No contract has this id at the version read."""

    reason = "CONTRACT_NOT_FOUND"
    code = grpc.StatusCode.NOT_FOUND


class TokenNotFoundError(ServiceError):
    """No token has this symbol at the version read."""

    reason = "TOKEN_NOT_FOUND"
    code = grpc.StatusCode.NOT_FOUND


class ForwardingError(ServiceError):
    """A service behind the gateway answered something that its interface rules out."""

    reason = "PEER_MISBEHAVED"
    code = grpc.StatusCode.INTERNAL
