"""Composes the messages that a batch publishes: predictions, and responses to MQTT 5 requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache

from inference.answer import Answered
from inference.split_answer import HEAD_BYTES, in_parts
from zelador.link import Outgoing, publish_bytes
from zelador.log_limit import LogLimit
from zelador.messages import Arrival, encode_json
from zelador.response_topic import ResponseRule
from zelador.settings import Settings

log = logging.getLogger(__name__)

CACHED_TOPICS = 16_384
REPEAT_S = 60.0  # between two log lines on requests without an answer


class Composer:
    def __init__(self, settings: Settings, unanswered: Callable[[], None]) -> None:
        """`unanswered` counts a request that gets no response."""
        self._topic = lru_cache(maxsize=CACHED_TOPICS)(
            lambda device: settings.topics.prediction.format(device_id=device)
        )
        self._packet_bytes = settings.mqtt.packet_bytes
        self._objection = ResponseRule(settings.topics).objection  # also for readings that an earlier version stored
        self._unanswered = unanswered
        self._log = LogLimit(REPEAT_S)

    def compose(self, answered: Sequence[Answered], packet_bytes: int) -> tuple[list[Outgoing], list[int]]:
        """The messages to publish, and for each its index in `answered`. The broker takes packets of `packet_bytes`.

        A reading is answered by a prediction, an array by an array, in parts if it is too large for a packet.
        """
        messages: list[Outgoing] = []
        owner: list[int] = []
        limit = min(packet_bytes, self._packet_bytes)
        for index, item in enumerate(answered):
            arrival, predictions = item.arrival, item.predictions
            if arrival is None or not predictions:
                continue
            payload = encode_json(predictions if arrival.array else predictions[0])
            topic = self._topic(arrival.device_id)
            if len(payload) <= limit - HEAD_BYTES and not arrival.response_topic:  # nearly always
                messages.append(Outgoing(topic, payload))
                owner.append(index)
                continue
            payloads = [payload] if len(payload) <= limit - HEAD_BYTES else in_parts(item, topic, limit)
            messages += [Outgoing(topic, payload) for payload in payloads]
            if arrival.response_topic:
                messages += self._responses(arrival, payloads, limit)
            owner += [index] * (len(messages) - len(owner))
        return messages, owner

    def _responses(self, arrival: Arrival, payloads: Sequence[bytes], limit: int) -> list[Outgoing]:
        """The responses to a request; empty if its topic is not allowed or a response is too large."""
        topic = arrival.response_topic or ""
        correlation = bytes.fromhex(arrival.correlation) if arrival.correlation else None
        why = self._objection(arrival.device_id, topic)
        found = [Outgoing(topic, payload, False, "application/json", correlation) for payload in payloads]
        if why is None and any(publish_bytes(outgoing) > limit for outgoing in found):
            why = f"the answer would have more than {limit} bytes"
        if why is None:
            return found
        self._unanswered()
        if self._log.due():
            log.warning("no answer for %s on %r: %s%s", arrival.device_id, topic[:200], why, self._log.take_skipped())
        return []
