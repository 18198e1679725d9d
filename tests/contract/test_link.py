"""The link's guarantees on real brokers: no acknowledgement on a wrong connection, no publication lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import pytest

from tests.contract.conftest import Make
from zelador.errors import Unavailable
from zelador.link import Link, LinkOptions, Message, Outgoing
from zelador.settings import MqttSettings


def collect(link: Link, count: int, within_s: float = 10.0) -> list[Message]:
    got: list[Message] = []
    deadline = time.monotonic() + within_s
    while len(got) < count and time.monotonic() < deadline:
        got += link.receive(500, 0.2)
    return got


def cut(link: Link) -> None:
    """Loses the connection without a DISCONNECT, as when a cable is pulled."""
    connection = link._connection
    assert connection is not None
    connection._lose("cut by the test")
    link.keep_alive()


def test_messages_arrive_in_order_and_are_confirmed(make: Make, mark: str) -> None:
    receiver, sender = make(f"r-{mark}", f"{mark}/+"), make(f"s-{mark}")
    publication = sender.publish([Outgoing(f"{mark}/a", b"%d" % i) for i in range(3_000)])
    got: list[Message] = []
    deadline = time.monotonic() + 15
    while len(got) < 3_000 and time.monotonic() < deadline:
        sender.confirmed(publication, 0.0)
        batch = receiver.receive(500, 0.05)
        receiver.ack(batch)
        got += batch
    assert [int(message.payload) for message in got] == list(range(3_000))
    assert sender.confirmed(publication, 60.0)
    assert publication.refused == {}


def test_unacknowledged_messages_come_again_after_a_reconnect(make: Make, mark: str) -> None:
    receiver, sender = make(f"r-{mark}", f"{mark}/+", persistent=True), make(f"s-{mark}")
    assert sender.confirmed(sender.publish([Outgoing(f"{mark}/a", b"%d" % i) for i in range(5)]), 60.0)
    first = collect(receiver, 5)
    receiver.ack(first[:2])
    cut(receiver)
    again = collect(receiver, 3)
    assert [message.payload for message in again] == [b"2", b"3", b"4"]


def test_a_late_acknowledgement_for_an_old_connection_is_dropped(make: Make, mark: str) -> None:
    """Packet ids start over on a new connection: a late acknowledgement there would be for another message."""
    receiver, sender = make(f"r-{mark}", f"{mark}/+", persistent=True), make(f"s-{mark}")
    sender.confirmed(sender.publish([Outgoing(f"{mark}/a", b"old")]), 60.0)
    (old,) = collect(receiver, 1)
    cut(receiver)
    again = collect(receiver, 1)
    assert [message.payload for message in again] == [b"old"]
    receiver.ack([old])
    assert receiver.stale_acks == 1
    cut(receiver)
    assert [message.payload for message in collect(receiver, 1)] == [b"old"]


def test_unconfirmed_messages_are_published_again_after_a_reconnect(make: Make, mark: str) -> None:
    receiver, sender = make(f"r-{mark}", f"{mark}/+"), make(f"s-{mark}")
    connection = sender._connection
    assert connection is not None
    connection.turn = lambda wait: None  # type: ignore[method-assign]  # sent, but never flushed
    publication = sender.publish([Outgoing(f"{mark}/a", b"%d" % i) for i in range(10)])
    assert not sender.confirmed(publication, 0.2)
    del connection.turn  # type: ignore[method-assign]
    connection._drop()
    assert sender.confirmed(publication, 60.0)
    assert sorted({int(message.payload) for message in collect(receiver, 10)}) == list(range(10))
    assert sender.reconnects == 1


def test_a_large_message_passes(make: Make, mark: str) -> None:
    receiver, sender = make(f"r-{mark}", f"{mark}/+"), make(f"s-{mark}")
    sender.publish([Outgoing(f"{mark}/a", b"x" * 2_000_000), Outgoing(f"{mark}/a", b"after")])
    got: list[Message] = []
    deadline = time.monotonic() + 10
    while len(got) < 2 and time.monotonic() < deadline:
        sender.keep_alive()
        batch = receiver.receive(10, 0.05)
        receiver.ack(batch)
        got += batch
    assert [len(message.payload) for message in got] == [2_000_000, 5]


def test_birth_and_will(make: Make, mark: str) -> None:
    watcher = make(f"w-{mark}", f"{mark}/status/+")
    topic = f"{mark}/status/x"
    service = make(f"s-{mark}", birth=Outgoing(topic, b"online", True), will=Outgoing(topic, b"offline", True))
    service.keep_alive()
    (born,) = collect(watcher, 1)
    assert born.payload == b"online"
    cut(service)
    assert b"offline" in [message.payload for message in collect(watcher, 1)]


def test_a_missing_broker_gives_one_clear_sentence(mark: str) -> None:
    link = Link(MqttSettings(url="mqtt://127.0.0.1:1", connect_timeout_s=1.0), LinkOptions(mark), Event())
    with pytest.raises(Unavailable, match=r"no MQTT broker answers at mqtt://127.0.0.1:1 .* ZELADOR_MQTT__URL"):
        link.open(0.0)


def test_a_password_never_shows(mark: str) -> None:
    link = Link(MqttSettings(url="mqtt://u:secret@127.0.0.1:1", connect_timeout_s=1.0), LinkOptions(mark), Event())
    with pytest.raises(Unavailable) as error:
        link.open(0.0)
    assert "secret" not in str(error.value)


def test_the_brokers_statistics_are_read_but_not_required(
    make: Make, broker_url: str, mosquitto_url: str, mark: str, eventually: Callable[..., None]
) -> None:
    """Mosquitto publishes its version; iotcore disconnects once on the subscription, and the link works without it."""
    link = make(f"i-{mark}", f"{mark}/+", persistent=True, optional=("$SYS/broker/version",))
    device, got = make(f"d-{mark}"), list[Message]()

    def all_came() -> bool:
        batch = link.receive(100, 0.05)
        link.ack(batch)
        got.extend(batch)
        said = [message for message in got if message.topic == "$SYS/broker/version"]
        readings = [message.payload for message in got if message.topic == f"{mark}/a"]
        return b"reading" in readings and (bool(said) or broker_url != mosquitto_url)

    publication = device.publish([Outgoing(f"{mark}/a", b"reading")])
    eventually(all_came, "the reading, and what the broker says")
    assert device.confirmed(publication, 60.0)
    assert link.reconnects == (0 if broker_url == mosquitto_url else 1)
    assert link.sessions_lost == 0
