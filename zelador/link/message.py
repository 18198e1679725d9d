"""Messages from the broker, and messages to it."""

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

    `epoch` is the number of its connection. Packet ids restart with each connection, so an acknowledgement for an
    earlier epoch could match another message, and is dropped.
    """

    topic: str  # empty if it is not UTF-8; such a message is quarantined
    payload: bytes
    received_at: int
    epoch: int
    packet_id: int
    qos: int
    retained: bool = False
    again: bool = False  # the broker has sent it before (DUP)
    response_topic: str | None = None
    correlation: bytes | None = None
