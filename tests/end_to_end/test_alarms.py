"""States of devices through deaths of worker, Redis and broker, as an outside client and the API see them."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.servers import found_or_skip
from tests.small_models import select_one
from tests.up import Up

WELL = {"lux": 412, "temperature": 45, "vibration": 0.5}
WORN = {"lux": 412, "temperature": 95, "vibration": 9}
SILENT_S = 8.0


class Plant:
    """Devices that publish ten times a second, and a subscriber that keeps the newest state of each."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.states: dict[str, dict[str, Any]] = {}
        self.changes: dict[str, list[str]] = {}
        self.readings: dict[str, Callable[[int], dict[str, float] | None]] = {}
        self._stop = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, f"plant-{uuid.uuid4().hex[:8]}", protocol=mqtt.MQTTv5)
        self._client.on_message = self._hear
        self._client.on_connect = lambda client, *_: client.subscribe("sensors/+/state", 1)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(parts.hostname or "", parts.port or 0, 30)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._publish, daemon=True)
        self._thread.start()

    def _hear(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        device = message.topic.split("/")[1]
        found = json.loads(message.payload)
        if found["state"] != self.states.get(device, {}).get("state"):
            self.changes.setdefault(device, []).append(found["state"])
        self.states[device] = found

    def _publish(self) -> None:
        number = 0
        while not self._stop.wait(0.1):
            number += 1
            for device, reading in list(self.readings.items()):
                if (values := reading(number)) is not None:
                    self._client.publish(f"sensors/{device}/reading", json.dumps(values), 1)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    found_or_skip("mosquitto")
    select_one(tmp_path / "home" / "registry")
    environment = {"ZELADOR_ALARM__CLASSES": "yes", "ZELADOR_ALARM__SILENT_S": str(SILENT_S)}
    running = Up(tmp_path / "home", environment=environment)
    yield running
    running.stop()


def agree(up: Up, plant: Plant) -> bool:
    """True if the retained state of every device is the one in the API."""
    status, page = up.api("GET", "/v1/devices?limit=100", key=up.key)
    if status != 200:
        return False
    said = {device["device_id"]: device["state"] for device in page["devices"]}
    return said == {device: found["state"] for device, found in plant.states.items()}


@pytest.mark.long
def test_states_are_right_and_retained_through_deaths(up: Up, eventually: Callable[..., None]) -> None:
    plant = Plant(up["mqtt"])
    plant.readings = {
        "steady": lambda _: WELL,
        "flapping": lambda number: WORN if number % 2 else WELL,
        "worn": lambda _: WORN,
        "odd": lambda number: WORN if number % 50 == 0 else WELL,
        "quiet": lambda _: WELL,
    }
    try:

        def state(device: str) -> str | None:
            return plant.states.get(device, {}).get("state")

        eventually(lambda: [state(d) for d in ("steady", "worn", "flapping")] == ["ok", "alarm", "alarm"], "states", 60)
        eventually(lambda: state("quiet") == "ok", "the quiet one", 30)
        del plant.readings["quiet"]
        assert up.api("POST", "/v1/devices/worn/acknowledge", key=up.key)[0] == 200
        eventually(lambda: state("worn") == "acknowledged", "the acknowledgement")
        eventually(lambda: state("quiet") == "unknown", "its silence", SILENT_S + 20)
        for victim in ("inference", "redis", "broker", "inference"):
            before = up.pids()[victim]
            up.kill(victim)
            eventually(lambda name=victim, old=before: up.pids().get(name) not in (None, old), f"{victim} again", 30)
            heard = time.monotonic()
            eventually(lambda: agree(up, plant), f"agreement after the death of {victim}", 60)
            assert time.monotonic() - heard < 60
        plant.readings["quiet"] = lambda _: WELL
        eventually(lambda: state("quiet") == "ok", "its return", 60)
        eventually(lambda: agree(up, plant), "agreement at the end", 60)
        assert plant.changes["flapping"].count("alarm") == 1
        assert "alarm" not in plant.changes["odd"]
        assert [each for each in plant.changes["worn"] if each in ("alarm", "acknowledged")] == [
            "alarm",
            "acknowledged",
        ]
        late = Plant(up["mqtt"])

        def states(of: Plant) -> dict[str, str]:
            return {device: found["state"] for device, found in of.states.items() if device != "odd"}

        eventually(lambda: states(late) == states(plant) != {}, "the retained states")
        late.close()
    finally:
        plant.close()
