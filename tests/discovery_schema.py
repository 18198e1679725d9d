"""A JSON schema of what Home Assistant documents for device-based MQTT discovery."""

from __future__ import annotations

ENTITY = {
    "type": "object",
    "required": ["p", "unique_id", "default_entity_id", "name", "state_topic", "value_template", "availability"],
    "properties": {
        "p": {"enum": ["sensor", "binary_sensor"]},
        "default_entity_id": {"pattern": "^(sensor|binary_sensor)\\.[a-z0-9_]+$"},
        "device_class": {"enum": ["problem", "enum", "temperature", "illuminance"]},
        "state_class": {"enum": ["measurement"]},
        "expire_after": {"type": "integer", "minimum": 1},
        "availability_mode": {"enum": ["all", "any", "latest"]},
        "availability": {"type": "array", "minItems": 1, "items": {"required": ["topic"]}},
        "object_id": False,  # removed in 2026.4
    },
}
DISCOVERY = {
    "type": "object",
    "required": ["dev", "o", "cmps"],
    "properties": {
        "dev": {"required": ["ids", "name"], "properties": {"ids": {"type": "array", "minItems": 1}}},
        "o": {"required": ["name", "sw"]},
        "cmps": {"type": "object", "minProperties": 1, "additionalProperties": ENTITY},
        "qos": {"enum": [0, 1, 2]},
    },
    "additionalProperties": False,
}
