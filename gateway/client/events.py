"""Following events without losing or repeating one, however often the connection breaks."""

from dataclasses import dataclass

from chassis.errors import RemoteError
from iost.chain.v1.receipt_pb2 import EventTopic
from iost.gateway.v1.inspection_service_pb2 import (
    EventCursor,
    GetHeadResponse,
    StreamEventsRequest,
    StreamEventsResponse,
)

_LAST = 2**31 - 1

RECONNECT_DELAYS_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Waits before the first, second ... attempt in a row; the last one repeats. A restarted service is back in seconds."""


def after(head: GetHeadResponse) -> EventCursor:
    """Returns the cursor behind everything that the head holds: the next event is the first one committed later."""
    return EventCursor(
        version=head.version,
        transaction_index=_LAST,
        event_index=_LAST,
        block_id=head.block_id if head.version else b"",
    )


def oldest_cursor(error: RemoteError) -> EventCursor | None:
    """Returns where a stream can start that was refused with CURSOR_UNAVAILABLE: before the oldest recorded event.

    Events between the refused cursor and this one are lost to streams; their receipts are still there.

    Returns:
        The cursor; None for any other error, and where nothing is recorded.
    """
    if error.reason != "CURSOR_UNAVAILABLE" or not error.metadata.get("oldest_block_id"):
        return None
    block_id = bytes.fromhex(error.metadata["oldest_block_id"])
    return EventCursor(version=int(error.metadata["oldest_version"]), event_index=-1, block_id=block_id)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to follow.

    Attributes:
        contract: only events of this contract; empty: all.
        action_name: only events posted by this method; empty: all.
        data_prefix: only events whose data starts with this; empty: all.
        topic: only this topic; unspecified: all.
        until_head: end at the present head instead of waiting for more.
        final_only: only events of final versions, which are never unwound.
    """

    contract: str = ""
    action_name: str = ""
    data_prefix: str = ""
    topic: "EventTopic.ValueType" = EventTopic.EVENT_TOPIC_UNSPECIFIED
    until_head: bool = False
    final_only: bool = False


ALL = EventFilter()
"""Every event, for ever."""


class Position:
    """A subscription: what is asked for, and how far it has come.

    Attributes:
        request: asks for what comes after the last event seen.
    """

    def __init__(self, wanted: EventFilter, cursor: EventCursor) -> None:
        self.request = StreamEventsRequest(
            cursor=cursor,
            contract=wanted.contract,
            action_name=wanted.action_name,
            data_prefix=wanted.data_prefix,
            topic=wanted.topic,
            until_head=wanted.until_head,
            final_only=wanted.final_only,
        )
        self._failures = 0

    def saw(self, response: StreamEventsResponse) -> StreamEventsResponse:
        """Notes an event or unwind notice; returns it."""
        self.request.cursor.CopyFrom(response.cursor)
        self._failures = 0
        return response

    def next_delay_s(self) -> float:
        """Returns how long to wait before connecting again after a broken stream."""
        delay = RECONNECT_DELAYS_S[min(self._failures, len(RECONNECT_DELAYS_S) - 1)]
        self._failures += 1
        return delay
