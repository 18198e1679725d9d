"""What goes through the link: messages from the broker, and messages to it."""

from __future__ import annotations

import msgspec


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A message to publish at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False
    content_type: str | None = None
    correlation: bytes | None = None


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message from the broker, not yet acknowledged. `received_at` is in milliseconds since 1970 UTC.

    `epoch` is the number of the connection that it came on: packet ids start again on the next one, so an
    acknowledgement for an earlier epoch would hit another message there, and is dropped.
    """

    topic: str  # empty where it is not UTF-8: unusable, so it is quarantined
    payload: bytes
    received_at: int
    epoch: int
    packet_id: int
    qos: int
    retained: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None
