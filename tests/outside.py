"""An outside client in plain paho, without our code: publishes like devices, counts predictions like a dashboard."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode


class Outside:
    """Two connections: devices (QoS 1, published again until acknowledged) and a subscriber with a queue of its own."""

    def __init__(self, url: str, protocol: int = mqtt.MQTTv5, root: str = "sensors") -> None:
        """Returns once it is subscribed. `url` may name a user: mqtt://user:password@host:port."""
        self.root = root
        self.predictions: list[dict] = []
        self._sent: list[tuple[int, tuple[str, ...]]] = []  # packet id (a test sends fewer than 65,535), readings
        self._answered: set[int] = set()  # packet ids
        self._acknowledged: set[int] = set()  # of these, the ones that the broker did not refuse
        self._subscribed = threading.Event()
        parts = urlsplit(url)
        self._subscriber = self._client(f"outside-sub-{uuid.uuid4().hex[:8]}", protocol)
        self._subscriber.on_message = self._on_message
        self._subscriber.on_connect = lambda client, *_: client.subscribe(f"{root}/+/prediction", 1)
        self._subscriber.on_subscribe = self._on_subscribe
        self._devices = self._client(f"outside-dev-{uuid.uuid4().hex[:8]}", protocol)
        self._devices.on_publish = self._on_publish
        for client, clean in ((self._subscriber, False), (self._devices, False)):
            options: dict = {}
            if protocol == mqtt.MQTTv5:
                properties = Properties(PacketTypes.CONNECT)
                properties.SessionExpiryInterval = 600
                options = {"clean_start": clean, "properties": properties}
            client.username_pw_set(parts.username, parts.password)
            client.reconnect_delay_set(1, 1)
            client.connect(parts.hostname, parts.port, 30, **options)
            client.loop_start()
        # Being connected is not enough: the SUBSCRIBE may be late, and an earlier prediction goes to nobody.
        self._until(self._subscribed.is_set, "the subscription")

    def _client(self, name: str, protocol: int) -> mqtt.Client:
        if protocol == mqtt.MQTTv5:
            return mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=protocol)
        return mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=protocol, clean_session=False)

    def send(self, device: str, payload: object, *ids: str) -> None:
        """Publishes at QoS 1; `ids` count as acknowledged once the broker has acknowledged them."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        info = self._devices.publish(f"{self.root}/{device}/reading", data, 1)
        self._sent.append((info.mid, ids))

    @property
    def readings(self) -> set[str]:
        """The ids that the broker has acknowledged."""
        return {reading for mid, ids in list(self._sent) if mid in self._acknowledged for reading in ids}

    def settled(self, within_s: float = 60.0) -> None:
        """Waits until the broker has answered for everything."""
        self._until(lambda: self._answered >= {mid for mid, _ in list(self._sent)}, "acknowledgements", within_s)

    def counts(self) -> Counter[str]:
        return Counter(prediction["reading_id"] for prediction in list(self.predictions))

    def all_predicted(self, within_s: float = 60.0) -> None:
        """Waits until every acknowledged reading has at least one prediction."""
        deadline = time.monotonic() + within_s
        while missing := self.readings - set(self.counts()):
            if time.monotonic() > deadline:
                named = ", ".join(sorted(missing)[:5])
                raise AssertionError(
                    f"{len(missing)} of {len(self.readings)} acknowledged readings have no prediction: {named}"
                )
            time.sleep(0.05)

    def close(self) -> None:
        for client in (self._devices, self._subscriber):
            client.disconnect()
            client.loop_stop()

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        if not any(code.is_failure for code in codes):
            self._subscribed.set()

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        if not reason.is_failure:
            self._acknowledged.add(mid)
        self._answered.add(mid)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        found = json.loads(message.payload)
        self.predictions.extend(found if isinstance(found, list) else [found])

    def _until(self, condition, what: str, within_s: float = 15.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {within_s:g} s for {what}")
            time.sleep(0.02)
