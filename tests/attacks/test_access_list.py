"""The access list that Compose ships, on a real Mosquitto: a device can only publish and read its own topics."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from command.up.ports import HOST, choose
from tests.servers import found_or_skip, run_process
from zelador.errors import Unavailable
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import MqttSettings

SHIPPED = Path(__file__).parents[2] / "deploy/mosquitto"
NOT_AUTHORIZED = 0x87


@dataclass
class Broker:
    port: int
    inner: int  # a second listener: for services, where ids follow user names on the first
    folder: Path
    pid: int

    def add_device(self, *arguments: str) -> str:
        """The output of the shipped script."""
        variables = {
            "MOSQUITTO_DEVICES": str(self.folder / "devices"),
            "MOSQUITTO_PASSWORDS": str(self.folder / "passwords"),
            "MOSQUITTO_PID": str(self.pid),
        }
        command = ["sh", str(SHIPPED / "add-device.sh"), *arguments]
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(done.stderr)
        return done.stdout

    def password(self, name: str) -> str:
        return re.search(r"password ([0-9a-f]{48}) ", self.add_device(name))[1]  # type: ignore[index]


@contextlib.contextmanager
def shipped(folder: Path, after_listener: str = "", profiles: bool = False) -> Iterator[Broker]:
    """The shipped mosquitto.conf and access.acl, on free ports and in a folder of the test."""
    program = found_or_skip("mosquitto")
    ports = choose(["mqtt", "inner"], {}, {})
    passwords = folder / "passwords"
    passwords.write_text("zelador:service\ndevice:shared\n")
    passwords.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
    config = (SHIPPED / "mosquitto.conf").read_text()
    access = SHIPPED / "access.acl"
    if profiles:  # the lines for device profiles are in use
        lines = re.sub(r"^#(topic|pattern) ", r"\1 ", access.read_text(), flags=re.MULTILINE)
        access = folder / "access.acl"
        access.write_text(lines)
        access.chmod(0o600)
    for what, by in (
        ("listener 1883", f"listener {ports['mqtt']} {HOST}\n{after_listener}\nlistener {ports['inner']} {HOST}"),
        ("/tmp/passwords", str(passwords)),
        ("/zelador/access.acl", str(access)),
        ("/mosquitto/data/", f"{folder}/"),
    ):
        assert what in config
        config = config.replace(what, by)
    path = folder / "mosquitto.conf"
    path.write_text(f"user {os.environ.get('USER', 'root')}\n{config}")
    with run_process((program, "-c", str(path)), ports["mqtt"]) as process:
        yield Broker(ports["mqtt"], ports["inner"], folder, process.pid)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with shipped(tmp_path_factory.mktemp("shipped")) as running:
        yield running


class Client:
    """A paho client, as a stranger would use it."""

    def __init__(self, port: int, user: str | None, password: str = "", client_id: str = "", will: str = "") -> None:
        self.reasons: dict[int, int] = {}
        self.got: list[str] = []
        self.connected: int | None = None
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
        if user is not None:
            self.client.username_pw_set(user, password)
        if will:
            self.client.will_set(will, b"will", 1)
        self.client.on_connect = lambda _c, _d, _f, reason, _p: setattr(self, "connected", reason.value)
        self.client.on_publish = lambda _c, _d, mid, reason, _p: self.reasons.update({mid: reason.value})
        self.client.on_message = lambda _c, _d, message: self.got.append(message.topic)
        self.client.connect(HOST, port)
        self.until(lambda: self.connected is not None)

    def until(self, condition: Callable[[], object], within_s: float = 5.0) -> bool:
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.client.loop(0.02)
        return True

    def publish(self, topic: str) -> int:
        mid = self.client.publish(topic, b"{}", 1).mid
        assert self.until(lambda: mid in self.reasons)
        return self.reasons[mid]

    def subscribe(self, *filters: str) -> None:
        for topic in filters:
            self.client.subscribe(topic, 1)
        self.until(lambda: False, 0.1)


def service(port: int, client_id: str, *filters: str) -> Link:
    settings = MqttSettings(url=f"mqtt://{HOST}:{port}", username="zelador", password="service")
    link = Link(settings, LinkOptions(client_id, filters, persistent=bool(filters)), Event())
    link.open(60.0)
    return link


@pytest.fixture
def pair(broker: Broker) -> tuple[Client, Client]:
    return tuple(Client(broker.port, name, broker.password(name)) for name in ("dev-a", "dev-b"))  # type: ignore[return-value]


def test_a_device_publishes_only_its_own_readings(broker: Broker, pair: tuple[Client, Client]) -> None:
    device, _ = pair
    assert device.publish("sensors/dev-a/reading") in (0, 0x10)
    assert device.publish("sensors/dev-a/label") in (0, 0x10)
    for topic in (
        *("sensors/dev-b/label", "sensors/dev-a/label/x"),
        *("sensors/dev-b/reading", "sensors/dev-a/prediction", "sensors/dev-b/prediction", "sensors/dev-a/state"),
        *("sensors/dev-a/answers", "zelador/status/ingest/zelador-ingest", "zelador/doctor/x", "factory/plc/7/set"),
        *("sensors/dev-a/reading/x", "sensors//reading", "sensors/dev-A/reading", "$SYS/broker/version"),
    ):
        assert device.publish(topic) in (NOT_AUTHORIZED, 0x10 if topic.startswith("$") else NOT_AUTHORIZED), topic


def test_a_device_reads_only_topics_about_itself(broker: Broker, pair: tuple[Client, Client]) -> None:
    """This also holds for a wildcard and for a shared subscription."""
    device, _ = pair
    device.subscribe("#", "sensors/#", "$share/g/sensors/+/reading", "zelador/status/#", "$SYS/#")
    ours = service(broker.port, "publisher")
    topics = [f"sensors/{name}/{what}" for name in ("dev-a", "dev-b") for what in ("prediction", "answers", "reading")]
    published = ours.publish([Outgoing(topic, b"{}") for topic in [*topics, "zelador/status/ingest/x"]])
    assert ours.confirmed(published, 60.0)
    assert not published.refused
    device.until(lambda: False, 0.3)
    assert {topic for topic in device.got if not topic.startswith("sensors/dev-a/")} == set()
    assert "sensors/dev-a/prediction" in device.got
    ours.close()


def test_a_will_cannot_bypass_the_access_list(broker: Broker) -> None:
    listener = service(broker.port, "listener", "sensors/+/reading")
    will = Client(broker.port, "dev-w", broker.password("dev-w"), will="sensors/dev-b/reading")
    will.client.socket().close()  # type: ignore[union-attr]
    mine = Client(broker.port, "dev-v", broker.password("dev-v"), will="sensors/dev-v/reading")
    mine.client.socket().close()  # type: ignore[union-attr]
    assert [message.topic for message in listener.receive(10, 3.0)] == ["sensors/dev-v/reading"]
    listener.close()


def test_the_shared_user_publishes_readings_for_all_and_predictions_for_none(broker: Broker) -> None:
    gateway = Client(broker.port, "device", "shared")
    assert gateway.publish("sensors/anyone/reading") in (0, 0x10)
    assert gateway.publish("sensors/anyone/prediction") == NOT_AUTHORIZED
    assert gateway.publish("zelador/status/ingest/zelador-ingest") == NOT_AUTHORIZED


def test_devices_are_added_and_removed_without_a_restart(broker: Broker, eventually: Callable[..., None]) -> None:
    def connects(password: str) -> bool:
        return Client(broker.port, "dev-c", password).connected == 0

    first = broker.password("dev-c")
    eventually(lambda: connects(first), "the new device to be let in")
    second = broker.password("dev-c")
    eventually(lambda: connects(second), "its new password to be known")
    assert not connects(first)
    broker.add_device("--remove", "dev-c")
    eventually(lambda: not connects(second), "the removed device to be kept out")
    assert Client(broker.port, None).connected != 0
    assert Client(broker.port, "zelador", "wrong").connected != 0
    kept = (broker.folder / "devices").read_text()
    assert "dev-c" not in kept
    assert first not in kept


@pytest.mark.parametrize("name", ["", "zelador", "device", "+", "#", "a/b", "a b", "-x", "a:b", "a\nb", "x" * 65, "é"])
def test_a_name_that_would_match_other_topics_is_refused(broker: Broker, name: str) -> None:
    with pytest.raises(ValueError, match=r"usage|reserved user|at most"):
        broker.add_device(name)


def test_what_an_access_list_cannot_do(broker: Broker) -> None:
    """Mosquitto gives a session to any user who knows its client id, so the id must be secret."""
    ours = service(broker.port, "known-id", "sensors/+/reading")
    device = Client(broker.port, "dev-t", broker.password("dev-t"), client_id="known-id")
    ours.rest(0.3)
    assert (device.connected, ours.reconnects) == (0, 1)
    ours.close()


def test_a_listener_whose_ids_are_user_names_binds_them(tmp_path: Path) -> None:
    """If services have a separate listener, a device's client id is always its user name."""
    with shipped(tmp_path, "use_username_as_clientid true") as broker:
        ours = service(broker.inner, "known-id", "sensors/+/reading")
        device = Client(broker.port, "dev-t", broker.password("dev-t"), client_id="known-id")
        assert device.connected == 0
        assert device.publish("sensors/dev-t/reading") == 0
        assert [message.topic for message in ours.receive(10, 3.0)] == ["sensors/dev-t/reading"]
        assert ours.reconnects == 0
        ours.close()


def test_our_own_user_may_do_everything_that_zelador_needs(broker: Broker) -> None:
    with pytest.raises(Unavailable, match="refused"):
        wrong = MqttSettings(url=f"mqtt://{HOST}:{broker.port}", username="zelador", password="wrong")
        Link(wrong, LinkOptions("x"), Event()).open(0.0)
    ours = service(broker.port, "zelador-all", "sensors/+/reading", "sensors/+/prediction")
    topics = ["sensors/x/prediction", "sensors/x/answers/1", "zelador/status/inference/a", "zelador/doctor/1"]
    published = ours.publish([Outgoing(topic, b"[]") for topic in topics])
    assert ours.confirmed(published, 60.0)
    assert not published.refused
    ours.close()


def test_with_device_profiles_a_device_still_publishes_only_as_itself(tmp_path: Path) -> None:
    with shipped(tmp_path, profiles=True) as broker:
        device = Client(broker.port, "dev-a", broker.password("dev-a"))
        for topic in ("tele/dev-a/SENSOR", "dev-a/sensor/temperature/state", "sensors/dev-a/reading"):
            assert device.publish(topic) in (0, 0x10), topic
        for topic in (
            *("tele/dev-b/SENSOR", "dev-b/sensor/temperature/state", "zigbee2mqtt/dev-a", "rtl_433/dev-a/events"),
            *("tele/dev-a/STATE", "dev-a/sensor/state", "sensors/dev-b/reading"),
        ):
            assert device.publish(topic) == NOT_AUTHORIZED, topic
        link = service(broker.inner, "zelador-ingest", "tele/+/SENSOR", "+/sensor/+/state", "zigbee2mqtt/+")
        assert device.publish("tele/dev-a/SENSOR") == 0
        assert [each.topic for each in link.receive(10, 5.0)] == ["tele/dev-a/SENSOR"]
        link.close()
