"""Profiles of well-known devices and programs. A `*` in a path matches any key; the first match counts."""

from __future__ import annotations

from typing import Any

ON_OFF = {"true": 1.0, "false": 0.0, "on": 1.0, "off": 0.0}
NOTHING = {"id": "none", "seq": "none", "label": "none"}  # an id in these messages is the sensor's, not the reading's

PRESETS: dict[str, dict[str, Any]] = {
    # {"Time": "2026-11-24T10:00:00", "SI7021": {"Temperature": 21.3}, "BH1750": {"Illuminance": 412}, "TempUnit": "C"}
    "tasmota": {
        "topic": "tele/{device_id}/SENSOR",
        "shared_topic": True,
        "ts": "Time",
        **NOTHING,
        "fields": {
            "temperature": [{"from": "*.Temperature", "unit_from": "TempUnit"}],
            "lux": "*.Illuminance",
            "humidity": "*.Humidity",
            "vibration": "*.Vibration",
        },
        "words": ON_OFF,
    },
    # esp01/sensor/temperature/state = 21.3
    "esphome": {
        "topic": "{device_id}/sensor/{field}/state",
        **NOTHING,
        "ts": "none",
        "fields": {
            "temperature": ["temperature", "ambient_temperature"],
            "lux": ["lux", "illuminance", "ambient_light", "light"],
            "humidity": ["humidity", "relative_humidity"],
            "vibration": ["vibration"],
        },
        "words": ON_OFF,
        "window_s": 60.0,
    },
    # {"temperature": 21.3, "illuminance": 412, "vibration": true, "last_seen": "2026-11-24T10:00:00Z"}
    "zigbee2mqtt": {
        "topic": "zigbee2mqtt/{device_id}",
        "shared_topic": True,
        "ts": "last_seen",
        **NOTHING,
        "fields": {"lux": ["illuminance_lux", "illuminance"], "temperature": ["temperature", "device_temperature"]},
        "words": ON_OFF,
    },
    # {"time": "2026-11-24 10:00:00", "model": "Prologue-TH", "id": 5, "channel": 1, "temperature_C": 21.3}
    "rtl_433": {
        "topic": "rtl_433/{device_id}/events",
        "shared_topic": True,
        "ts": "time",
        **NOTHING,
        "device": ["model", "id"],
        "fields": {
            "temperature": ["temperature_C", {"from": "temperature_F", "unit": "°F"}],
            "lux": ["light_lux", "lux", {"from": "light_klx", "unit": "klx"}],
        },
        "text_numbers": True,
    },
    # {"serial": "00000000deadbeef", "temperatura": 24.5, "lux": 812, "acelerometro_x": 0.01, "vibracao_media": 0.031}
    "fiap": {
        "fields": {"temperature": "temperatura", "vibration": "vibracao_media"},
    },
}
