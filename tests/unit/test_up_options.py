"""Options of `zelador up` that cannot be used are named, and a password on the command line is refused."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Event

import pytest

from command.up.listen import Listen, listen_port, listening
from command.up.own_servers import chosen
from zelador.errors import InvalidInput, Unavailable
from zelador.settings import load_settings


@pytest.mark.parametrize(
    ("listen", "cert", "key", "reason"),
    [
        ("nowhere.example", None, None, "--listen nowhere.example: use an address"),
        ("0.0.0.0:1883", None, None, "use an address"),
        ("", None, None, "use an address"),
        (None, "x.pem", None, "--tls-key is missing"),
        ("::", None, "x.pem", "--tls-cert is missing"),
        (None, "x.pem", "y.pem", "--tls-cert needs --listen"),
    ],
)
def test_what_cannot_be_listened_on_is_said(listen: str | None, cert: str | None, key: str | None, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        listening(listen, cert and Path(cert), key and Path(key))


def test_a_certificate_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"--tls-cert .*no.pem: No such file"):
        Listen("127.0.0.1", tmp_path / "no.pem", tmp_path / "no.pem").context()
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    with pytest.raises(InvalidInput, match="must be PEM files"):
        Listen("127.0.0.1", junk, junk).context()


def test_the_port_is_the_requested_one_the_one_before_or_1883(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a taken one is named: devices do not look for another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} on 127.0.0.1 is in use.*--mqtt-port"):
            listen_port(Listen("127.0.0.1"), port, {})
        with pytest.raises(Unavailable, match=f"port {port} on 127.0.0.1 is in use"):
            listen_port(Listen("127.0.0.1"), None, {"listen_port": port, "mqtt": 4})
    assert listen_port(Listen("127.0.0.1"), None, {"listen_port": port}) == port
    with pytest.raises(Unavailable, match="this machine has no such address"):
        listen_port(Listen("192.0.2.77"), port, {})
    assert (
        listen_port(Listen("127.9.8.7"), None, {"mqtt": 40_000}) == 1883
    )  # a port of the loopback is none for devices


@pytest.mark.parametrize(
    ("broker", "redis", "reason"),
    [
        ("mqtt://u:secret@host", None, "--broker: every user of this machine can see a password"),
        (None, "redis://:secret@host", "--redis: every user of this machine can see a password"),
        ("http://host", None, "--broker http://host: must look like mqtt://"),
        ("mqtt://host:99999", None, "--broker mqtt://host:99999: must look like"),
        (None, "host:6379", "--redis host:6379: must look like redis://"),
    ],
)
def test_an_address_that_cannot_be_used_names_its_option(broker: str | None, redis: str | None, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        chosen(load_settings(), broker, redis)
    assert "secret" not in str(refused.value)


def test_a_set_address_is_used_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option counts before a variable, and a default counts for nothing."""
    settings, own = chosen(load_settings(), None, None)
    assert (own.broker, own.redis) == (None, None)
    monkeypatch.setenv("ZELADOR_MQTT__URL", "mqtt://127.0.0.1:1")
    monkeypatch.setenv("ZELADOR_MQTT__PASSWORD", "secret")
    settings, own = chosen(load_settings(), None, "redis://127.0.0.1:1/3")
    assert (own.broker, own.redis) == ("ZELADOR_MQTT__URL", "--redis")
    assert settings.redis.url == "redis://127.0.0.1:1/3"
    assert own.remembered(settings)["mqtt"] == {"url": "mqtt://127.0.0.1:1", "password": "secret"}
    quick = settings.model_copy(update={"mqtt": settings.mqtt.model_copy(update={"start_patience_s": 0.01})})
    with pytest.raises(Unavailable, match=r"ZELADOR_MQTT__URL: no MQTT broker answers at mqtt://127.0.0.1:1"):
        own.check(quick, Event())
