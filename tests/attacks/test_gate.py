"""Devices connect through the gate: none can take a service's session, or crash the wheel's broker."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from command.up.client_ids import ReservedIds
from command.up.gate import Gate
from command.up.ports import HOST, choose
from command.up.servers import broker_server
from tests.servers import found_or_skip, run_process
from tests.unit.test_gate import EMOJI, KILLERS, packet, text
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import MqttSettings, Settings

ACCEPTED_5, ACCEPTED_3 = b"\x20", b"\x20\x02\x00\x00"


@contextlib.contextmanager
def door(folder: Path, kind: str) -> Iterator[tuple[int, str]]:
    """A broker behind a gate: the gate's port, and the broker's own address, which services use."""
    ports = choose(["door", "v5", "v4"], {}, {})
    server = broker_server(folder, ports["v5"], ports["v4"], kind)
    gate = Gate(ports["door"], ports["v5"], ports["v4"], ReservedIds(Settings()), fragile=kind == "iotcore")
    with run_process(server.command, ports["v5"]):
        gate.open()
        gate.admit(True)
        try:
            yield ports["door"], f"mqtt://{HOST}:{ports['v5']}"
        finally:
            gate.close()


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    found_or_skip("mosquitto")
    with door(tmp_path_factory.mktemp("mosquitto"), "mosquitto") as opened:
        yield opened


@pytest.fixture(scope="module")
def iotcore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    with door(tmp_path_factory.mktemp("iotcore"), "iotcore") as opened:
        yield opened


def connect(client_id: bytes, level: int = 5, will: bytes | None = None, clean: bool = True) -> bytes:
    flags = (2 if clean else 0) | (0x0C if will is not None else 0)
    body = text(b"MQTT") + bytes([level, flags]) + b"\x00\x3c" + (b"\x00" if level == 5 else b"") + text(client_id)
    if will is not None:
        body += (b"\x00" if level == 5 else b"") + text(will) + text(b"x")
    return packet(0x10, body)


def said(port: int, *packets: bytes) -> bytes:
    """The reply to a device that sends these bytes and waits; b"" if the connection is closed without a reply."""
    with socket.create_connection((HOST, port), timeout=5.0) as sock:
        heard = b""
        with contextlib.suppress(OSError):
            for each in packets:
                sock.sendall(each)
                heard += sock.recv(1_000)
        return heard


@pytest.mark.parametrize("client_id", [b"zelador-ingest", b"zelador-ingest-2", b"zelador-inference-1"])
def test_a_services_session_is_not_taken_over(mosquitto: tuple[int, str], client_id: bytes) -> None:
    """A client with the ingester's client id and a clean start would destroy the messages that wait for it."""
    port, url = mosquitto
    service = Link(
        MqttSettings(url=url), LinkOptions(client_id.decode(), ("sensors/+/reading",), persistent=True), Event()
    )
    service.open(60.0)
    assert said(port, connect(client_id)) == b"\x20\x03\x00\x85\x00"
    assert said(port, connect(client_id, 4)) == b"\x20\x02\x00\x02"
    service.rest(0.1)
    assert service.reconnects == 0
    service.close()


@pytest.mark.parametrize(
    "client_id", [b"", b"press-07", b"zelador-watch-1a", b"zelador-simulate-x", b"zelador-doctor-1"]
)
@pytest.mark.parametrize("level", [4, 5])
def test_other_clients_connect(mosquitto: tuple[int, str], client_id: bytes, level: int) -> None:
    assert said(mosquitto[0], connect(client_id, level)).startswith(ACCEPTED_5 if level == 5 else ACCEPTED_3)


def alive(url: str) -> bool:
    probe = Link(MqttSettings(url=url), LinkOptions("probe"), Event())
    probe.open(2.0)
    answered = probe.confirmed(probe.publish([Outgoing("probe", b"")]), 3.0)
    probe.close()
    return answered


def test_rumqttd_survives_every_device(iotcore: tuple[int, str], eventually: Callable[..., None]) -> None:
    """A publish to a topic that begins with an emoji must not end the router, and all connections with it."""
    port, url = iotcore
    service = Link(MqttSettings(url=url), LinkOptions("service", ("sensors/+/reading",)), Event())
    service.open(60.0)
    for killer in KILLERS.values():
        assert said(port, connect(b"evil"), killer)[:1] == ACCEPTED_5
        assert said(port, connect(b"evil") + killer) in (b"", said(port, connect(b"good")))
    for level in (4, 5):
        assert said(port, connect(b"evil", level, will=EMOJI)) == b""
        assert said(port, connect(b"fine", level, will="a/é".encode()))
    assert alive(url)
    good = packet(0x32, text("sensors/é/reading".encode()) + b"\x00\x01\x00{}")
    assert said(port, connect(b"good"), good).endswith(b"\x40\x02\x00\x01")
    assert [message.topic for message in service.receive(10, 3.0)] == ["sensors/é/reading"]
    assert service.reconnects == 0
    service.close()


def test_a_device_that_leaves_before_its_answer_disconnects_nobody_else(iotcore: tuple[int, str]) -> None:
    """When rumqttd could not write a CONNACK, its listener ended as soon as the same client id reconnected."""
    port, url = iotcore
    for attempt in range(60):
        with socket.create_connection((HOST, port), timeout=5.0) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(connect(b"flaky"))
            time.sleep(attempt % 3 * 0.0005)
    assert alive(url)


@pytest.mark.parametrize("client_id", [b"+/#", b"a/b", b"$a"])
def test_a_client_id_that_rumqttd_refuses_is_refused_by_the_gate(iotcore: tuple[int, str], client_id: bytes) -> None:
    port, url = iotcore
    for _ in range(3):
        assert said(port, connect(client_id)) == b"\x20\x03\x00\x85\x00"
        assert said(port, connect(client_id, 4)) == b"\x20\x02\x00\x02"
    assert alive(url)
