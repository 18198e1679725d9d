"""Device profiles: messages as devices and programs really send them, and settings that cannot work."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zelador.decode import Decoder
from zelador.errors import InvalidInput
from zelador.link.message import Message
from zelador.messages import Arrival
from zelador.settings import Settings, environment, load_settings

NOW = int(datetime(2026, 11, 24, 10, tzinfo=timezone.utc).timestamp() * 1000)
TWO = ("lux", "temperature")


def settings(*names: str, features: tuple[str, ...] = TWO, zone: str = "UTC", **tables: dict[str, Any]) -> Settings:
    return Settings(profiles=names, profile_tables=tables, features=features, time_zone=zone)


def decode(given: Settings, topic: str, message: object) -> Arrival:
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    arrival, refused = Decoder(given).decode(topic, payload, NOW)
    assert arrival is not None, refused
    return arrival


def reason(given: Settings, topic: str, message: object) -> str:
    arrival, refused = Decoder(given).decode(topic, json.dumps(message).encode(), NOW)
    assert arrival is None
    return refused[0][0]


@pytest.mark.parametrize(
    ("name", "topic", "message"),
    [
        ("tasmota", "tele/plug/SENSOR", {"Time": "2026-11-24T10:00:00", "ENERGY": {"Power": 5}}),
        ("tasmota", "tele/plug/SENSOR", {"Time": "2026-11-24T10:00:00"}),
        ("tasmota", "tele/plug/SENSOR", {}),
        ("zigbee2mqtt", "zigbee2mqtt/lamp", {"state": "ON", "brightness": 254}),
        ("rtl_433", "rtl_433/pi/events", {"time": "2026-11-24 10:00:00", "model": "Toyota", "id": "d0f1"}),
    ],
)
def test_devices_without_any_of_the_features_are_skipped_and_counted(
    name: str, topic: str, message: dict[str, Any]
) -> None:
    """A house full of bulbs and plugs on the same topics must not push real trouble out of the quarantine."""
    decoder = Decoder(settings(name))
    assert decoder.decode(topic, json.dumps(message).encode(), NOW) == (None, [])
    assert decoder.passed_over == 1
    assert f"the profile {name} finds none of lux, temperature" in decoder.last_passed_over


def test_a_device_that_measures_some_of_the_features_is_quarantined() -> None:
    assert "lux" in reason(settings("zigbee2mqtt"), "zigbee2mqtt/hall", {"temperature": 21.3})
    assert "null" in reason(settings("zigbee2mqtt"), "zigbee2mqtt/hall", {"temperature": None, "illuminance": 3})


def test_messages_without_any_value_of_a_users_own_table_are_quarantined() -> None:
    """The table's paths may be wrong, and somebody has to notice."""
    table = {"topic": "hall/{device_id}", "fields": {"lux": "licht", "temperature": "temp"}}
    assert "is missing" in reason(settings("hall", hall=table), "hall/a", {"light": 1, "t": 2})


# ── presets ──────────────────────────────────────────────────────────────────────────────────

TASMOTA = {
    "Time": "2026-11-24T10:30:00",
    "SI7021": {"Temperature": 21.3, "Humidity": 45.1, "DewPoint": 8.9},
    "BH1750": {"Illuminance": 412},
    "TempUnit": "C",
}


def test_tasmota() -> None:
    given = settings("tasmota", zone="Europe/Berlin")
    arrival = decode(given, "tele/esp01/SENSOR", TASMOTA)
    assert (arrival.device_id, arrival.profile) == ("esp01", "tasmota")
    (reading,) = arrival.readings
    assert reading.values == (412.0, 21.3)
    assert reading.measured_at == NOW - 1_800_000
    fahrenheit = {**TASMOTA, "SI7021": {"Temperature": 70.0}, "TempUnit": "F"}
    assert decode(given, "tele/esp01/SENSOR", fahrenheit).readings[0].values[1] == pytest.approx(21.111, abs=0.001)
    two = {**TASMOTA, "DS18B20": {"Id": "01", "Temperature": 60.0}}
    assert "temperature is there 2 times (*.Temperature); name one" in reason(given, "tele/esp01/SENSOR", two)
    chosen = settings("tasmota", zone="Europe/Berlin", tasmota={"fields": {"temperature": "DS18B20.Temperature"}})
    assert decode(chosen, "tele/esp01/SENSOR", two).readings[0].values == (412.0, 60.0)


def test_zigbee2mqtt() -> None:
    given = settings("zigbee2mqtt", features=("lux", "temperature", "vibration"))
    message = {
        "temperature": 21.3,
        "illuminance": 412,
        "vibration": True,
        "linkquality": 120,
        "battery": None,
        "last_seen": "2026-11-24T09:59:59+00:00",
    }
    arrival = decode(given, "zigbee2mqtt/Press 07", message)
    assert arrival.device_id == "Press 07"
    assert arrival.readings[0].values == (412.0, 21.3, 1.0)
    assert arrival.readings[0].measured_at == NOW - 1_000
    seen_ms = {**message, "vibration": False, "last_seen": NOW - 5}
    assert decode(given, "zigbee2mqtt/p", seen_ms).readings[0].measured_at == NOW - 5
    with pytest.raises(AssertionError):
        decode(given, "zigbee2mqtt/bridge/state", message)


def test_rtl_433() -> None:
    """The id is that of the sensor: it names the device, never a reading."""
    given = settings("rtl_433", features=("temperature", "humidity"), zone="Europe/Berlin")
    message = {
        "time": "2026-11-24 11:00:00", "model": "Prologue-TH", "subtype": 9, "id": 5, "channel": 1,
        "battery_ok": 1, "temperature_C": 21.3, "humidity": 45, "mic": "CRC",
    }  # fmt: skip
    arrival = decode(given, "rtl_433/pi/events", message)
    assert (arrival.device_id, arrival.readings[0].values) == ("Prologue-TH-5", (21.3, 45.0))
    assert arrival.readings[0].measured_at == NOW
    assert arrival.readings[0].id != "5"
    american = {key: value for key, value in message.items() if key != "temperature_C"} | {"temperature_F": "70.34"}
    assert decode(given, "rtl_433/pi/events", american).readings[0].values[0] == pytest.approx(21.3)
    for name in ("a/b", "a+", "#", "", {}, "x" * 200):
        assert reason(given, "rtl_433/pi/events", {**message, "model": name})
    assert "an array" in reason(given, "rtl_433/pi/events", [message, message])


def test_fiap() -> None:
    """The ESP32 with MPU6050 and LDR that this project began with."""
    given = settings("fiap", features=("lux", "temperature", "vibration"))
    message = {
        "serial": "00000000deadbeef", "temperatura": 24.5, "lux": 812, "acelerometro_x": 0.01,
        "acelerometro_y": -0.02, "acelerometro_z": 1.0, "vibracao_media": 0.031,
    }  # fmt: skip
    assert decode(given, "sensors/esp32/reading", message).readings[0].values == (812.0, 24.5, 0.031)


def part(given: Settings, topic: str, payload: bytes, retained: bool = False) -> Any:
    return Decoder(given).part(Message(topic, payload, NOW, 1, 7, 1, retained))


@pytest.mark.parametrize(
    ("payload", "value"),
    [(b"21.3", 21.3), (b" 21.3\n", 21.3), (b'"21.3"', 21.3), (b"-5", -5.0), (b"ON", 1.0), (b"true", 1.0), (b"2e1", 20)],
)
def test_esphome(payload: bytes, value: float) -> None:
    given = settings("esphome")
    found = part(given, "esp01/sensor/temperature/state", payload)
    assert (found.device, found.feature, found.value, found.profile) == ("esp01", 2, value, "esphome")
    assert part(given, "esp01/sensor/illuminance/state", b"3").feature == 1


def test_esphome_values_that_are_not_numbers() -> None:
    given = settings("esphome")
    for payload, why in (
        (b"nan", "temperature is nan, a finite number is needed"),
        (b"unavailable", 'temperature is text ("unavailable"), a number is needed'),
        (b"-127", "temperature is -127 °C, outside"),
        (b"{}", "temperature is an object"),
        (b"\xff", "not text in UTF-8"),
        (b"9" * 300, "the message has 300 bytes"),
        (b"[" * 200, "temperature is text"),
    ):
        assert why in part(given, "esp01/sensor/temperature/state", payload)
    for topic, payload, retained in (
        ("esp01/sensor/temperature/state", b"", False),
        ("esp01/sensor/temperature/state", b"21.3", True),
        ("esp01/sensor/wifi_signal/state", b"-60", False),
    ):
        assert part(given, topic, payload, retained) is None
    with pytest.raises(LookupError):
        part(given, "esp01/status", b"online")


# ── tables ───────────────────────────────────────────────────────────────────────────────────


def test_every_key_of_a_table_works() -> None:
    table = {
        "topic": "plant/{device_id}/data",
        "fields": {
            "temperature": {"from": "sensors.1.value", "unit": "K"},
            "lux": {"from": "light", "unit": "klx", "scale": 0.5, "offset": 1},
            "vibration": [{"from": "rms", "unit": "m/s²"}, {"from": "acc.z", "unit": "mg"}],
        },
        "id": "header.uuid",
        "ts": "header.time",
        "seq": "header.n",
        "label": "state",
        "words": {"LOW": 0.5},
        "text_numbers": True,
    }
    given = settings("mine", features=("lux", "temperature", "vibration"), mine=table)
    header = {"uuid": "u-1", "time": NOW * 1_000, "n": "17"}
    body = {"sensors": [{"value": 1}, {"value": "298.15"}], "light": "low", "rms": 19.6133, "state": True}
    (reading,) = decode(given, "plant/a/data", {"header": header, **body}).readings
    assert reading.values == (pytest.approx(1250.0), pytest.approx(25.0), pytest.approx(2.0))
    assert (reading.id, reading.measured_at, reading.seq, reading.label) == ("u-1", NOW, 17, "1")
    second = {"sensors": [0, {"value": 300}], "light": 1, "acc": {"z": 500}, "id": "x", "label": "y", "ts": 1}
    (reading,) = decode(given, "plant/a/data", second).readings
    assert reading.values[2] == pytest.approx(0.5)
    assert (reading.label, reading.seq, reading.measured_at) == (None, None, NOW)
    assert reading.id != "x"


@pytest.mark.parametrize(
    ("text", "value"),
    [("21.3 °C", 21.3), ("70 °F", 21.111), ("294.45K", 21.3), ("21.3", 21.3), ("21.3 lx", None), ("21,3", None)],
)
def test_a_number_as_text_may_have_its_unit(text: str, value: float | None) -> None:
    """This also holds if the profile has a unit for bare numbers."""
    place = {"from": "temperature", "unit": "°F" if text == "70 °F" else "°C"}
    table = {"topic": "t/{device_id}", "text_numbers": True, "fields": {"temperature": place}}
    given = settings("mine", features=("temperature",), mine=table)
    arrival, refused = Decoder(given).decode("t/a", json.dumps({"temperature": text}).encode(), NOW)
    if value is None:
        assert arrival is None and refused[0][0].startswith("temperature")
    else:
        assert arrival is not None and arrival.readings[0].values == (pytest.approx(value, abs=0.001),)


def test_a_key_that_has_a_dot_in_its_name_is_that_key() -> None:
    given = Settings(features=TWO, fields={"lux": {"from": "BH1750.Illuminance"}})
    for message in ({"BH1750.Illuminance": 5}, {"BH1750": {"Illuminance": 5}}):
        assert decode(given, "sensors/a/reading", {**message, "temperature": 1}).readings[0].values[0] == 5.0


def test_keys_named_label_id_and_ts_are_read_only_if_mapped() -> None:
    """A message whose label is the display name, its id the address, and its ts the uptime."""
    message = {"lux": 1, "temperature": 2, "label": "Hall, left", "id": "AA:BB", "ts": 183_456, "seq": 0}
    table = {"topic": "t/{device_id}", "label": "none", "id": "none", "ts": "none", "seq": "none"}
    (reading,) = decode(settings("own", own=table), "t/a", message).readings
    assert (reading.label, reading.seq, reading.measured_at, reading.content) == (None, None, NOW, "")


def test_several_profiles_at_once_and_the_default_among_them() -> None:
    given = settings("default", "tasmota", "zigbee2mqtt", "esphome")
    assert decode(given, "sensors/a/reading", {"lux": 1, "temperature": 2}).profile == ""
    assert decode(given, "tele/a/SENSOR", TASMOTA).profile == "tasmota"
    assert part(given, "a/sensor/temperature/state", b"1").profile == "esphome"
    assert given.reading_filters == ("sensors/+/reading", "tele/+/SENSOR", "zigbee2mqtt/+", "+/sensor/+/state")


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["Temperature", "Illuminance", "a", "0", "Time", ""]), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(nested)
def test_any_message_is_read_or_refused_with_a_reason(document: object) -> None:
    payload = json.dumps(document).encode()
    decoder = Decoder(settings("tasmota"))
    arrival, refused = decoder.decode("tele/a/SENSOR", payload, NOW)
    assert (arrival is None) == (len(refused) + decoder.passed_over >= 1 and not (arrival and arrival.readings))
    assert all(0 < len(why) <= 300 and why.isprintable() for why, _ in refused)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"SI7021":[', '{"Temperature":{"Temperature":'])
def test_hostile_nesting_is_refused(opening: str) -> None:
    why = Decoder(settings("tasmota")).decode("tele/a/SENSOR", (opening * 30_000).encode(), NOW)[1][0][0]
    assert why.startswith("not JSON")
    wide = json.dumps({f"k{i}": {"Temperature": 1} for i in range(20_000)}).encode()
    assert (
        "temperature is there 64 times"
        in Decoder(settings("tasmota", features=("temperature",))).decode("tele/a/SENSOR", wide, NOW)[1][0][0]
    )


# ── settings ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environment_of", "says"),
    [
        ({"ZELADOR_PROFILES": "tasmotta"}, "'tasmotta' is neither a preset nor a table"),
        ({"ZELADOR_PROFILES": "default,fiap"}, "a topic can belong to both default"),
        ({"ZELADOR_TOPICS__READING": "{device_id}/sensor/{field}/state"}, "one topic a value needs a device profile"),
        ({"ZELADOR_TOPICS__READING": "sensors/{device}/reading"}, "must hold {device_id}"),
        ({"ZELADOR_PROFILE_TABLES": '{"a":{"topic":"sensors/{device_id}/{field}"}}'}, "includes that of ZELADOR_"),
        ({"ZELADOR_PROFILE_TABLES": '{"a":{"topic":"sensors/{device_id}/state"}}'}, "that of ZELADOR_TOPICS__STATE"),
        ({"ZELADOR_PROFILE_TABLES": '{"a":{"topic":"x/{device_id}","fields":{"temp":"t"}}}'}, "'temp' is not among"),
        ({"ZELADOR_PROFILE_TABLES": '{"a":{"topic":"x/{device_id}","felds":{}}}'}, "profiles.a: felds"),
        ({"ZELADOR_PROFILE_TABLES": '{"a":{"topic":"x/+"}}'}, "profiles.a: topic must hold {device_id}"),
        ({"ZELADOR_PROFILE_TABLES": '{"a":{"topic":"x/{device_id}/{field}/{field}"}}'}, "{field} as a whole level"),
        ({"ZELADOR_PROFILE_TABLES": '{"a":{"topic":"x/{device_id}","window_s":-1}}'}, "profiles.a: window_s"),
        ({"ZELADOR_PROFILE_TABLES": '{"a":{"preset":"b"}}'}, "'b' is not a preset"),
        (
            {"ZELADOR_PROFILE_TABLES": '{"a":{"topic":"x/{device_id}","fields":{"lux":{"from":"l","unit":"K"}}}}'},
            "profiles.a: fields: lux: K cannot be converted to lx",
        ),
        (
            {"ZELADOR_PROFILE_TABLES": '{"a":{"topic":"x/{device_id}"},"b":{"topic":"{device_id}/y"}}'},
            "a topic can belong to both a (x/{device_id}) and b",
        ),
    ],
)  # fmt: skip
def test_invalid_tables_are_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, environment_of: dict[str, str], says: str
) -> None:
    for name, value in environment_of.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert says in str(caught.value)


def test_tables_of_the_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "zelador.toml"
    file.write_text(
        'features = ["lux", "temperature"]\n[profiles.mine]\ntopic = "m/{device_id}"\nwords = {ON = 1, true = 1}\n'
        '[profiles.mine.fields]\ntemperature = {from = "t", unit = "°F"}\n[profiles.tasmota.fields]\nlux = "L.x"\n'
    )
    monkeypatch.setenv("ZELADOR_CONFIG", str(file))
    assert load_settings().profile_names == ("mine", "tasmota")
    monkeypatch.setenv("ZELADOR_PROFILES", "mine,default")
    found = load_settings()
    assert decode(found, "m/a", {"t": 212, "lux": "ON"}).readings[0].values == (1.0, pytest.approx(100.0))
    for name, value in environment(found).items():  # as `up` hands them to a service
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ZELADOR_CONFIG")
    assert load_settings().named_profiles() == found.named_profiles()
    assert load_settings().reading_filters == ("m/+", "sensors/+/reading")


def test_the_examples_of_the_guide_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/own-devices.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "zelador.toml").write_text(table, encoding="utf-8")
    monkeypatch.setenv("ZELADOR_CONFIG", str(tmp_path / "zelador.toml"))
    message = {"header": {"uuid": "a", "time": NOW}, "light": [{"value": "0.4"}], "t_f": 212, "rms": "off"}
    (reading,) = decode(load_settings(), "plant/a/data", message).readings
    assert (reading.id, reading.values[0]) == ("a", pytest.approx(400.0))
    assert reading.values[1] == pytest.approx(100.0)
    assert reading.values[2] == pytest.approx(0.01 / 9.80665)
    rows = re.findall(r"^\| `(\w+)` \| .*? \| .*?`(\{.*?\})`", page, re.MULTILINE)
    assert [name for name, _ in rows] == ["tasmota", "zigbee2mqtt", "rtl_433", "fiap"]
    features = {"rtl_433": ("temperature",), "fiap": ("lux", "temperature", "vibration")}
    monkeypatch.delenv("ZELADOR_CONFIG")
    for name, example in rows:
        given = settings(name, features=features.get(name, TWO))
        topic = next(iter(given.reading_topics.values())).replace("{device_id}", "esp01")
        assert len(decode(given, topic, json.loads(example)).readings) == 1
