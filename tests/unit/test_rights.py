"""What a device with a password may publish and read, however its packets are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command.up.connect_packet import read_connect, rewritten, text_field, varint
from command.up.rights import NOWHERE, access_list, intersection, matches, templates
from command.up.rights_stream import RightsStream
from operations.device_passwords import DevicePassword, check_behind, check_name, hashed
from operations.device_passwords import matches as password_matches
from tests.unit.test_gate import connects, packet
from zelador.errors import InvalidInput
from zelador.settings import Settings, TopicSettings

RULES = templates(TopicSettings())
MINE = RULES.of("press-07")
levels = st.sampled_from(["a", "b", "", "$SYS", "press-07"])
filters = st.lists(st.sampled_from(["a", "b", "", "+", "$SYS"]), min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from(["/".join(parts), "/".join([*parts, "#"]), "#"])
)
topics = st.lists(levels, min_size=1, max_size=5).map("/".join)


@given(filters, filters, topics)
def test_an_intersection_matches_what_both_match(one: str, other: str, topic: str) -> None:
    found = intersection(one, other)
    both = matches(one, topic) and matches(other, topic)
    assert (found is not None and matches(found, topic)) == both


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        ("sensors/press-07/prediction", "sensors/press-07/prediction"),
        ("sensors/+/prediction", "sensors/press-07/prediction"),
        ("sensors/#", "sensors/press-07/#"),
        ("#", "sensors/press-07/#"),
        ("+/press-07/replies/1", "sensors/press-07/replies/1"),
        ("sensors/press-08/prediction", None),
        ("$SYS/#", None),
        ("zelador/status/#", None),
        ("sensors/press-07x/#", None),
    ],
)
def test_a_subscription_is_narrowed_to_the_device_s_own_topics(wanted: str, granted: str | None) -> None:
    assert MINE.readable(wanted) == granted


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        ("sensors/press-07/reading", True),
        ("sensors/press-08/reading", False),
        ("sensors/press-07/label", True),
        ("sensors/press-08/label", False),
        ("sensors/press-07/prediction", False),
        ("sensors/press-07/reading/x", False),
        ("zelador/status/ingest/x", False),
        ("", False),
    ],
)
def test_a_device_publishes_only_its_own_readings(topic: str, allowed: bool) -> None:
    assert MINE.may_publish(topic) is allowed


def test_different_topics_give_different_rights() -> None:
    """Tests one topic per value, and predictions that are not below the device's own topics."""
    topics = TopicSettings(prediction="answers/{device_id}")
    rules = templates(topics, ("{device_id}/sensor/{field}/state", "tele/{device_id}/SENSOR"))
    mine = rules.of("esp01")
    assert mine.may_publish("esp01/sensor/temperature/state")
    assert mine.may_publish("tele/esp01/SENSOR")
    assert not mine.may_publish("tele/esp02/SENSOR")
    assert mine.readable("answers/+") == "answers/esp01"
    assert "pattern write %u/sensor/+/state\n" in access_list(rules)
    assert "pattern read answers/%u\n" in access_list(rules)


def test_a_reader_reads_everything_and_publishes_nothing() -> None:
    reader = RULES.of("board", reader=True)
    assert not reader.may_publish("sensors/board/reading")
    assert reader.readable("sensors/+/prediction") == "sensors/+/prediction"
    assert reader.readable("#") == "#"
    assert reader.readable("$SYS/#") is None
    board = DevicePassword("board", hashed("x"), "2026-01-01T00:00:00Z", reader=True)
    found = access_list(RULES, (board, DevicePassword("press-07", hashed("x"), "2026-01-01T00:00:00Z")))
    denied = "topic deny sensors/board/reading\ntopic deny sensors/board/label\n"
    assert f"user board\n{denied}topic read #\n" in found
    assert "user press-07" not in found


def test_a_gateway_publishes_for_the_devices_behind_it() -> None:
    """Zigbee2MQTT has one user for all of its devices."""
    some, every = RULES.of("hall", behind=("press-07", "press-08")), RULES.of("hall", behind=("*",))
    for name in ("hall", "press-07", "press-08", "press-09"):
        assert some.may_publish(f"sensors/{name}/reading") is (name != "press-09")
        assert some.readable(f"sensors/{name}/prediction") == (
            None if name == "press-09" else f"sensors/{name}/prediction"
        )
        assert every.may_publish(f"sensors/{name}/label")
        for rights in (some, every):
            assert not rights.may_publish(f"sensors/{name}/prediction")
    assert every.readable("sensors/+/prediction") == "sensors/+/prediction"
    assert every.readable("zelador/status/#") is None
    hall = DevicePassword("hall", hashed("x"), "2026-01-01T00:00:00Z", behind=("press-07",))
    zigbee = DevicePassword("zigbee2mqtt", hashed("x"), "2026-01-01T00:00:00Z", behind=("*",))
    rules = templates(TopicSettings(), ("zigbee2mqtt/{device_id}", "{device_id}/sensor/{field}/state"))
    found = access_list(rules, (hall, zigbee))
    assert "user hall\ntopic write zigbee2mqtt/hall\n" in found
    assert "topic write press-07/sensor/+/state\n" in found
    assert "user zigbee2mqtt\ntopic write zigbee2mqtt/+\ntopic write +/sensor/+/state\n" in found


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("press-*",), "no wildcard for a part of a name"),
        (("*", "a"), "is every device"),
        (("a/b",), "cannot be the name"),
        (("+",), "cannot be the name"),
        (("zelador",), "user of the services"),
        (tuple(f"d{i}" for i in range(101)), "at most 100"),
    ],
)
def test_an_invalid_device_behind_a_gateway_is_refused(names: tuple[str, ...], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        check_behind(names)


# ── the stream on rumqttd ────────────────────────────────────────────────────────────────────


def publish(topic: str, payload: bytes, qos: int = 1, level: int = 5) -> bytes:
    body = text_field(topic.encode()) + (b"\x00\x07" if qos else b"") + (b"\x00" if level == 5 else b"") + payload
    return packet(0x30 | qos << 1 | 1, body)


def subscribe(*wanted: str, kind: int = 0x82) -> bytes:
    options = b"\x01" if kind == 0x82 else b""
    return packet(kind, b"\x00\x09\x00" + b"".join(text_field(each.encode()) + options for each in wanted))


@pytest.mark.parametrize("level", [4, 5])
@given(data=st.data())
def test_a_stream_is_rewritten_alike_however_it_is_cut(level: int, data: st.DataObject) -> None:
    """What is not allowed becomes an empty message to a topic that nobody reads, with the same QoS and packet id."""
    sent, expected = b"", b""
    for number in range(data.draw(st.integers(1, 4))):
        allowed, qos = data.draw(st.booleans()), data.draw(st.integers(0, 2))
        payload = data.draw(st.binary(max_size=300))
        topic = "sensors/press-07/reading" if allowed else f"sensors/press-0{number}/prediction"
        one = publish(topic, payload, qos, level)
        sent += one
        if allowed:
            expected += one
        else:
            mid = b"\x00\x07" if qos else b""
            expected += packet(0x30 | qos << 1, text_field(NOWHERE.encode()) + mid + (b"\x00" if level == 5 else b""))
    complaints: list[str] = []
    stream, got = RightsStream(level, MINE, complaints.append), b""
    while sent:
        cut = data.draw(st.integers(1, len(sent)))
        got += stream.feed(sent[:cut])
        sent = sent[cut:]
    assert got == expected


def test_subscriptions_are_narrowed_one_by_one_and_ended_by_the_same_name() -> None:
    stream = RightsStream(5, MINE, lambda _: None)
    wanted = ("sensors/+/prediction", "sensors/press-08/#", "$share/g/sensors/press-07/prediction")
    granted = ("sensors/press-07/prediction", NOWHERE, NOWHERE)
    assert stream.feed(subscribe(*wanted)) == subscribe(*granted)
    assert stream.feed(subscribe(*wanted, kind=0xA2)) == subscribe(*granted, kind=0xA2)
    assert stream.feed(b"\xc0\x00" + b"\x40\x02\x00\x01") == b"\xc0\x00\x40\x02\x00\x01"


# ── the CONNECT packet ───────────────────────────────────────────────────────────────────────


@given(connects(), st.booleans(), st.booleans())
def test_a_connect_is_rewritten_into_one_that_reads_as_intended(
    given_connect: tuple[bytes, int, str, bytes | None], keep_will: bool, keep_login: bool
) -> None:
    before = read_connect(given_connect[0])
    assert before is not None
    raw = rewritten(given_connect[0], "press-07~x", keep_will, keep_login)
    found = read_connect(raw)
    assert found is not None
    assert (found.client_id, found.size, found.level) == ("press-07~x", len(raw), before.level)
    assert found.will_topic == (before.will_topic if keep_will else None)
    assert (found.username, found.password) == ((before.username, before.password) if keep_login else (None, None))
    same = rewritten(given_connect[0], before.client_id, True, True)
    assert same == given_connect[0]


def test_a_length_survives_a_round_trip() -> None:
    for number in (0, 127, 128, 16_383, 16_384, 2_097_152):
        raw = varint(number)
        assert packet(0x10, b"x" * 300).startswith(b"\x10" + varint(300))
        assert len(raw) == (1 if number < 128 else 2 if number < 16_384 else 3 if number < 2_097_152 else 4)


# ── passwords ────────────────────────────────────────────────────────────────────────────────


def test_a_hash_is_salted_and_matches_only_its_password() -> None:
    one, other = hashed("secret"), hashed("secret")
    assert one != other
    assert password_matches(one, b"secret")
    assert not password_matches(one, b"Secret")
    assert not password_matches("plain", b"plain")


@pytest.mark.parametrize("name", ["", "-x", "a/b", "a+b", "#", "a:b", "a b", "zelador", "x" * 65, "a\nb", "é", "a~b"])
def test_an_ambiguous_name_is_refused(name: str) -> None:
    """The name becomes a level of a topic, a line of Mosquitto's password file and a part of the client id."""
    with pytest.raises(InvalidInput):
        check_name(name)


def test_with_every_preset_a_device_writes_only_its_readings_and_never_a_state() -> None:
    settings = Settings(profiles=("default", "tasmota", "esphome", "zigbee2mqtt", "rtl_433"))
    rights = templates(settings.topics, list(settings.reading_topics.values())).of("a")
    ours = ["sensors/a/reading", "tele/a/SENSOR", "a/sensor/lux/state", "zigbee2mqtt/a", "rtl_433/a/events"]
    others = [topic.replace("a", "b", 1) if topic[0] == "a" else topic.replace("/a", "/b") for topic in ours]
    own = [
        "sensors/a/state",
        "sensors/a/prediction",
        "homeassistant/device/zelador_a/config",
        "zelador/status/ingest/a",
    ]
    assert [topic for topic in (*ours, *others, *own) if rights.may_publish(topic)] == ours
