"""What the broker says of itself, where it does ($SYS, Mosquitto and its like): what it lost before we had it."""

from __future__ import annotations

from dataclasses import dataclass, replace

DROPPED = "$SYS/broker/publish/messages/dropped"
VERSION = "$SYS/broker/version"
TOPICS = (DROPPED, VERSION)


@dataclass(frozen=True, slots=True)
class BrokerSays:
    """`dropped` counts the messages that the broker dropped for any of its clients since it started."""

    dropped: int | None = None
    version: str | None = None

    def after(self, topic: str, payload: bytes) -> BrokerSays:
        text = payload[:200].decode("utf-8", "replace").strip()
        if topic == DROPPED and text.isdecimal():
            return replace(self, dropped=int(text))
        if topic == VERSION and text.isprintable():
            return replace(self, version=text)
        return self


def is_system(topic: str) -> bool:
    return topic.startswith("$SYS/")
