"""Client channels, asyncio and blocking, alike in size limits, keep-alive, reconnection, deadlines and retries.

Retries follow AIP-194: only UNAVAILABLE is retried, by gRPC itself, below the call; every RPC of this product that
changes something is idempotent by an id of its caller. A call may always set its own `timeout`; the policy is for those
that do not.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from chassis.config import KEEPALIVE_MS

Options = Sequence[tuple[str, Any]]

MAX_MESSAGE_BYTES = 64 << 20
"""Default of `max_message_bytes` on both sides (config.ServerConfig says why)."""

MAX_METADATA_BYTES = 1 << 20
"""Largest headers or trailers accepted. gRPC's own limit (16 KiB) would lose errors that list conflicting keys."""

RETRY_BUFFER_BYTES = 16 << 20
"""Largest request kept for a retry, per call. gRPC's own limit (256 KiB) would silently not retry a block."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """Default behaviour of some calls.

    Attributes:
        service: full name ("iost.vm.v1.ExecutionService"); empty: all services.
        method: method name; empty: all methods of the service.
        timeout_ms: deadline of a call that sets none; 0: no deadline (long-lived streams). gRPC ends such calls up to a
            second early (grpc issue 34547): a call that must end within a few seconds sets its own `timeout`.
        attempts: most tries while the service is unavailable; 1: no retry, at most 5 (a limit of gRPC).
        wait_for_ready: wait for the connection, within the deadline, instead of failing at once.
    """

    service: str = ""
    method: str = ""
    timeout_ms: int = 30_000
    attempts: int = 4
    wait_for_ready: bool = False

    def to_config(self) -> dict[str, object]:
        """Returns the entry of gRPC's service config."""
        name = {"service": self.service, "method": self.method}
        entry: dict[str, object] = {"name": [{key: value for key, value in name.items() if value}]}
        if self.timeout_ms:
            entry["timeout"] = f"{self.timeout_ms / 1000:.3f}s"
        if self.wait_for_ready:
            entry["waitForReady"] = True
        if self.attempts > 1:
            # 50, 100, 200 ms: a connection lost to a restarted peer is back within the first two on one machine.
            entry["retryPolicy"] = {
                "maxAttempts": self.attempts,
                "initialBackoff": "0.050s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            }
        return entry


DEFAULT_POLICIES = (CallPolicy(),)
"""30 s: far above the slowest batch measured (seconds), far below what a person waits."""


def size_options(max_message_bytes: int) -> Options:
    """Returns the limits that servers and clients must agree on."""
    return (
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    )


def channel_options(
    max_message_bytes: int = MAX_MESSAGE_BYTES, policies: Sequence[CallPolicy] = DEFAULT_POLICIES
) -> Options:
    """Returns all options of a client channel.

    Args:
        max_message_bytes: largest message, either way; the same as the servers'.
        policies: the most specific one that names a method applies to it.
    """
    return (
        *size_options(max_message_bytes),
        ("grpc.service_config", json.dumps({"methodConfig": [policy.to_config() for policy in policies]})),
        ("grpc.enable_retries", 1),
        ("grpc.per_rpc_retry_buffer_size", min(max_message_bytes, RETRY_BUFFER_BYTES)),
        # A peer restarts within a second or two; gRPC's own back-off grows to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        # Whatever its name, the time that one attempt to connect may take: enough for a busy peer and two lost packets.
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # Find a silently dead peer (lost node, dropped connection-tracking entry) within 40 s even while idle.
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # Services talk within a cluster; a proxy meant for the internet must not get between.
        ("grpc.enable_http_proxy", 0),
    )


def aio_channel(
    target: str, *, max_message_bytes: int = MAX_MESSAGE_BYTES, policies: Sequence[CallPolicy] = DEFAULT_POLICIES
) -> grpc.aio.Channel:
    """Opens an asyncio channel; connects at the first call. REQUIRES: a running event loop."""
    return grpc.aio.insecure_channel(target, options=channel_options(max_message_bytes, policies))


def sync_channel(
    target: str, *, max_message_bytes: int = MAX_MESSAGE_BYTES, policies: Sequence[CallPolicy] = DEFAULT_POLICIES
) -> grpc.Channel:
    """Opens a blocking channel, for threads and for callbacks from V8; connects at the first call."""
    return grpc.insecure_channel(target, options=channel_options(max_message_bytes, policies))
