"""Why messages are in quarantine, by kind: every reason of the decoder has one."""

from __future__ import annotations

import pytest

from admin.console.quarantine.reasons import device_of, groups, reason_of
from zelador.buffer.batch import refusals
from zelador.decode import Decoder
from zelador.quarantine import QuarantinedMessage
from zelador.settings import Settings

TOPIC = "sensors/{device_id}/reading"
NOW = 1_795_514_400_000


def refused_by(payload: bytes) -> str:
    """Why the first part of a message is refused."""
    topic = "sensors/press-07/reading"
    _, refused = Decoder(Settings()).decode(topic, payload, NOW)
    return refusals(topic, refused, NOW, 1 << 20)[0].reason


def message(reason: str, kind: str = "refused", topic: str = "sensors/press-07/reading") -> QuarantinedMessage:
    return QuarantinedMessage("1-1", kind, topic, reason, b"", 0, "", 0, 0)


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b'{"lux": 1, "temperature": <b>', "json"),
        (b"\x00\xff", "json"),
        (b"[]", "json"),
        (b"7", "json"),
        (b'{"lux": 1, "temperature": 5}', "missing"),
        (b'{"lux": 1e9, "temperature": 45, "vibration": 0.4}', "range"),
        (b'{"lux": 400, "temperature": "NaN", "vibration": 0.4}', "number"),
        (b'{"lux": 400, "temperature": null, "vibration": 0.4}', "number"),
        (b'{"lux": 400, "temperature": 45, "vibration": 0.4, "ts": "yesterday"}', "time"),
        (b'{"lux": 400, "temperature": 45, "vibration": 0.4, "ts": 1}', "time"),
        (b'{"lux": 400, "temperature": 45, "vibration": 0.4, "seq": "x"}', "other"),
        (b" " * 2_000_000, "size"),
    ],
)
def test_a_reason_of_the_decoder_has_a_kind(payload: bytes, name: str) -> None:
    reason = refused_by(payload)
    assert reason_of(message(reason)) == name, reason


def test_groups_are_counted_the_most_frequent_first() -> None:
    found = groups(
        [message("vibration is missing"), message("x"), message("vibration is missing; …"), message("", "set_aside")]
    )
    assert [(group.name, group.count) for group in found] == [("missing", 2), ("other", 1), ("set-aside", 1)]


@pytest.mark.parametrize(
    ("topic", "device"),
    [("sensors/press-07/reading", "press-07"), ("sensors//reading", "sensors//reading"), ("else/x", "else/x")],
)
def test_the_device_is_named_by_the_topic(topic: str, device: str) -> None:
    assert device_of(message("", topic=topic), TOPIC) == device
