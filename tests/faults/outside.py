"""The world outside, in plain paho: devices that publish until acknowledged, a subscriber that counts."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.faults.book import Book
from tests.wire import HOST

TICK_S = 0.005
MOST_FLYING = 4_000  # most readings published and not acknowledged while the broker is away
MOST_CREDIT = 2_000  # most readings to catch up on after a pause
MACHINES = 7
LUX = 300.0
EXPIRY_S = 86_400


def device(number: int) -> str:
    """The device of the reading with this number."""
    return f"machine-{number % MACHINES}"


def _client(name: str, port: int) -> mqtt.Client:
    """A client that connects, and reconnects, with a persistent session."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
    client.reconnect_delay_set(0.2, 1.0)  # type: ignore[arg-type]  # it only adds and doubles
    client.max_inflight_messages_set(500)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = EXPIRY_S
    client.connect_async(HOST, port, 30, clean_start=False, properties=properties)
    return client


class Devices:
    """Publishes readings with their own ids: `rate` a second, and a number on request, on a separate thread."""

    def __init__(self, book: Book, port: int) -> None:
        self.rate = 0.0
        self.next = 0  # the number of the next reading
        self.others = 0  # acknowledged messages that are not readings of the book
        self._book = book
        self._asked = 0
        self._sent = 0
        self._extra: deque[tuple[str, bytes]] = deque()
        self._flying: dict[int, int | None] = {}  # packet id → number
        self._again: deque[int] = deque()
        self._answers: deque[tuple[int, bool]] = deque()
        self._stop = threading.Event()
        self._client = _client(f"{book.name}-devices", port)
        self._client.on_publish = self._on_publish
        self._thread = threading.Thread(target=self._run, name="devices", daemon=True)

    def start(self) -> None:
        self._client.loop_start()
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, count: int) -> None:
        """Publishes readings as fast as the broker accepts them, and advances `next`."""
        self._asked += count

    def send_other(self, payload: bytes, device: str = "other") -> None:
        self._extra.append((f"sensors/{device}/reading", payload))

    @property
    def quiet(self) -> bool:
        """True if everything requested is published and acknowledged."""
        return not (self._asked > self._sent or self._extra or self._flying or self._again or self._answers)

    def _run(self) -> None:
        credit, before = 0.0, time.monotonic()
        while not self._stop.wait(TICK_S):
            now = time.monotonic()
            credit = min(credit + (now - before) * self.rate, MOST_CREDIT) if self.rate else 0.0
            before = now
            self._take_answers()
            while len(self._flying) < MOST_FLYING:
                if self._extra:
                    topic, payload = self._extra[0]
                    self._flying[self._publish(topic, payload)] = None
                    self._extra.popleft()
                elif self._again:
                    self._publish_reading(self._again[0])
                    self._again.popleft()
                elif credit >= 1.0 or self._asked > self._sent:
                    number, self.next = self.next, self.next + 1
                    self._publish_reading(number)
                    if self._asked > self._sent:
                        self._sent += 1
                    else:
                        credit -= 1.0
                else:
                    break

    def _publish_reading(self, number: int) -> None:
        values = f'"lux":{LUX},"temperature":{20 + number % 60},"vibration":{number % 50 / 10}'
        payload = f'{{"id":"{self._book.id(number)}",{values}}}'.encode()
        self._flying[self._publish(f"sensors/{device(number)}/reading", payload)] = number

    def _publish(self, topic: str, payload: bytes) -> int:
        return self._client.publish(topic, payload, 1).mid

    def _take_answers(self) -> None:
        while self._answers:
            packet_id, said_yes = self._answers[0]
            if packet_id in self._flying:
                number = self._flying.pop(packet_id)
                if number is None:
                    self.others += 1
                elif said_yes:
                    self._book.acknowledged[number] = 1
                else:
                    self._again.append(number)
            self._answers.popleft()

    def _on_publish(self, _client: Any, _data: Any, packet_id: int, reason: Any, _properties: Any) -> None:
        self._answers.append((packet_id, not reason.is_failure))  # paho holds a lock here, so do no more than this


class Subscriber:
    """A dashboard with its own session; it counts how often each prediction arrived."""

    def __init__(self, book: Book, port: int) -> None:
        self.came = 0
        self.last_at = 0.0  # time.monotonic(): something came, or it has (again) subscribed
        self._book = book
        self._awaited: list[tuple[int, Awaited]] = []
        self._subscribed = threading.Event()
        self._client = _client(f"{book.name}-subscriber", port)
        self._client.on_connect = lambda client, *_: client.subscribe("sensors/+/prediction", 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        self._client.loop_start()
        if not self._subscribed.wait(15):
            raise AssertionError("the subscriber is not connected after 15 s")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def await_one_from(self, number: int, since: float) -> Awaited:
        """Returns an object that records when a reading from `number` on gets its prediction."""
        awaited = Awaited(since)
        self._awaited.append((number, awaited))
        return awaited

    def _on_subscribe(self, *_: object) -> None:
        self.last_at = time.monotonic()
        self._subscribed.set()

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        numbers = self._book.predictions(bytes(message.payload))
        for number in numbers:
            self._book.predicted[number] = min(self._book.predicted[number] + 1, 255)
        self.came += len(numbers)
        self.last_at = time.monotonic()
        if self._awaited and numbers:
            newest = max(numbers)
            for entry in [entry for entry in self._awaited if entry[0] <= newest]:
                entry[1].seconds = self.last_at - entry[1].since
                with contextlib.suppress(ValueError):
                    self._awaited.remove(entry)


class Awaited:
    """`seconds` from `since` to the first prediction of a reading published after the fault; None: not yet."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.seconds: float | None = None
