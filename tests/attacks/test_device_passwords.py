"""A gate that listens on the network: a device needs its password, and reaches only its own topics.

With Mosquitto, the password file and the access list decide; with rumqttd, the gate does. Devices see no difference.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import paho.mqtt.client as mqtt
import pytest

from admin.access.attempts import Attempts
from command.up.admission import MAX_DELAY_S, MAX_OF_ONE_DEVICE, MAX_STRANGERS_OF_ONE, Admission
from command.up.client_ids import ReservedIds
from command.up.device_access import DeviceAccess
from command.up.gate import Gate
from command.up.home import Home, home_settings
from command.up.listen import Listen
from command.up.ports import HOST, choose
from command.up.rights import templates
from command.up.servers import broker_server
from operations.device_passwords import file_of, remove, set_password
from tests.attacks.test_gate import connect, packet, text
from tests.servers import found_or_skip, run_process
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import Settings

DENIED_5, DENIED_3 = b"\x20\x03\x00\x87\x00", b"\x20\x02\x00\x05"


class Site:
    """A broker behind a gate with passwords, and the services' own connection."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.ports = choose(["mqtt", "broker5", "broker4", "redis", "api"], {}, {})
        self.home = Home(folder)
        memory = {**self.ports, "listen": HOST}
        self.home.service_password()
        self.settings = home_settings(Settings(), self.home.path, memory, kind == "mosquitto")
        self.rules = templates(self.settings.topics)
        self.passwords = {name: set_password(file_of(self.home.path), name)[1] for name in ("press-07", "press-08")}
        self.access = DeviceAccess(self.home, self.rules, Listen(HOST), None)
        server = broker_server(self.home.path, self.ports["broker5"], self.ports["broker4"], kind, secured=True)
        self.gate = Gate(
            self.ports["mqtt"],
            self.ports["broker5"],
            self.ports["broker4"],
            ReservedIds(self.settings),
            fragile=kind == "iotcore",
        )
        self.gate.admission = Admission(self.rules, self.access.records, self.gate.complain)
        self.kind, self.command = kind, server.command
        self.reload: Callable[[], None] = lambda: None

    @property
    def port(self) -> int:
        return self.ports["mqtt"]

    def step(self) -> None:
        """One step of the supervisor of `up`, which runs ten times a second."""
        self.access.step(self.gate, self.reload)

    def service(self, *filters: str) -> Link:
        link = Link(self.settings.mqtt, LinkOptions("service", filters), Event())
        link.open(60.0)
        return link


@pytest.fixture(scope="module", params=["mosquitto", "iotcore"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if request.param == "mosquitto":
        found_or_skip("mosquitto")
    found = Site(tmp_path_factory.mktemp(request.param) / "home", request.param)
    with run_process(found.command, found.ports["broker5"]) as process:
        if request.param == "mosquitto":
            found.reload = lambda: process.send_signal(1)
        found.gate.open()
        found.gate.admit(True)
        try:
            yield found
        finally:
            found.gate.close()
            found.home.release()


@pytest.fixture(autouse=True)
def _unknown_address(site: Site) -> None:
    """Each test has its own address, so that it does not wait for the guesses of another one."""
    assert site.gate.admission is not None
    site.gate.admission._attempts = Attempts(MAX_DELAY_S)


class Device:
    """A paho client as a device, driven by the test."""

    def __init__(
        self, site: Site, name: str, password: str | None = None, client_id: str = "", level: int = 5, **will: object
    ) -> None:
        protocol = mqtt.MQTTv5 if level == 5 else mqtt.MQTTv311
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id or name, protocol=protocol)
        self.client.username_pw_set(name, site.passwords[name] if password is None else password)
        if will:
            self.client.will_set(str(will["topic"]), b"gone", 1)
        self.heard: list[tuple[str, bytes]] = []
        self.answer: str | None = None
        self.client.on_connect = lambda _c, _d, _f, reason, _p: setattr(self, "answer", str(reason))
        self.client.on_message = lambda _c, _d, message: self.heard.append((message.topic, message.payload))
        self.client.connect(HOST, site.port)
        self.turn(lambda: self.answer is not None)

    def turn(self, until: Callable[[], object], within_s: float = 5.0) -> bool:
        deadline = time.monotonic() + within_s
        while not until():
            if time.monotonic() > deadline or self.client.loop(0.02) != mqtt.MQTT_ERR_SUCCESS:
                return bool(until())
        return True

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        sent = self.client.publish(topic, payload, qos, retain)
        assert self.turn(sent.is_published), "no acknowledgment"

    def subscribe(self, *filters: str) -> None:
        done: list[object] = []
        self.client.on_subscribe = lambda *_: done.append(1)
        self.client.subscribe([(each, 1) for each in filters])
        assert self.turn(lambda: done)

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.turn(lambda: not self.client.is_connected(), 1.0)


def heard_by(link: Link, want: int, within_s: float = 3.0) -> list[tuple[str, bytes]]:
    """The messages with a payload. An empty one only clears a retained message of an earlier test."""
    found: list[tuple[str, bytes]] = []
    deadline = time.monotonic() + within_s
    while len(found) < want and time.monotonic() < deadline:
        batch = link.receive(100, 0.1)
        link.ack(batch)
        found += [(message.topic, message.payload) for message in batch if message.payload]
    return found


def said(port: int, data: bytes) -> bytes:
    with socket.create_connection((HOST, port), timeout=8.0) as sock, contextlib.suppress(OSError):
        sock.sendall(data)
        return sock.recv(100)
    return b""


@pytest.mark.parametrize("level", [4, 5])
def test_nobody_connects_without_the_right_password(site: Site, level: int) -> None:
    """No user, no password, another's password, the services' user, and a name that begins like a device's."""
    denied = DENIED_5 if level == 5 else DENIED_3
    assert said(site.port, connect(b"press-07", level)) == denied
    for name, password in (
        ("press-07", site.passwords["press-08"]),
        ("press-07", ""),
        ("press-0", site.passwords["press-07"]),
        ("zelador", site.home.service_password()),
    ):
        flags = 0xC2
        body = text(b"MQTT") + bytes([level, flags]) + b"\x00\x3c" + (b"\x00" if level == 5 else b"") + text(b"x")
        raw = packet(0x10, body + text(name.encode()) + text(password.encode()))
        assert said(site.port, raw) == denied, name


@pytest.mark.parametrize("level", [4, 5])
def test_a_device_publishes_only_its_own_readings(site: Site, level: int) -> None:
    """A reading of another device, a prediction, a status: acknowledged, as Mosquitto does, and seen by nobody."""
    service = site.service("#")
    with Device(site, "press-07", level=level) as device:
        for topic in ("sensors/press-08/reading", "sensors/press-07/prediction", "zelador/status/ingest/x", "a"):
            for qos in (0, 1, 2):
                device.publish(topic, b"stolen", qos, retain=True)
        device.publish("sensors/press-07/reading", b"mine")
    heard = heard_by(service, 1)
    service.close()
    assert heard == [("sensors/press-07/reading", b"mine")]
    later = site.service("#")
    assert heard_by(later, 1, 0.5) == []  # nothing was retained
    later.close()


def test_a_device_reads_only_its_own_predictions(site: Site) -> None:
    """It may subscribe to a wildcard, another device's topic, the broker's own topics or a shared subscription."""
    service = site.service()
    wanted = ("#", "sensors/+/prediction", "sensors/press-08/#", "$SYS/#", "zelador/#")
    with Device(site, "press-07") as device:
        for each in wanted:
            device.subscribe(each)
        device.subscribe(*wanted)
        for topic in ("sensors/press-08/prediction", "zelador/status/ingest/x", "sensors/press-07/prediction"):
            service.confirmed(service.publish([Outgoing(topic, b"{}")]), 3.0)
        assert device.turn(lambda: device.heard)
        device.turn(lambda: False, 0.3)
        assert {topic for topic, _ in device.heard} == {"sensors/press-07/prediction"}
    service.close()


def test_a_will_reaches_only_the_devices_own_topic(site: Site) -> None:
    """ESPHome and Tasmota always have one: such a device connects, and the will is left out."""
    service = site.service("sensors/+/reading", "sensors/+/prediction")
    for topic in ("sensors/press-08/reading", "sensors/press-07/prediction", "sensors/press-07/reading"):
        device = Device(site, "press-07", topic=topic)
        assert device.answer == "Success"
        device.client.socket().close()  # it dies without a DISCONNECT
    assert heard_by(service, 1) == [("sensors/press-07/reading", b"gone")]
    assert heard_by(service, 1, 0.3) == []
    service.close()


def test_no_device_takes_over_the_session_of_another(site: Site) -> None:
    """With the client id of another device or of a service, it gets a separate session, or none."""
    with Device(site, "press-08", client_id="shared") as one:
        with Device(site, "press-07", client_id="shared") as other:
            one.turn(lambda: False, 0.2)
            assert one.client.is_connected()
            assert other.client.is_connected()
        one.publish("sensors/press-08/reading", b"{}")
    assert Device(site, "press-07", client_id="zelador-ingest").answer == "Client identifier not valid"


def test_a_password_takes_effect_at_once_and_ends_with_its_removal(
    site: Site, eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other devices stay connected, and lose no message."""
    monkeypatch.setattr("command.up.device_access.EVERY_S", 0.05)
    monkeypatch.setattr("command.up.device_access.BROKER_S", 0.2)
    monkeypatch.setattr("admin.access.attempts.FREE", 1_000)
    path = file_of(site.home.path)
    service = site.service("sensors/press-07/reading")
    with Device(site, "press-07") as steady:
        site.passwords["press-09"] = set_password(path, "press-09")[1]

        def comes_in() -> bool:
            site.step()
            with Device(site, "press-09") as device:
                return device.answer == "Success"

        eventually(comes_in, "the new password")
        new = Device(site, "press-09")
        steady.publish("sensors/press-07/reading", b"1")
        old = site.passwords["press-09"]
        site.passwords["press-09"] = set_password(path, "press-09")[1]

        def is_out() -> bool:
            site.step()
            return new.client.loop(0.02) != mqtt.MQTT_ERR_SUCCESS

        eventually(is_out, "the end of the connection with the old password")
        eventually(comes_in, "the second password")
        assert Device(site, "press-09", old).answer == "Not authorized"
        remove(path, "press-09")
        eventually(lambda: not comes_in(), "the end of the password")
        steady.publish("sensors/press-07/reading", b"2")
        assert steady.client.is_connected()
    assert [payload for _, payload in heard_by(service, 2)] == [b"1", b"2"]
    service.close()


def test_a_reader_reads_every_device_and_publishes_nothing(
    site: Site, eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot publish even on the topic of a device with its name, or as a will."""
    monkeypatch.setattr("command.up.device_access.EVERY_S", 0.05)
    monkeypatch.setattr("command.up.device_access.BROKER_S", 0.2)
    monkeypatch.setattr("admin.access.attempts.FREE", 1_000)
    path = file_of(site.home.path)
    site.passwords["board"] = set_password(path, "board", reader=True)[1]
    service = site.service("sensors/#")

    def comes_in() -> bool:
        site.step()
        with Device(site, "board") as device:
            return device.answer == "Success"

    eventually(comes_in, "the reader's password")
    with Device(site, "board", topic="sensors/board/reading") as board, Device(site, "press-07") as device:
        board.subscribe("sensors/+/prediction", "sensors/+/reading")
        for topic in ("sensors/board/reading", "sensors/press-07/reading", "sensors/press-07/prediction"):
            board.publish(topic, b"forged", retain=True)
        device.publish("sensors/press-07/reading", b"mine")
        service.publish([Outgoing("sensors/press-07/prediction", b"ours")])
        assert board.turn(lambda: len(board.heard) >= 2)
        board.turn(lambda: False, 0.3)
        assert sorted(board.heard) == [("sensors/press-07/prediction", b"ours"), ("sensors/press-07/reading", b"mine")]
        assert board.client.socket() is not None
        board.client.socket().close()  # now its will would be published
    heard = [payload for _, payload in heard_by(service, 3, 1.0)]
    assert sorted(heard) == [b"mine", b"ours"]
    remove(path, "board")
    eventually(lambda: not comes_in(), "the end of the password")
    service.close()


def test_a_gateway_publishes_only_for_its_devices(site: Site, eventually, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("command.up.device_access.EVERY_S", 0.05)
    monkeypatch.setattr("command.up.device_access.BROKER_S", 0.2)
    monkeypatch.setattr("admin.access.attempts.FREE", 1_000)
    path = file_of(site.home.path)
    site.passwords["hall"] = set_password(path, "hall", behind=("press-07",))[1]
    site.passwords["all"] = set_password(path, "all", behind=("*",))[1]
    service = site.service("sensors/#", "zelador/#")

    def comes_in() -> bool:
        site.step()
        with Device(site, "all") as device:
            return device.answer == "Success"

    eventually(comes_in, "the gateway's password")
    with Device(site, "hall") as hall, Device(site, "all") as every:
        hall.subscribe("sensors/press-07/prediction")
        every.subscribe("sensors/+/prediction")
        for gateway, name in ((hall, b"hall"), (every, b"all")):
            for topic in ("sensors/press-07/reading", "sensors/press-08/reading", "sensors/press-07/prediction"):
                gateway.publish(topic, name + topic[-10:].encode())
            gateway.publish("zelador/status/ingest/x", b"forged")
        service.publish([Outgoing(f"sensors/press-0{i}/prediction", b"%d" % i) for i in (7, 8)])
        assert every.turn(lambda: len(every.heard) >= 2)
        assert hall.turn(lambda: bool(hall.heard))
        assert [topic for topic, _ in hall.heard] == ["sensors/press-07/prediction"]
    heard = [(topic, payload[:3]) for topic, payload in heard_by(service, 5, 1.0) if not topic.endswith("prediction")]
    assert sorted(heard) == [
        ("sensors/press-07/reading", b"all"),
        ("sensors/press-07/reading", b"hal"),
        ("sensors/press-08/reading", b"all"),
    ]
    for name in ("hall", "all"):
        remove(path, name)
    service.close()


def test_guessing_is_slowed_and_strangers_are_bounded(site: Site) -> None:
    """An address that guesses waits longer and longer; one that only connects gets no more than its share."""
    assert site.gate.admission is not None
    attempts = site.gate.admission._attempts
    for _ in range(8):
        Device(site, "press-07", "wrong")
    assert attempts.failed(HOST) >= 0.2  # seconds, and doubling
    with contextlib.ExitStack() as stack:
        strangers = [
            stack.enter_context(socket.create_connection((HOST, site.port), timeout=5.0))
            for _ in range(MAX_STRANGERS_OF_ONE + 1)
        ]
        assert strangers[-1].recv(10) == b""
    with Device(site, "press-07") as device:
        assert device.answer == "Success"


def test_a_device_has_a_bounded_number_of_connections(site: Site, eventually) -> None:
    """The oldest connection ends; other devices are not affected."""
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(Device(site, "press-08"))
        many = [
            stack.enter_context(Device(site, "press-07", client_id=f"c{number}"))
            for number in range(MAX_OF_ONE_DEVICE + 1)
        ]
        eventually(lambda: many[0].client.loop(0.02) != mqtt.MQTT_ERR_SUCCESS, "the end of the oldest")
        assert other.turn(other.client.publish("sensors/press-08/reading", b"{}", 1).is_published)
