"""Discovery messages for Home Assistant: each device with its state, its alarm and its values. Pure.

The form is Home Assistant's device-based MQTT discovery (https://www.home-assistant.io/integrations/mqtt, "Device
discovery payload"): one retained message a device, with its entities under `cmps`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from zelador.alarms.state import STATES
from zelador.decode.profile import Source
from zelador.decode.profiles import profiles_of
from zelador.settings import Settings
from zelador.settings.profiles import DEVICE, FIELD

MAX_ID = 48  # characters of the part of an id that is the device's name

# Home Assistant knows these units as a device class, and can convert them.
CLASSES = {"lx": "illuminance", "°C": "temperature", "°F": "temperature", "K": "temperature"}
CLASSES |= dict.fromkeys(("Pa", "hPa", "kPa", "mbar", "bar", "psi"), "pressure")
CLASSES |= {"V": "voltage", "mV": "voltage", "A": "current", "mA": "current", "W": "power", "kW": "power"}
CLASSES |= {"Hz": "frequency", "kHz": "frequency", "dB": "sound_pressure"}


def object_id(device: str) -> str:
    """The device's id in Home Assistant: letters, digits, _ and -. Different names give different ids."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", device)[:MAX_ID]
    if plain == device:
        return f"zelador_{plain}"
    return f"zelador_{plain}_{hashlib.sha256(device.encode()).hexdigest()[:8]}"


def config_topic(settings: Settings, device: str) -> str:
    return f"{settings.homeassistant.prefix}/device/{object_id(device)}/config"


def discovery(settings: Settings, device: str, service_topic: str) -> bytes:
    """The retained discovery message of a device. `service_topic` is the status of the publisher of the states."""
    found = object_id(device)
    topics = settings.topics
    state_topic = topics.state.format(device_id=device)
    entity = found.lower().replace("-", "_")
    online = {"payload_available": "online", "payload_not_available": "offline"}
    here = "{{ 'offline' if value_json.state in ('unknown', 'retired') else 'online' }}"
    availability = [
        {"topic": service_topic, "value_template": "{{ value_json.state }}", **online},
        {"topic": state_topic, "value_template": here, **online},
    ]
    problem = "{{ 'ON' if value_json.state in ('alarm', 'acknowledged') else 'OFF' }}"
    common = {"availability": availability, "availability_mode": "all"}
    components: dict[str, dict[str, Any]] = {
        "problem": {
            "p": "binary_sensor",
            "name": "Maintenance needed",
            "unique_id": f"{found}_problem",
            "default_entity_id": f"binary_sensor.{entity}_problem",
            "device_class": "problem",
            "state_topic": state_topic,
            "value_template": problem,
            "json_attributes_topic": state_topic,
            **common,
        },
        "state": {
            "p": "sensor",
            "name": "State",
            "unique_id": f"{found}_state",
            "default_entity_id": f"sensor.{entity}_state",
            "device_class": "enum",
            "options": list(STATES),
            "state_topic": state_topic,
            "value_template": "{{ value_json.state }}",
            "availability": availability[:1],
        },
    }
    for feature, topic, template in values(settings):
        field = settings.field(feature)
        name = f"value_{feature}" if feature in components else feature  # a feature may be called state
        sensor: dict[str, Any] = {
            "p": "sensor",
            "name": feature.replace("_", " ").capitalize(),
            "unique_id": f"{found}_{name}",
            "default_entity_id": f"sensor.{entity}_{re.sub('[^a-z0-9_]', '_', name.lower())}",
            "state_class": "measurement",
            "state_topic": topic.replace(DEVICE, device),
            "value_template": template,
            "expire_after": settings.homeassistant.expire_after_s,
            "availability": availability[:1],
        }
        if field.unit:
            sensor["unit_of_measurement"] = field.unit
        if (known := CLASSES.get(field.unit)) is not None:
            sensor["device_class"] = known
        components[name] = sensor
    document = {
        "dev": {"ids": [found], "name": device, "mf": "Zelador", "mdl": "Monitored device"},
        "o": {"name": "Zelador", "sw": version("zelador")},
        "cmps": components,
        "qos": 1,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def values(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Each feature that a template can read from a device's messages, with the topic's template and the value's.

    None if there are several profiles, because a device's state does not say which one read it, or if the message
    names the device. A feature with several places, a `*` or an index in its path, or a unit in the message is left
    out.
    """
    profiles = profiles_of(settings)
    if len(profiles) != 1 or profiles[0].device:
        return
    profile = profiles[0]
    for feature, places in zip(settings.features, profile.sources, strict=True):
        path = places[0].path
        if len(places) > 1 or places[0].unit_at or any(step == "*" or step.isdecimal() for step in path):
            continue
        if profile.one_value:
            field = ".".join(path)
            yield feature, profile.topic.replace(FIELD, field), _template("value_json", "is number", places[0])
        elif len(path) == 1:
            key = json.dumps(path[0])
            test = f"is mapping and {key} in value_json"
            yield feature, profile.topic, _template(f"value_json[{key}]", test, places[0])
        else:
            inner = "".join(f".get({json.dumps(step)}, {{}})" for step in path[:-1]) + f".get({json.dumps(path[-1])})"
            test = f"is mapping and value_json{inner} is number"
            yield feature, profile.topic, _template(f"value_json{inner}", test, places[0])


def _template(value: str, test: str, place: Source) -> str:
    """The template of a value. A message that is an array, or lacks the value, changes nothing."""
    scaled = value if place.scale == 1.0 else f"{value} * {place.scale!r}"
    moved = scaled if place.offset == 0.0 else f"{scaled} + {place.offset!r}"
    return f"{{{{ {moved} if value_json {test} else this.state }}}}"
