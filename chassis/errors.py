"""Errors on the wire: the one mapping between exceptions and gRPC status, both ways.

    Exception
    ├── ServiceError              the call failed: a reason, a gRPC code, retryable or not
    │   ├── MalformedRequestError   INVALID_ARGUMENT; names the field
    │   └── RemoteError             what another service answered; forwarded as it came
    └── anything else             a bug: INTERNAL, reason INTERNAL_BUG, its text never leaves the process

Every error status carries `google.rpc.ErrorInfo` (reason, domain, metadata), and `RetryInfo` where a retry helps
(AIP-193). Services derive their own errors from `ServiceError`; the outcome of a contract is data in a receipt and
never comes this way.
"""

import logging
import secrets
from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "vm.iost"
"""Domain of every ErrorInfo: reasons are unique within it."""

MAX_TEXT_CHARS = 1000
"""Longest message: enough for a sentence with a key in it, small beside the 8 KiB that proxies grant to headers."""

MAX_STATUS_BYTES = 256 << 10
"""Largest status sent, a quarter of `channels.MAX_METADATA_BYTES`, which both sides accept; details beyond are cut."""

STATUS_KEY = "grpc-status-details-bin"

# What gRPC itself answers carries no ErrorInfo, and its text holds addresses: reason and text to use instead.
TRANSPORT_REASONS = {
    grpc.StatusCode.UNAVAILABLE: ("PEER_UNAVAILABLE", "the service cannot be reached"),
    grpc.StatusCode.DEADLINE_EXCEEDED: ("DEADLINE_EXCEEDED", "no answer within the deadline"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("MESSAGE_TOO_LARGE", "the message is larger than the service accepts"),
    grpc.StatusCode.UNIMPLEMENTED: ("UNIMPLEMENTED", "the service does not know this method"),
}

RETRYABLE_TRANSPORT = frozenset({grpc.StatusCode.UNAVAILABLE})
"""The only code that may be retried without a RetryInfo (AIP-194)."""

M = TypeVar("M", bound=Message)
log = logging.getLogger(__name__)


class ServiceError(Exception):
    """Base of expected failures of a call.

    Attributes:
        reason: machine-readable, UPPER_SNAKE, at most 63 characters.
        code: gRPC code.
        retryable: the same call may succeed later.
        retry_delay_ms: how long to wait before a retry, when known.
    """

    reason: str = "INTERNAL_BUG"
    code: grpc.StatusCode = grpc.StatusCode.INTERNAL
    retryable: bool = False
    retry_delay_ms: int = 0

    def __init__(
        self, message: str, *, metadata: Mapping[str, object] | None = None, details: Iterable[Message] = ()
    ) -> None:
        """Creates the error.

        Args:
            message: short and actionable; no path, address or stack.
            metadata: every variable part of the message, for programs.
            details: further messages for the status, at most one of each type.
        """
        super().__init__(message)
        self.message = message[:MAX_TEXT_CHARS]
        self.metadata = {key: str(value)[:MAX_TEXT_CHARS] for key, value in (metadata or {}).items()}
        self.details = tuple(details)

    def to_status(self) -> status_pb2.Status:
        """Builds the status: ErrorInfo first, then RetryInfo, then the error's own details as far as they fit."""
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=[_pack(info)])
        if self.retryable:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(self.retry_delay_ms)
            status.details.append(_pack(retry))
        for detail in self.details:
            if status.ByteSize() + detail.ByteSize() < MAX_STATUS_BYTES:
                status.details.append(_pack(detail))
        return status


class MalformedRequestError(ServiceError):
    """The request can never be right, whatever the state of the service."""

    reason = "MALFORMED_REQUEST"
    code = grpc.StatusCode.INVALID_ARGUMENT

    def __init__(self, message: str, *, field: str = "") -> None:
        """Creates the error; `field` is the path of the field in the request, for example `transactions[3].actions`."""
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=message[:MAX_TEXT_CHARS])
        details = [error_details_pb2.BadRequest(field_violations=[violation])] if field else []
        super().__init__(message, metadata={"field": field} if field else {}, details=details)


class DrainingError(ServiceError):
    """The service is stopping. Send the call elsewhere, or again once the service is back; resume from the cursor."""

    reason = "SERVICE_DRAINING"
    code = grpc.StatusCode.UNAVAILABLE
    retryable = True
    retry_delay_ms = 100

    def __init__(self) -> None:
        """Creates the error."""
        super().__init__("the service is stopping; go on elsewhere, or here once it is back")


class RemoteError(ServiceError):
    """What another service answered. Raised on inside a handler, it reaches that handler's caller unchanged."""

    def __init__(self, status: status_pb2.Status, code: grpc.StatusCode) -> None:
        """Takes an error apart. A status without ErrorInfo is gRPC's own: the code decides reason and text.

        CANCELLED from gRPC means that the other process ended while it had the call, so it counts as UNAVAILABLE: a
        call that this side cancels raises `asyncio.CancelledError` instead.
        """
        info = _find(status, error_details_pb2.ErrorInfo)
        if info is None and code is grpc.StatusCode.CANCELLED:
            code = grpc.StatusCode.UNAVAILABLE
        retry = _find(status, error_details_pb2.RetryInfo)
        reason, text = TRANSPORT_REASONS.get(code, ("INTERNAL_BUG", "internal error"))
        super().__init__(status.message if info else text, metadata=info.metadata if info else None)
        self.reason = info.reason if info else reason
        self.code = code
        self.retryable = retry is not None or code in RETRYABLE_TRANSPORT
        self.retry_delay_ms = retry.retry_delay.ToMilliseconds() if retry else 0
        self._status = status if info else None

    def detail(self, kind: type[M]) -> M | None:
        """Finds the detail of one message type, or None."""
        return _find(self._status, kind) if self._status else None

    def to_status(self) -> status_pb2.Status:
        """Returns the status as it came; one made by gRPC itself gets an ErrorInfo first."""
        return self._status or super().to_status()


def _find(status: status_pb2.Status, kind: type[M]) -> M | None:
    for packed in status.details:
        found = kind()
        if packed.Is(found.DESCRIPTOR) and packed.Unpack(found):
            return found
    return None


def _pack(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def from_rpc_error(error: grpc.RpcError) -> RemoteError:
    """Decodes what a client call raised, blocking or asyncio. Never fails: a damaged status decodes by its code."""
    status = status_pb2.Status()
    trailers = cast("Iterable[tuple[str, bytes]]", error.trailing_metadata() or ())  # its stub names another shape
    for key, value in trailers:
        if key == STATUS_KEY:
            try:
                status.ParseFromString(value)
            except DecodeError:
                log.warning("status_details_unreadable", extra={"code": error.code().name})
    return RemoteError(status, error.code())


def explain(error: Exception, method: str) -> ServiceError:
    """Turns whatever a handler raised into the error that its caller gets; logs bugs, once, with their trace."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, grpc.RpcError):
        return from_rpc_error(error)
    incident = secrets.token_hex(8)
    log.error("unexpected_error", exc_info=error, extra={"method": method, "incident": incident})
    return ServiceError("internal error", metadata={"incident": incident})
