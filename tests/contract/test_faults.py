"""A link with a faulty network or a hostile broker: stalled, cut, invalid. No message is lost, and no call hangs."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest
import trustme

from tests.contract.conftest import Make
from tests.contract.test_link import collect, cut
from tests.scripted_broker import ScriptedBroker
from tests.wire import Wire
from zelador.errors import Unavailable
from zelador.link import Link, Message, Outgoing

GOOD = b"\x32\x07\x00\x01a\x00\x07\x00x"  # topic "a", packet id 7, no properties, payload "x"
DISCONNECT = b"\xe0\x00"


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def deliver(sender: Link, receiver: Link, payloads: list[bytes], topic: str, within_s: float = 20.0) -> list[bytes]:
    """Publishes all payloads while receiving in the same thread; returns the received ones in order."""
    publication, got = sender.publish([Outgoing(topic, payload) for payload in payloads]), list[bytes]()
    deadline = time.monotonic() + within_s
    while (len(got) < len(payloads) or publication.left) and time.monotonic() < deadline:
        sender.confirmed(publication, 0.0)
        batch = receiver.receive(500, 0.02)
        receiver.ack(batch)
        got += [message.payload for message in batch]
    assert publication.left == 0
    return got


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path, Path]:
    """A TLS server context, the CA that signed its certificate, and another CA."""
    folder, ours, another = tmp_path_factory.mktemp("tls"), trustme.CA(), trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.issue_cert("127.0.0.1").configure_cert(context)
    ours.cert_pem.write_to_path(str(folder / "ca.pem"))
    another.cert_pem.write_to_path(str(folder / "another.pem"))
    return context, folder / "ca.pem", folder / "another.pem"


def test_over_tls_every_message_arrives(make_to: Make, broker_url: str, mark: str, authority) -> None:
    context, ca_file, _ = authority
    with Wire(port_of(broker_url), context) as wire:
        mqtt = {"ca_file": ca_file}
        receiver = make_to(wire.url, f"r-{mark}", f"{mark}/+", mqtt=mqtt)
        sender = make_to(wire.url, f"s-{mark}", mqtt=mqtt)
        payloads = [b"%d" % number for number in range(3_000)] + [b"x" * 1_000_000, b"after"]
        assert deliver(sender, receiver, payloads, f"{mark}/a") == payloads
        assert (sender.reconnects, receiver.reconnects) == (0, 0)
        sender.close()
        receiver.close()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho leaves that socket to the collector
def test_an_unknown_certificate_is_refused(make_to: Make, broker_url: str, mark: str, authority) -> None:
    context, _, another = authority
    with Wire(port_of(broker_url), context) as wire, pytest.raises(Unavailable, match="no CA that this machine trusts"):
        make_to(wire.url, f"r-{mark}", patience=0.0, mqtt={"ca_file": another})


def test_while_the_kernel_accepts_no_data_we_continue_reading(make_to: Make, broker_url: str, mark: str) -> None:
    """The broker reads only after the link has read from it: otherwise both would wait forever."""
    with Wire(port_of(broker_url)) as wire:
        both = make_to(wire.url, f"b-{mark}", f"{mark}/in")
        other = make_to(broker_url, f"o-{mark}", f"{mark}/out")
        wire.stall()
        large = [Outgoing(f"{mark}/out", b"%07d" % number + b"x" * 100_000) for number in range(300)]
        publication = both.publish(large)  # 30 MB: more than all buffers of the kernel
        buffered = both._connection._buffered  # type: ignore[union-attr]
        assert buffered is not None
        assert buffered.unflushed()
        said = [Outgoing(f"{mark}/in", b"%d" % number) for number in range(100)]
        assert other.confirmed(other.publish(said), 60.0)
        heard = collect(both, 100)
        assert [message.payload for message in heard] == [message.payload for message in said]
        both.ack(heard)
        assert publication.left == len(large)
        wire.flow()
        got: list[Message] = []
        deadline = time.monotonic() + 30
        while (len(got) < len(large) or publication.left) and time.monotonic() < deadline:
            both.confirmed(publication, 0.02)
            batch = other.receive(500, 0.02)
            other.ack(batch)
            got += batch
        assert [message.payload[:7] for message in got] == [b"%07d" % number for number in range(300)]
        assert both.reconnects == 0
        both.close()


def test_a_reset_in_mid_stream_loses_nothing(make_to: Make, broker_url: str, mark: str) -> None:
    with Wire(port_of(broker_url)) as wire:
        receiver = make_to(broker_url, f"r-{mark}", f"{mark}/+")
        sender = make_to(wire.url, f"s-{mark}")
        got: set[bytes] = set()
        for lot in range(4):
            publication = sender.publish([Outgoing(f"{mark}/a", b"%d" % (lot * 500 + n)) for n in range(500)])
            if lot < 3:
                wire.cut()
            deadline = time.monotonic() + 10
            while (len(got) < lot * 500 + 500 or publication.left) and time.monotonic() < deadline:
                sender.confirmed(publication, 0.01)
                batch = receiver.receive(100, 0.01)
                receiver.ack(batch)
                got |= {message.payload for message in batch}
            while not (sender.reconnects == min(lot + 1, 3) and sender.connected) and time.monotonic() < deadline:
                sender.rest(0.01)  # wait for the reconnect, or the next cut would hit nothing
            assert publication.left == 0
        assert got == {b"%d" % n for n in range(2_000)}
        assert sender.reconnects == 3
        sender.close()


def test_a_session_survives_its_keepalive(make: Make, mark: str) -> None:
    """paho does not see packets that the lane takes out of the stream, but must not take the broker for dead.

    Brokers count 1.5 keepalives in whole seconds: 4 s leave a ping 1 s for a machine that stalls, 1 s would leave none.
    """
    keepalive_s, got, sent = 4, 0, 0
    quick = {"keepalive_s": keepalive_s}
    receiver, sender = make(f"r-{mark}", f"{mark}/+", mqtt=quick), make(f"s-{mark}", mqtt=quick)
    idle_receiver, idle_sender = make(f"ir-{mark}", f"{mark}/idle/+", mqtt=quick), make(f"is-{mark}", mqtt=quick)
    until = time.monotonic() + 2.3 * keepalive_s  # a ping, and the time for its answer
    while time.monotonic() < until:
        assert sender.confirmed(sender.publish([Outgoing(f"{mark}/a", b"x")]), 60.0)
        sent += 1
        batch = receiver.receive(100, 0.01)
        receiver.ack(batch)
        got += len(batch)
        assert idle_receiver.receive(100, 0.01) == []
        for link in (sender, idle_sender):
            link.keep_alive()
    got += len(collect(receiver, sent - got, 5.0))
    assert got == sent
    assert [link.reconnects for link in (sender, receiver, idle_sender, idle_receiver)] == [0] * 4


LIES = {
    "a topic longer than its packet": b"\x32\x06\x00\xffa\x00\x01\x00",
    "a packet without a topic": b"\x32\x01\x00",
    "a length of five bytes": b"\x32\xff\xff\xff\xff\x01",
    "a broker that says goodbye": DISCONNECT,
    "a broker that hangs up": None,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_broker_that_breaks_the_protocol_is_disconnected_and_tried_again(make_to: Make, lie: bytes | None) -> None:
    with ScriptedBroker((GOOD, lambda puback: lie and lie + GOOD), (GOOD, lambda _: b"")) as broker:
        receiver = make_to(broker.url, "one", "a")
        got = collect(receiver, 1)
        assert [(message.topic, message.payload, message.packet_id) for message in got] == [("a", b"x", 7)]
        receiver.ack(got)
        deadline = time.monotonic() + 10
        while receiver.reconnects == 0 and time.monotonic() < deadline:
            receiver.receive(10, 0.05)
        assert receiver.reconnects == 1
        again = collect(receiver, 1)
        assert [message.epoch for message in again] == [2]
        receiver.ack([*got, *again])
        assert receiver.stale_acks == 1


def test_a_packet_that_never_ends_is_given_up(make_to: Make) -> None:
    """A header announces 200 MB that never arrive: the keepalive closes the connection."""
    promise = b"\x32\xff\xff\xff\x5f" + b"\x00\x01a\x00\x01\x00" + b"x" * 10_000
    with ScriptedBroker((promise, None), (GOOD, None)) as broker:
        receiver = make_to(broker.url, "one", "a", mqtt={"keepalive_s": 1})
        assert [message.payload for message in collect(receiver, 1, 15.0)] == [b"x"]
        assert receiver.reconnects == 1


def test_bytes_that_are_not_mqtt_give_one_clear_sentence(make_to: Make) -> None:
    with (
        ScriptedBroker((b"", None), connack=b"HTTP/1.1 400 Bad Request\r\n\r\n") as broker,
        pytest.raises(Unavailable, match="is it an MQTT broker"),
    ):
        make_to(broker.url, "one", patience=0.0, mqtt={"connect_timeout_s": 1.0})


def test_unexpected_confirmations_are_ignored(make_to: Make) -> None:
    with ScriptedBroker((b"\x40\x02\xff\xff\x40\x02\x00\x63" + GOOD, None)) as broker:
        receiver = make_to(broker.url, "one", "a")
        assert len(collect(receiver, 1)) == 1
        assert receiver.reconnects == 0


@pytest.mark.parametrize(
    "properties",
    [
        b"\x0b\x26\x00\x03\xef\xbb\xbf\x00\x03\xef\xbb\xbf",  # U+FEFF in a user property, which MQTT allows
        b"\x06\x08\x00\x03a/#",  # a response topic with a wildcard
        b"\x08\x08\x00\x01a\x08\x00\x01b",  # two response topics
        b"\x05\x08\x00\x02\xff\xfe",  # a response topic that is not UTF-8
        b"\x02\x7f\x00",  # an unknown property
        b"\x0a\x09\x00\x40",  # properties that are longer than the packet
    ],
)
def test_a_message_with_odd_properties_is_received_and_acknowledged(
    make_to: Make, eventually, properties: bytes
) -> None:
    """Otherwise the broker would send it again on each new connection, and nothing behind it would arrive."""
    body = b"\x00\x01a\x00\x07" + properties + b"x"
    with ScriptedBroker((b"\x32" + bytes([len(body)]) + body + GOOD, lambda packet: b"")) as broker:
        receiver = make_to(broker.url, "one", "a")
        got = collect(receiver, 2)
        assert [message.topic for message in got] == ["a", "a"]
        assert got[0].payload.endswith(b"x")
        receiver.ack(got)
        receiver.close()
        eventually(lambda: broker.got[0][-1][0] == 0xE0, "the goodbye")
        assert b"\x40\x02\x00\x07" in [packet[:4] for packet in broker.got[0]]
        assert receiver.reconnects == 0


def test_a_stream_of_single_bytes_is_read_correctly(make_to: Make) -> None:
    with ScriptedBroker((b"", lambda packet: b"")) as broker:
        receiver = make_to(broker.url, "one", "a")
        (sock,), got = broker._open, list[Message]()
        for byte in GOOD * 3:
            sock.sendall(bytes([byte]))
            got += receiver.receive(10, 0.02)
        assert [message.payload for message in got + collect(receiver, 3 - len(got))] == [b"x"] * 3


def test_without_our_socket_paho_works_alone(make: Make, mark: str, monkeypatch, caplog) -> None:
    """If paho creates its socket in another way, the link is slower, logs this, and works correctly."""
    import paho.mqtt.client as mqtt

    from zelador.link.client import Client

    monkeypatch.setattr(Client, "_create_socket", mqtt.Client._create_socket)
    receiver, sender = make(f"r-{mark}", f"{mark}/+", persistent=True), make(f"s-{mark}")
    assert "does not use the buffered socket" in caplog.text
    payloads = [b"%d" % number for number in range(300)]
    assert deliver(sender, receiver, payloads, f"{mark}/a") == payloads
    cut(receiver)  # a very recent acknowledgement may be lost: a busy broker has not read it yet
    got: list[bytes] = []
    deadline = time.monotonic() + 20
    assert sender.confirmed(sender.publish([Outgoing(f"{mark}/a", b"again")]), 60.0)
    while b"again" not in got and time.monotonic() < deadline:
        batch = receiver.receive(500, 0.02)
        receiver.ack(batch)
        got += [message.payload for message in batch]
    assert got[-1:] == [b"again"]
    assert set(got[:-1]) <= set(payloads)


@pytest.mark.parametrize(
    "granted", [b"\x05\x11\x00\x00\x00\x00", b"\x05\x12\x00\x02ab"], ids=["expires at once", "another client id"]
)
def test_a_broker_that_keeps_no_session_for_us_is_refused(make_to: Make, granted: bytes) -> None:
    """With Session Expiry Interval 0 or an Assigned Client Identifier, messages queued while we are away are lost."""
    connack = bytes((0x20, 2 + len(granted), 0, 0)) + granted
    with ScriptedBroker((b"", None), connack=connack) as broker:
        with pytest.raises(Unavailable, match="keeps no session for one"):
            make_to(broker.url, "one", "a", persistent=True, patience=0.0)
        make_to(broker.url, "two", "a").close()  # a client that needs no session may continue


def test_a_session_that_the_broker_forgot_is_reported_and_counted(make_to: Make, caplog) -> None:
    with ScriptedBroker((GOOD, lambda _: None), (GOOD, lambda _: b"")) as broker:
        receiver = make_to(broker.url, "one", "a", persistent=True)
        assert receiver.sessions_lost == 0
        receiver.ack(collect(receiver, 1))
        deadline = time.monotonic() + 10
        while receiver.reconnects == 0 and time.monotonic() < deadline:
            receiver.receive(10, 0.05)
        assert collect(receiver, 1)
        assert receiver.sessions_lost == 1
        assert "the broker no longer has the session of one: the messages that it held are lost" in caplog.text
