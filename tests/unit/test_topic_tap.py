"""The gate counts the messages of a connection on topics that no profile reads, however the bytes are cut."""

from __future__ import annotations

import io
import json

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st

from command.up.topic_tap import MAX_HELD, TRUSTED, TopicTap
from tests.unit.test_gate import Captured
from zelador.settings import Settings
from zelador.unread import UnreadTopics

SETTINGS = Settings(features=("lux", "temperature"))
TASMOTA = json.dumps({"SI7021": {"Temperature": 21.3}, "BH1750": {"Illuminance": 412}}).encode()


def connected(level: int) -> Captured:
    device = Captured("a", level)
    device._state, device._sock = paho._ConnectionState.MQTT_CS_CONNECTED, io.BytesIO()
    return device


def packets(level: int, *messages: tuple[str, bytes, int]) -> bytes:
    device = connected(level)
    for mid, (topic, payload, qos) in enumerate(messages, 1):
        device._send_publish(mid, topic.encode(), payload, qos)
    return device.bytes


def counted(topics: UnreadTopics) -> dict[str, int]:
    return {each.topic: each.count for each in topics.found()}


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["tele/esp01/SENSOR", "sensors/a/reading", "hall/ß", "x"]),
        st.sampled_from([b"", b"1", TASMOTA, b"x" * 300, b"x" * (MAX_HELD + 9)]),
        st.integers(0, 2),
    ),
    max_size=8,
)


@given(st.sampled_from([4, 5]), MESSAGES, st.lists(st.integers(1, 9_000), max_size=30))
def test_however_the_bytes_are_cut_each_message_counts_once(
    level: int, messages: list[tuple[str, bytes, int]], cuts: list[int]
) -> None:
    topics = UnreadTopics(SETTINGS)
    tap, stream = TopicTap(level, topics), packets(level, *messages)
    for cut in cuts:
        assert tap.feed(stream[:cut])
        stream = stream[cut:]
        assert len(tap._held) < MAX_HELD
    assert tap.feed(stream)
    foreign = [topic for topic, _, _ in messages if topic != "sensors/a/reading"]
    assert counted(topics) == {topic: foreign.count(topic) for topic in foreign}


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_end_in_an_answer(data: bytes, size: int) -> None:
    tap = TopicTap(5, UnreadTopics(SETTINGS))
    for at in range(0, len(data), size):
        tap.feed(data[at : at + size])


@pytest.mark.parametrize("level", [4, 5])
def test_the_payload_says_what_would_read_it(level: int) -> None:
    topics = UnreadTopics(SETTINGS)
    assert TopicTap(level, topics).feed(packets(level, ("tele/esp01/SENSOR", TASMOTA, 1)))
    (told,) = topics.found()
    assert (told.device, told.count) == ("esp01", 1)
    assert told.advice == "the preset tasmota would (ZELADOR_PROFILES=default,tasmota)"


def test_a_connection_with_only_known_topics_is_soon_ignored() -> None:
    tap = TopicTap(4, UnreadTopics(SETTINGS))
    known = packets(4, ("sensors/a/reading", b"{}", 1))
    assert all(tap.feed(known) for _ in range(TRUSTED - 1))
    assert not tap.feed(known)


def test_a_connection_with_an_unread_topic_is_still_counted() -> None:
    topics = UnreadTopics(SETTINGS)
    tap = TopicTap(4, topics)
    both = packets(4, ("sensors/a/reading", b"{}", 1), ("x/y/z", b"", 0))
    assert all(tap.feed(both) for _ in range(TRUSTED + 1))
    assert counted(topics) == {"x/y/z": TRUSTED + 1}


def test_other_packets_pass() -> None:
    device = connected(4)
    device._send_pingreq()
    device._send_subscribe(False, [(b"a/b", 1)])
    device._send_publish(3, b"x/y", b"1")
    topics = UnreadTopics(SETTINGS)
    assert TopicTap(4, topics).feed(device.bytes)
    assert counted(topics) == {"x/y": 1}
