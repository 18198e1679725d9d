"""Decides which response topics of MQTT 5 requests are answered: devices choose them, but Zelador publishes to them.

A topic that the broker refuses could end the connection for all predictions, and a foreign topic would let a device
write where only Zelador is allowed to. Such a request is classified as if it had no response topic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from zelador.settings import TopicSettings

MAX_BYTES = 1_024  # of the topic in UTF-8; MQTT allows 65,535, brokers less
MAX_LEVELS = 64  # Mosquitto refuses more than 200, EMQX more than 128
MAX_CORRELATION_BYTES = 1_024
CACHED_TOPICS = 16_384
RESERVED_LEVELS = ("state", "label")  # siblings of a device's reading: never written for a device

# MQTT 5 (1.5.4) allows a receiver to close the connection at control characters and non-characters.
_UNSAFE = re.compile(
    "[+#\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(plane << 16 | end) for plane in range(1, 17) for end in (0xFFFE, 0xFFFF))
    + "]"
)


class ResponseRule:
    """The rules, built once from the settings."""

    def __init__(self, topics: TopicSettings, readings: Iterable[str] = ()) -> None:
        """`readings` are the topic templates of further device profiles."""
        self._prefixes = topics.answered_prefixes
        self._own = re.compile("|".join(_pattern(template) for template in [*_own_topics(topics), *readings]))
        self.objection = lru_cache(maxsize=CACHED_TOPICS)(self._objection)

    def _objection(self, device: str, topic: str) -> str | None:
        """The reason why a request of `device` is not answered on `topic`; None if it is answered."""
        if (unsafe := unpublishable(topic)) is not None:
            return unsafe
        if not any(topic.startswith(prefix.replace("{device_id}", device)) for prefix in self._prefixes):
            return "it is outside ZELADOR_TOPICS__RESPONSE_PREFIXES"
        if self._own.fullmatch(topic):
            return "it is a topic of readings, predictions, states, labels or the status of services"
        return None


def unpublishable(topic: str) -> str | None:
    """The reason why a publish to `topic` may make some broker disconnect or crash; None if it is safe."""
    if not topic:
        return "it is empty"
    if _UNSAFE.search(topic):
        return "it has a wildcard, a control character or a non-character"
    if topic[0] == "$" or not topic[0].isascii():  # a first character of several bytes crashes rumqttd
        return "it begins with $ or a character that is not ASCII"
    if len(topic) > MAX_BYTES or len(topic.encode()) > MAX_BYTES:
        return f"it is longer than {MAX_BYTES} bytes"
    if topic.count("/") >= MAX_LEVELS:
        return f"it has more than {MAX_LEVELS} levels"
    return None


def _own_topics(topics: TopicSettings) -> list[str]:
    found = [topics.reading, topics.prediction, topics.state, topics.label, topics.status]
    for template in (topics.reading, topics.prediction):
        parent, _, last = template.rpartition("/")
        if last != "{device_id}" and parent:
            found += [f"{parent}/{level}" for level in RESERVED_LEVELS]
    return found


def _pattern(template: str) -> str:
    """A regular expression for all topics of `template`; like `+` in a subscription, it matches an empty level."""
    return "".join("[^/]*" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", template))
