"""One connection to the broker, from CONNECT to its loss. A reconnect makes a new one.

paho handles the protocol; PUBLISH and PUBACK use the fast lane if it is on, else paho too.
"""

from __future__ import annotations

import contextlib
import logging
import select
import struct
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from zelador.clock import now_ms
from zelador.errors import Unavailable
from zelador.link.buffered import BufferedSocket
from zelador.link.client import make_client, socket_of
from zelador.link.lane import LaneSocket
from zelador.link.message import Message, Outgoing
from zelador.link.packets import cut
from zelador.settings import MqttSettings, redact
from zelador.tls import explain

log = logging.getLogger(__name__)

PACKET_IDS = 65_535
LARGEST_PACKET = 268_435_460  # bytes, the limit of MQTT
SYSTEM = "$SYS/"  # topics of the broker itself
CLIENT_ID_REFUSED = 0x85
TAKEN_OVER = 0x8E  # Mosquitto 2.0 closes the connection without saying so
# Reasons of a DISCONNECT that no published message can cause (MQTT 5, 3.14.2.1): the server is busy (0x89) or shuts
# down (0x8B), session taken over (0x8E), rate or quota (0x96, 0x97), administrative action (0x98), another server
# (0x9C, 0x9D), connection rate (0x9F), maximum connect time (0xA0).
INNOCENT = frozenset((0x89, 0x8B, 0x8E, 0x96, 0x97, 0x98, 0x9C, 0x9D, 0x9F, 0xA0))


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    client_id: str
    filters: tuple[str, ...] = ()
    persistent: bool = False  # the broker keeps queue and subscriptions while the client is disconnected
    will: Outgoing | None = None
    optional: tuple[str, ...] = ()  # topic filters that the broker may refuse; $SYS at QoS 0


@dataclass(slots=True)
class _Handshake:
    connected: Any = None  # the CONNACK's reason code
    maximum: int = PACKET_IDS  # the broker's Receive Maximum
    packet_bytes: int = LARGEST_PACKET  # its Maximum Packet Size
    session_present: bool = False
    answered: bool = False  # the SUBACK has arrived
    denied: str | None = None  # a filter that the broker refused, with the reason
    expiry_s: int | None = None  # the session expiry that the broker chose; None: the requested one
    given_id: str | None = None  # a client id that the broker assigned instead of the requested one


class Connection:
    """The constructor connects, within `settings.connect_timeout_s`, or raises Unavailable.

    `epoch` numbers the connections of a link, and is part of each message.
    """

    def __init__(self, settings: MqttSettings, options: ConnectionOptions, epoch: int = 1) -> None:
        self.epoch = epoch
        self.inbox: deque[Message] = deque()
        self.confirmed: list[int] = []  # packet ids that the broker has acknowledged
        self.refused: dict[int, str] = {}  # of these, the refused ones, with the reason
        self.lost: str | None = None  # the reason, once the connection is lost
        self.taken_over = False  # another client connected with this client id
        self.lost_by_message = True  # False: the broker gave a reason that no published message can cause
        self.held = 0  # messages received and not acknowledged
        self.held_bytes = 0  # of their payloads
        self.optional_open: int | None = None  # the packet id of the optional subscription while it is unanswered
        self._where = redact(settings.url)
        self._hold = settings.receive_maximum
        self._hold_bytes = settings.held_bytes
        self._filters = options.filters
        self._optional = options.optional
        self._handshake = _Handshake()
        self._next_misc = 0.0
        self._misc_every = min(1.0, settings.keepalive_s / 4)  # otherwise a ping could be too late
        self._buffered: BufferedSocket | None = None  # the client's socket, if it is buffered
        self._lane: LaneSocket | None = None  # the same socket, if the lane is on
        self._client = make_client(settings, options.client_id)
        self._hear(options)
        try:
            self._connect(settings, options)
        except BaseException:
            self._drop()
            raise
        self.receive_maximum = self._handshake.maximum
        self.packet_bytes = self._handshake.packet_bytes
        self.session_present = self._handshake.session_present
        self.made_at = now_ms()

    # ── the operations of one connection ─────────────────────────────────────────────────────

    def turn(self, wait: float) -> None:
        """Sends queued data, then waits up to `wait` seconds for data and reads it."""
        if self.lost is not None:
            return
        try:
            self._write()
            self._read(wait)
            now = time.monotonic()
            if now >= self._next_misc:
                self._next_misc = now + self._misc_every
                self._check(self._client.loop_misc())
            self._write()
        except (OSError, ValueError, LookupError, struct.error, MQTTException) as error:
            self._lose(str(error) or type(error).__name__)

    def ack(self, messages: Sequence[Message]) -> None:
        """Queues acknowledgements, in this order; the next turn sends them."""
        packet_ids = [message.packet_id for message in messages if message.qos == 1]
        self.held -= len(packet_ids)
        self.held_bytes -= sum([len(message.payload) for message in messages if message.qos == 1])
        if self._lane is not None:
            self._lane.ack(packet_ids)
        else:
            for packet_id in packet_ids:
                self._client.ack(packet_id, 1)

    def publish(self, messages: Sequence[Outgoing]) -> list[int]:
        """Queues messages; returns their packet ids, which appear in `confirmed` once the broker has answered."""
        if self._lane is not None:
            return self._lane.publish(messages)
        return [self._publish_by_paho(message) for message in messages]

    def hear(self, topic: str) -> bool:
        """Subscribes at QoS 0, without retained messages. False if the client cannot send it."""
        quiet = SubscribeOptions(qos=0, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        code, self.optional_open = self._client.subscribe([(topic, quiet)])
        self.turn(0.0)
        return code == mqtt.MQTT_ERR_SUCCESS

    def give_up(self, why: str) -> None:
        """Closes the connection because the broker does not respond as it should."""
        if self.lost is None:
            self._lose(why)

    def close(self) -> None:
        """Sends DISCONNECT, so that the broker does not publish the will."""
        if self.lost is None:
            with contextlib.suppress(OSError, ValueError):
                self._client.disconnect()
                self._client.loop_write()
        self._drop()
        self.lost = self.lost or "closed"

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _hear(self, options: ConnectionOptions) -> None:
        client = self._client
        if options.will is not None:
            client.will_set(options.will.topic, options.will.payload, 1, options.will.retain)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_unreadable = self._on_unreadable

    def _connect(self, settings: MqttSettings, options: ConnectionOptions) -> None:
        url = urlsplit(settings.url)
        deadline = time.monotonic() + settings.connect_timeout_s
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = settings.receive_maximum
        properties.SessionExpiryInterval = settings.session_expiry_s if options.persistent else 0
        port = url.port or (8883 if url.scheme == "mqtts" else 1883)
        try:
            self._client.connect(
                url.hostname or "",
                port,
                settings.keepalive_s,
                clean_start=not options.persistent,
                properties=properties,
            )
        except (OSError, ValueError) as error:
            if why := explain(error, "ZELADOR_MQTT__CA_FILE"):
                raise Unavailable(f"the MQTT broker at {self._where}: {why}") from None
            raise Unavailable(
                f"no MQTT broker answers at {self._where} ({error}); start it or set ZELADOR_MQTT__URL"
            ) from None
        self._buffered, self._lane = socket_of(self._client, settings.lane)
        if self._lane is not None:
            self._lane.epoch = self.epoch
        self._await(lambda: self._handshake.connected is not None, deadline, "CONNACK")
        reason = self._handshake.connected
        if reason.is_failure:
            fix = "check ZELADOR_MQTT__USERNAME, ZELADOR_MQTT__PASSWORD and the broker's access list"
            if reason.value == CLIENT_ID_REFUSED:
                fix = "it may be reserved, as the ids of zelador up are; choose another (ZELADOR_INGEST__CLIENT_ID)"
            raise Unavailable(f"the MQTT broker at {self._where} refused {options.client_id}: {reason}; {fix}")
        if options.persistent and (self._handshake.expiry_s == 0 or self._handshake.given_id):
            raise Unavailable(
                f"the MQTT broker at {self._where} keeps no session for {options.client_id}: messages that arrive "
                f"while it is disconnected would be lost; allow persistent sessions in the broker's settings"
            )
        if not options.filters:
            return
        # Retained messages are wanted only when the subscription is new, not on each reconnect.
        retained = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        self._client.subscribe([(topic, retained) for topic in options.filters])
        # An old subscription is still valid, and a full window may delay the SUBACK.
        if not self._handshake.session_present:
            self._await(lambda: self._handshake.answered, deadline, "SUBACK")
            if self._handshake.denied:
                why = self._handshake.denied
                raise Unavailable(f"the MQTT broker at {self._where} refused the subscription: {why}")
        if options.optional:  # separately: some brokers disconnect because of it
            wanted = [(topic, SubscribeOptions(qos=0 if topic.startswith(SYSTEM) else 1)) for topic in options.optional]
            _, self.optional_open = self._client.subscribe(wanted)
        self.turn(0.0)  # sends the data that a SUBSCRIBE of an old session waits for

    def _await(self, condition: Any, deadline: float, what: str) -> None:
        while not condition():
            left = deadline - time.monotonic()
            if self.lost is not None or left <= 0:
                why = self.lost or f"no {what} in time"
                raise Unavailable(
                    f"the MQTT broker at {self._where} does not answer ({why}); is it an MQTT broker, and healthy?"
                )
            self.turn(min(left, 0.5))

    def _read(self, wait: float) -> None:
        sock = self._client.socket()
        if sock is None:
            raise ConnectionError("connection closed")
        if self._full():
            time.sleep(min(wait, 0.05))
            return
        buffered = self._buffered
        full = buffered is not None and buffered.unflushed()
        if buffered is not None and buffered.pending():
            wait = 0.0  # select does not see data that is already in memory
        # Keep reading while the kernel accepts no more data, or broker and client would wait for each other.
        readable, writable, _ = select.select([sock], [sock] if full else [], [], wait)
        if buffered is None:
            if readable:
                self._check(self._client.loop_read())
            return
        if writable:
            buffered.flush()
        if readable:
            buffered.fill()
        while buffered.pending() and not self._full():
            self._check(self._client.loop_read())
        if self._lane is not None:
            self._take(self._lane)

    def _full(self) -> bool:
        """Enforces limits on held messages: iotcore ignores the Receive Maximum, QoS 0 has none, and no broker counts
        bytes.
        """
        return self.held >= self._hold or self.held_bytes >= self._hold_bytes or len(self.inbox) >= self._hold

    def _take(self, lane: LaneSocket) -> None:
        """Takes over the messages and acknowledgements that the lane found in the stream."""
        if lane.messages:
            self.inbox.extend(lane.messages)
            self.held += sum([message.qos for message in lane.messages])  # the lane only handles QoS 0 and 1
            self.held_bytes += sum([len(message.payload) for message in lane.messages if message.qos])
            lane.messages.clear()
        if lane.confirmed:
            self.confirmed += lane.confirmed
            self.refused.update({packet_id: _reason(code) for packet_id, code in lane.refused.items()})
            lane.confirmed.clear()
            lane.refused.clear()

    def _write(self) -> None:
        if self._client.want_write():
            self._check(self._client.loop_write())
        if self._buffered is not None:
            self._buffered.flush()

    def _publish_by_paho(self, outgoing: Outgoing) -> int:
        properties = None
        if outgoing.content_type or outgoing.correlation:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if outgoing.content_type:
                properties.ContentType = outgoing.content_type
            if outgoing.correlation:
                properties.CorrelationData = outgoing.correlation
        return self._client.publish(outgoing.topic, outgoing.payload, 1, outgoing.retain, properties).mid

    def _check(self, code: int) -> None:
        if code != mqtt.MQTT_ERR_SUCCESS:
            raise ConnectionError(mqtt.error_string(code))

    def _lose(self, why: str) -> None:
        self.lost = self.lost or why
        self._drop()

    def _drop(self) -> None:
        """Closes the socket without DISCONNECT: the broker keeps unacknowledged messages."""
        sock = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    # ── paho's callbacks only record events; nothing here may raise ──────────────────────────

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._handshake.connected = reason
        self._handshake.session_present = flags.session_present
        self._handshake.maximum = getattr(properties, "ReceiveMaximum", PACKET_IDS)
        self._handshake.packet_bytes = getattr(properties, "MaximumPacketSize", LARGEST_PACKET)
        self._handshake.expiry_s = getattr(properties, "SessionExpiryInterval", None)
        self._handshake.given_id = getattr(properties, "AssignedClientIdentifier", None)

    def _on_subscribe(self, _client: Any, _data: Any, packet_id: int, codes: Any, _properties: Any) -> None:
        if packet_id == self.optional_open:
            self.optional_open = None
            for topic, code in zip(self._optional, codes, strict=False):
                if code.is_failure and not topic.startswith(SYSTEM):
                    log.warning(
                        "the broker refused the subscription to %s (%s): continuing without it; allow it in the "
                        "broker's access list", topic, code
                    )  # fmt: skip
            return
        self._handshake.answered = True
        for topic, code in zip(self._filters, codes, strict=False):
            if code.is_failure:
                self._handshake.denied = f"{topic}: {code}"
                log.error("the broker refused the subscription to %s: %s", topic, code)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self.lost is None:
            code = getattr(reason, "value", 0)
            self.taken_over = code == TAKEN_OVER
            self.lost = "another client connected with our client id" if self.taken_over else str(reason)
            self.lost_by_message = code not in INNOCENT

    def _on_publish(self, _client: Any, _data: Any, packet_id: int, reason: Any, _properties: Any) -> None:
        self.confirmed.append(packet_id)
        if reason.is_failure:
            self.refused[packet_id] = str(reason)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # brokers do not forward such a topic
        properties = message.properties
        self._receive(
            Message(
                topic=topic,
                payload=bytes(message.payload),
                received_at=now_ms(),
                epoch=self.epoch,
                packet_id=message.mid,
                qos=message.qos,
                retained=message.retain,
                again=message.dup,
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation=getattr(properties, "CorrelationData", None),
            )
        )

    def _on_unreadable(self, packet: bytes) -> None:
        for message in cut(packet, now_ms(), self.epoch).messages:
            self._receive(message)

    def _receive(self, message: Message) -> None:
        if message.qos == 1:
            self.held += 1
            self.held_bytes += len(message.payload)
        self.inbox.append(message)


def _reason(code: int) -> str:
    """The name of a PUBACK's reason code (MQTT 5, 3.4.2.1), or its number if the standard has no name."""
    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=code))
    except (KeyError, ValueError):
        return f"reason code {code:#04x}"
