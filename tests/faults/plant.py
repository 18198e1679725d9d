"""Devices that flap, fail slowly, fall silent or are late, and a client that keeps the newest state of each."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.wire import HOST

WELL = {"lux": 412.0, "temperature": 45.0, "vibration": 0.5}
WORN = {"lux": 412.0, "temperature": 95.0, "vibration": 9.0}
TICK_S = 0.2
PAGE = 500

Said = Callable[[int], bytes | None]  # by the number of the tick; None: nothing


def reading(values: dict[str, float], ahead_s: float | None = None) -> bytes:
    ts = {} if ahead_s is None else {"ts": (datetime.now(timezone.utc) + timedelta(seconds=ahead_s)).isoformat()}
    return json.dumps({**values, **ts, "id": uuid.uuid4().hex}).encode()


def between(share: float) -> dict[str, float]:
    return {name: WELL[name] + share * (WORN[name] - WELL[name]) for name in WELL}


class Plant:
    """`devices` says what each publishes; `states` has the newest state heard of each, `changes` all of them."""

    def __init__(self, port: int, name: str) -> None:
        self.devices: dict[str, Said] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.changes: dict[str, list[tuple[str, float]]] = {}  # state, time.monotonic()
        self.said_at: dict[str, float] = {}  # time.monotonic() of the newest message of each
        self._stop = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, f"plant-{name}", protocol=mqtt.MQTTv5)
        self._client.on_message = self._hear
        self._client.on_connect = lambda client, *_: client.subscribe("sensors/+/state", 1)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_queued_messages_set(0)
        self._client.connect_async(HOST, port, 30)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, name="plant", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, device: str, payload: bytes) -> None:
        self._client.publish(f"sensors/{device}/reading", payload, 1)
        self.said_at[device] = time.monotonic()

    def state(self, device: str) -> str | None:
        return self.states.get(device, {}).get("state")

    def said(self) -> dict[str, tuple[object, ...]]:
        return {device: _facts(state) for device, state in dict(self.states).items()}

    def _hear(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        device = message.topic.split("/")[1]
        if not message.payload:
            self.states.pop(device, None)
            return
        found = json.loads(message.payload)
        if found["state"] != self.state(device):
            self.changes.setdefault(device, []).append((found["state"], time.monotonic()))
        self.states[device] = found

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(TICK_S):
            number += 1
            for device, say in list(self.devices.items()):
                if (payload := say(number)) is not None:
                    self.publish(device, payload)


def _facts(found: dict[str, Any]) -> tuple[object, ...]:
    return found["state"], found["since"], found["acknowledged_by"], found["shelved_until"]


class Api:
    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Sends a request, and returns the status; 0 if the server does not answer."""
        client = http.client.HTTPConnection(HOST, self._port, timeout=10)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            client.request(method, path, None if body is None else json.dumps(body), headers)
            answer = client.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            client.close()

    def said(self) -> dict[str, tuple[object, ...]] | None:
        """What it says of all devices; None if it does not answer, or if they changed their order meanwhile."""
        found: dict[str, tuple[object, ...]] = {}
        offset = 0
        while True:
            status, page = self.ask("GET", f"/v1/devices?limit={PAGE}&offset={offset}")
            if status != 200:
                return None
            found |= {device["device_id"]: _facts(device) for device in page["devices"]}
            offset += len(page["devices"])
            if len(page["devices"]) < PAGE:
                return found if len(found) == offset else None
