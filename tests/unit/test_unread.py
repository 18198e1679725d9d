"""Messages that no profile reads: which device sends them, and which setting would read them."""

from __future__ import annotations

import json

import pytest

from command.doctor.topics import judge
from zelador.settings import Settings
from zelador.unread import MAX_TOPICS, UnreadTopics

TWO = ("lux", "temperature")
TASMOTA = {"Time": "2020-01-01T00:00:00", "SI7021": {"Temperature": 21.3}, "BH1750": {"Illuminance": 412}}


def found(settings: Settings, *messages: tuple[str, object]) -> list[str]:
    topics = UnreadTopics(settings)
    for topic, message in messages:
        topics.note(topic, message if isinstance(message, bytes) else json.dumps(message).encode())
    return [f"{each.device}|{each.advice}" for each in topics.found()]


@pytest.mark.parametrize(
    ("topic", "message", "says"),
    [
        ("tele/esp01/SENSOR", TASMOTA, "esp01|the preset tasmota would (ZELADOR_PROFILES=default,tasmota)"),
        (
            "tele/esp01/SENSOR",
            {"BH1750": {"Illuminance": 412}},
            "esp01|the preset tasmota would (ZELADOR_PROFILES=default,tasmota), but ",
        ),
        ("esp01/sensor/temperature/state", b"21.3", "esp01|the preset esphome would"),
        ("zigbee2mqtt/hall", {"temperature": 1, "illuminance": 2}, "hall|the preset zigbee2mqtt would"),
        (
            "sensors/esp01/readings",
            {"lux": 1, "temperature": 2},
            "esp01|ZELADOR_TOPICS__READING=sensors/{device_id}/",
        ),
        ("esp01/data", {"lux": 1, "temperature": 2}, "data|ZELADOR_TOPICS__READING=esp01/{device_id} would"),
        ("esp01/status", b"online", "|"),
        ("tele/plug/SENSOR", {"ENERGY": {"Power": 5}}, "|"),
        ("zigbee2mqtt/lamp", {"state": "ON"}, "|"),
        ("homeassistant/sensor/x/config", {"name": "x"}, "|"),
    ],
)
def test_the_setting_that_would_read_a_message_is_named(topic: str, message: object, says: str) -> None:
    (told,) = found(Settings(features=TWO), (topic, message))
    assert told.startswith(says)
    assert bool(told.strip("|")) == bool(says.strip("|"))


def test_the_default_profile_is_named_if_it_is_not_in_use() -> None:
    """Its topic is set already, so another value of ZELADOR_TOPICS__READING would not help."""
    settings = Settings(features=TWO, profiles=("tasmota",))
    says = found(settings, ("sensors/a/reading", {"lux": 1, "temperature": 2}), ("x/a/reading", {"lux": 1}))
    assert says == ["a|the profile default would (ZELADOR_PROFILES=tasmota,default)", "|"]
    (told,) = found(settings, ("sensors/a/reading", {"lux": 1, "temperature": "2,5"}))
    assert told.startswith("a|the profile default would (ZELADOR_PROFILES=tasmota,default), but temperature is text")


def test_our_own_topics_are_not_reported() -> None:
    settings = Settings(features=TWO, profiles=("default", "tasmota"))
    ours = [
        "sensors/a/reading",
        "sensors/a/prediction",
        "sensors/a/state",
        "homeassistant/device/zelador_a/config",
        "zelador/status/ingest/x",
        "$SYS/broker/version",
        "tele/a/SENSOR",
    ]
    assert found(settings, *((topic, TASMOTA) for topic in ours)) == []


def test_the_number_of_topics_is_bounded() -> None:
    topics = UnreadTopics(Settings())
    for number in range(3 * MAX_TOPICS):
        topics.note(f"x/{number}", b"1" * 100_000)
    topics.note("x/1", b"1")
    assert len(topics._counts) == MAX_TOPICS
    assert sum(map(len, topics._samples.values())) <= MAX_TOPICS * 4_096
    assert topics._counts["x/1"] == 2


def test_the_doctor_reports_it_in_a_sentence() -> None:
    topics = UnreadTopics(Settings(features=TWO))
    topics.note("tele/esp01/SENSOR", json.dumps(TASMOTA).encode())
    topics.note("tele/\x1b[31m/SENSOR", json.dumps(TASMOTA).encode())
    said = [each.what for each in judge(topics.found())]
    assert any(
        "esp01 publishes on tele/esp01/SENSOR, and no profile reads it; the preset tasmota" in each for each in said
    )
    assert len(said) == 2
    assert "\x1b" not in "".join(said)
    other = UnreadTopics(Settings())
    other.note("esp01/status", b"online")
    (only,) = judge(other.found())
    assert only.state == "fine"
