"""The broker's statistics from its $SYS topics (Mosquitto and compatible brokers): its version and dropped messages."""

from __future__ import annotations

from dataclasses import dataclass, replace

DROPPED = "$SYS/broker/publish/messages/dropped"
VERSION = "$SYS/broker/version"
TOPICS = (DROPPED, VERSION)


@dataclass(frozen=True, slots=True)
class BrokerStats:
    """Statistics that the broker reported. `dropped` counts messages dropped for any client since it started."""

    dropped: int | None = None
    version: str | None = None

    def after(self, topic: str, payload: bytes) -> BrokerStats:
        """The statistics after a message on one of `TOPICS`."""
        text = payload[:200].decode("utf-8", "replace").strip()
        if topic == DROPPED and text.isdecimal():
            return replace(self, dropped=int(text))
        if topic == VERSION and text.isprintable():
            return replace(self, version=text)
        return self


def is_system(topic: str) -> bool:
    return topic.startswith("$SYS/")
