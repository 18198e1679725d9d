"""The decoder: the field map, and the reasons of refusals."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zelador.decode import Decoder, Unusable
from zelador.settings import Settings

NOW = int(datetime(2026, 11, 24, 10, tzinfo=timezone.utc).timestamp() * 1000)
TOPIC = "sensors/press-07/reading"
GOOD = {"lux": 120.5, "temperature": 21.25, "vibration": 0.125}


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(Settings())


def one(decoder: Decoder, message: object, topic: str = TOPIC):
    entry, refused = decoder.decode(topic, json.dumps(message).encode(), NOW)
    assert refused == []
    assert entry is not None
    (reading,) = entry.readings
    return entry, reading


def reason(decoder: Decoder, payload: bytes, topic: str = TOPIC) -> str:
    entry, refused = decoder.decode(topic, payload, NOW)
    assert entry is None
    ((why, raw),) = refused
    assert raw == payload
    return why


def test_a_plain_reading(decoder: Decoder) -> None:
    entry, reading = one(decoder, GOOD)
    assert entry.device_id == "press-07"
    assert not entry.array
    assert reading.values == (120.5, 21.25, 0.125)
    assert reading.measured_at == NOW
    assert reading.label is None


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        ("2026-11-24T09:00:00Z", NOW - 3_600_000),
        ("2026-11-24T09:00:00", NOW - 3_600_000),  # without a zone it is UTC
        ("2026-11-24T06:00:00-03:00", NOW - 3_600_000),
        ((NOW - 3_600_000) / 1000, NOW - 3_600_000),  # epoch in seconds
        (NOW - 3_600_000, NOW - 3_600_000),  # epoch in milliseconds
    ],
)
def test_ts_is_iso_or_an_epoch(decoder: Decoder, ts: object, expected: int) -> None:
    assert one(decoder, {**GOOD, "ts": ts})[1].measured_at == expected


@pytest.mark.parametrize(
    ("label", "text"), [("yes", "yes"), (1, "1"), (1.0, "1"), (0.5, "0.5"), (True, "1"), (False, "0"), ("", None)]
)
def test_a_label_is_one_text_however_it_is_written(decoder: Decoder, label: object, text: str | None) -> None:
    assert one(decoder, {**GOOD, "label": label})[1].label == text


def test_ids(decoder: Decoder) -> None:
    """The device's own; else from device, ts and seq when it has both; else random: equal readings are no repeat."""
    assert one(decoder, {**GOOD, "id": "a-1"})[1].id == "a-1"
    assert one(decoder, {**GOOD, "id": 17})[1].id == "17"
    both = {**GOOD, "ts": NOW, "seq": 4}
    assert one(decoder, both)[1].id == one(decoder, both)[1].id
    assert one(decoder, both)[1].id != one(decoder, {**both, "seq": 5})[1].id
    assert one(decoder, both)[1].id != one(decoder, both, "sensors/press-08/reading")[1].id
    assert one(decoder, GOOD)[1].id != one(decoder, GOOD)[1].id
    assert one(decoder, {**GOOD, "ts": NOW})[1].id != one(decoder, {**GOOD, "ts": NOW})[1].id


def test_the_example_device_message_is_accepted_unchanged() -> None:
    fields = {
        "temperature": {"from": "temperatura"},
        "vibration": {"from": "vibracao_media"},
        "lux": {"from": "lux", "scale": 1},
    }
    decoder = Decoder(Settings(fields=fields))
    message = {
        "serial": "00000000deadbeef",
        "temperatura": 24.5,
        "lux": 812,
        "acelerometro_x": 0.01,
        "acelerometro_y": -0.02,
        "acelerometro_z": 1.0,
        "vibracao_media": 0.031,
    }
    assert one(decoder, message)[1].values == (812.0, 24.5, 0.031)


def test_a_scale_multiplies_before_the_range_is_checked() -> None:
    decoder = Decoder(Settings(fields={"lux": {"scale": 1000}}))
    assert one(decoder, {**GOOD, "lux": 0.5})[1].values[0] == 500.0
    assert "lux is 400000 lx, outside 0 to 200000" in reason(decoder, json.dumps({**GOOD, "lux": 400}).encode())


def test_an_arrays_bad_element_is_refused_alone(decoder: Decoder) -> None:
    payload = json.dumps([GOOD, {"lux": "bright"}, GOOD, 7]).encode()
    entry, refused = decoder.decode(TOPIC, payload, NOW)
    assert entry is not None
    assert entry.array
    assert len(entry.readings) == 2
    assert [json.loads(raw) for _, raw in refused] == [{"lux": "bright"}, 7]


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"\xff\xfe junk", "not JSON"),
        (b"lux=3", "not JSON"),
        (b'{"lux": 1, "temperature": 2', "not JSON"),
        (b"[]", "empty"),
        (b"7", "the message is the number 7; a reading is an object"),
        (b'{"lux": 1, "temperature": 2}', "vibration"),
        (b'{"lux": null, "temperature": 2, "vibration": 0}', "lux is null, a number is needed"),
        (b'{"lux": true, "temperature": 2, "vibration": 0}', "lux is true, a number is needed"),
        (b'{"lux": "1", "temperature": 2, "vibration": 0}', 'lux is text ("1"), a number is needed; text_numbers'),
        (b'{"lux": "1,5", "temperature": 2, "vibration": 0}', "a number is needed with a decimal point"),
        (b'{"lux": "ON", "temperature": 2, "vibration": 0}', 'lux is text ("ON"), a number is needed; words'),
        (b'{"lux": NaN, "temperature": 2, "vibration": 0}', "lux is NaN, a finite number is needed"),
        (b'{"lux": -inf, "temperature": 2, "vibration": 0}', "lux is -inf, a finite number is needed"),
        (b'{"lux": {"a": 1}, "temperature": 2, "vibration": 0}', "lux is an object, a number is needed"),
        (b'{"temp": 1, "lux": 2}', "temperature is missing; the message has temp, lux"),
        (b'{"lux": 1e999, "temperature": 2, "vibration": 0}', "a number is too large: at most 1.8e308"),
        (b'{"lux": [-1e400], "temperature": 2, "vibration": 0}', "a number is too large"),
        (b'{"lux": NaN, "temperature": 0.1e1000, "vibration": 0}', "a number is too large"),
        (b'{"lux": %s, "temperature": 2, "vibration": 0}' % (b"9" * 5_000), "a number is too large"),
        (b'{"lux": -1, "temperature": 2, "vibration": 0}', "outside 0 to 200000"),
        (b'{"lux": 1, "temperature": 5000, "vibration": 0}', "outside -100 to 1000"),
        (b'{"lux": 1, "temperature": 2, "vibration": 0, "ts": "yesterday"}', "ISO 8601"),
        (b'{"lux": 1, "temperature": 2, "vibration": 0, "ts": "2036-01-01"}', "ahead of the server's clock"),
        (b'{"lux": 1, "temperature": 2, "vibration": 0, "ts": 5}', "before the year 2000"),
        (b'{"lux": 1, "temperature": 2, "vibration": 0, "ts": 1e300}', "it must be ISO 8601"),
        (b'{"lux": 1, "temperature": 2, "vibration": 0, "id": []}', "id is an array"),
        (b'{"lux": 1, "temperature": 2, "vibration": 0, "label": {}}', "label is an object"),
        (b'{"lux": 1, "temperature": 2, "vibration": 0, "seq": "a"}', 'seq is text ("a"), a whole number is needed'),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
    ],
)
def test_an_unusable_message_is_refused_with_its_reason(decoder: Decoder, payload: bytes, says: str) -> None:
    assert says in reason(decoder, payload)


@pytest.mark.parametrize("around", [b"%s\0", b"\xef\xbb\xbf%s", b"%s\0\0\0", b"\xef\xbb\xbf%s\0"])
def test_the_end_of_a_text_in_c_and_a_byte_order_mark_are_no_part_of_a_message(decoder: Decoder, around: bytes) -> None:
    """Arduino programs publish `strlen + 1` bytes; files of Windows begin with a mark."""
    message = b'{"lux": 1, "temperature": 2, "vibration": 0, "seq": "17.0"}'
    for payload in (message, b"[" + message + b"]"):
        arrival, refused = decoder.decode("sensors/a/reading", around % payload, NOW)
        assert arrival is not None and refused == []
        assert [(each.values, each.seq) for each in arrival.readings] == [((1.0, 2.0, 0.0), 17)]
    assert decoder.decode("sensors/a/reading", around % b"{", NOW)[1][0][1] == around % b"{"


def test_a_message_that_is_too_large_is_refused(decoder: Decoder) -> None:
    assert "more than 1048576" in reason(decoder, b" " * 2_000_000)
    assert "more than 10000" in reason(decoder, json.dumps([GOOD] * 10_001).encode())


@pytest.mark.parametrize("topic", ["", "sensors/reading", "sensors//reading", "sensors/a/b/reading", "other/a/reading"])
def test_a_topic_that_names_no_device_is_refused(decoder: Decoder, topic: str) -> None:
    assert "does not name a device" in reason(decoder, json.dumps(GOOD).encode(), topic)
    with pytest.raises(Unusable):
        decoder.device(topic)


def test_a_response_topic_that_is_not_allowed_is_dropped_and_the_reading_accepted(decoder: Decoder) -> None:
    payload = json.dumps(GOOD).encode()
    mine = TOPIC.replace("/reading", "/answers")
    entry, _ = decoder.decode(TOPIC, payload, NOW, mine, b"\x01\x02")
    assert entry is not None
    assert (entry.response_topic, entry.correlation) == (mine, "0102")
    assert decoder.unanswered == 0
    for topic, correlation in ((f"{mine}/#", b"\x01"), ("answers/1", b"\x01"), (mine, b"x" * 1_025)):
        entry, refused = decoder.decode(TOPIC, payload, NOW, topic, correlation)
        assert entry is not None
        assert not refused
        assert (entry.response_topic, entry.correlation) == (None, None)
    assert decoder.unanswered == 3
    assert "longer than 1024 bytes" in decoder.last_unanswered


def test_a_device_whose_predictions_no_broker_takes_is_refused() -> None:
    """The name of a device becomes part of a topic that we publish to."""
    decoder = Decoder(Settings(topics={"reading": "{device_id}/r", "prediction": "{device_id}/p"}))
    assert decoder.device("press/r") == "press"
    for name in ("\N{GRINNING FACE}", "$SYS", "é"):
        with pytest.raises(Unusable, match="no prediction can be published"):
            decoder.device(f"{name}/r")


@given(st.binary(min_size=1, max_size=300) | st.text(max_size=200).map(lambda text: json.dumps(text).encode()))
def test_any_bytes_are_either_read_or_refused(payload: bytes) -> None:
    entry, refused = Decoder(Settings()).decode(TOPIC, payload, NOW)
    assert (entry is None) == bool(refused) or (entry is not None and entry.array)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*GOOD, "ts", "seq", "id", "label", "x"]), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(st.lists(json_values | st.just(GOOD), min_size=1, max_size=8))
def test_each_element_of_an_array_is_counted_once(elements: list[object]) -> None:
    """received = accepted + quarantined + repeated needs it: no element vanishes, none counts twice."""
    payload = json.dumps(elements).encode()
    entry, refused = Decoder(Settings()).decode(TOPIC, payload, NOW)
    if entry is None and len(refused) == 1 and refused[0][1] == payload:
        return  # unreadable as a whole: counts as one
    accepted = entry.readings if entry else ()
    assert len(accepted) + len(refused) == len(elements)
    assert all(math.isfinite(value) for reading in accepted for value in reading.values)


@pytest.mark.parametrize("device", [".", ".."])
def test_a_device_that_no_address_can_name_is_refused(device: str) -> None:
    """Browsers and HTTP clients remove such a level, so that nobody could open, acknowledge or retire the device."""
    arrival, ((reason, _),) = Decoder(Settings()).decode(f"sensors/{device}/reading", b"{}", 0)
    assert arrival is None and f"the device's name is {device}," in reason
