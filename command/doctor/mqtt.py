"""A plain MQTT 5 connection that exposes what the broker granted, which the services' own link does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from zelador.errors import Unavailable
from zelador.link.client import give_credentials
from zelador.settings import MqttSettings
from zelador.tls import explain

TURN_S = 0.05
KEEPALIVE_S = 30
MAX_IN_FLIGHT = 1_000  # our Receive Maximum, and the limit for the probe's messages


class Session:
    """One connection. The constructor connects, and raises Unavailable with the broker's reason."""

    def __init__(
        self, settings: MqttSettings, client_id: str, limit_s: float, expiry_s: int = 0, clean: bool = True
    ) -> None:
        self.granted: dict[str, Any] = {}  # the properties in CONNACK, by name
        self.session_present = False
        self.lost: str | None = None
        self.inbox: list[tuple[str, bytes]] = []
        self._limit_s = limit_s
        self._connected: Any = None
        self._subscribed: dict[int, Any] = {}
        self._published: dict[int, Any] = {}
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        give_credentials(self._client, settings)
        self._client.max_inflight_messages_set(0)
        self._client.connect_timeout = limit_s
        self._register_callbacks()
        self._connect(settings, client_id, expiry_s, clean)

    def until(self, condition: Callable[[], object], limit_s: float | None = None) -> bool:
        """Waits for `condition`. Returns False at the limit, or when the connection is lost."""
        deadline = time.monotonic() + (self._limit_s if limit_s is None else limit_s)
        while not condition():
            if self.lost is not None or time.monotonic() > deadline:
                return False
            if (code := self._client.loop(TURN_S)) != mqtt.MQTT_ERR_SUCCESS and self.lost is None:
                self.lost = mqtt.error_string(code)
        return True

    def subscribe(self, topic: str, qos: int = 1) -> str | None:
        """Returns None if the broker granted it, else its reason. Retained messages are not requested."""
        return self._ask(topic, SubscribeOptions(qos=qos, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND))

    def read_retained(self, topics: list[str], limit_s: float) -> dict[str, str]:
        """Returns the retained messages of these topics, as far as the broker delivers them in time."""
        for topic in topics:
            self._ask(topic, SubscribeOptions(qos=0))
        self.until(lambda: {topic for topic, _ in self.inbox} >= set(topics), limit_s)
        return {topic: payload.decode(errors="replace") for topic, payload in self.inbox if topic in topics}

    def unsubscribe(self, topic: str) -> None:
        if self.lost is None:
            self._client.unsubscribe(topic)
            self.until(lambda: False, TURN_S)

    def publish(self, topic: str, payload: bytes) -> str | None:
        """Returns None if the broker accepted it, else its reason."""
        packet_id = self._client.publish(topic, payload, 1).mid
        if not self.until(lambda: packet_id in self._published):
            return self.lost or "no answer"
        reason = self._published[packet_id]
        return str(reason) if reason.is_failure else None

    def publish_many(self, topic: str, count: int) -> int:
        """Publishes `count` small messages; returns how many the broker accepted."""
        for number in range(count):
            self._client.publish(topic, b"%d" % number, 1)
            if number % 100 == 99:
                self.until(lambda sent=number + 1: sent - len(self._published) < MAX_IN_FLIGHT // 2)  # type: ignore[misc]
        self.until(lambda: len(self._published) >= count)
        return sum(not reason.is_failure for reason in self._published.values())

    def close(self, forget: bool = True) -> None:
        """Disconnects. With `forget`, the session ends too."""
        if self.lost is not None:
            return
        properties = None
        if forget:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
        self._client.disconnect(properties=properties)
        self.until(lambda: self.lost is not None, 1.0)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _connect(self, settings: MqttSettings, client_id: str, expiry_s: int, clean: bool) -> None:
        url = urlsplit(settings.url)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = expiry_s
        properties.ReceiveMaximum = MAX_IN_FLIGHT
        port = url.port or (8883 if url.scheme == "mqtts" else 1883)
        try:
            self._client.connect(url.hostname or "", port, KEEPALIVE_S, clean_start=clean, properties=properties)
        except (OSError, ValueError) as error:
            raise Unavailable(explain(error, "ZELADOR_MQTT__CA_FILE") or f"no answer ({error})") from None
        if not self.until(lambda: self._connected is not None):
            raise Unavailable(f"it accepts the connection but does not answer ({self.lost or 'no CONNACK in time'})")
        if self._connected.is_failure:
            raise Unavailable(f"it refused the connection: {self._connected}")

    def _ask(self, topic: str, options: SubscribeOptions) -> str | None:
        _, packet_id = self._client.subscribe(topic, options=options)
        if packet_id is None or not self.until(lambda: packet_id in self._subscribed):
            return self.lost or "no answer"
        code = self._subscribed[packet_id][0]
        return str(code) if code.is_failure else None

    def _register_callbacks(self) -> None:
        client = self._client

        def connected(_client: Any, _data: Any, flags: Any, reason: Any, properties: Any) -> None:
            self._connected = reason
            self.session_present = flags.session_present
            self.granted = dict(properties.json()) if properties is not None else {}

        def disconnected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            self.lost = self.lost or str(reason)

        client.on_connect = connected
        client.on_disconnect = disconnected
        client.on_subscribe = lambda _c, _d, packet_id, codes, _p: self._subscribed.update({packet_id: codes})
        client.on_publish = lambda _c, _d, packet_id, reason, _p: self._published.update({packet_id: reason})
        client.on_message = lambda _c, _d, message: self.inbox.append((message.topic, bytes(message.payload)))
