"""A connection that fails because of a certificate says so, and names the setting that fixes it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from command.api_client import Api
from command.doctor.broker import unreachable
from command.doctor.mqtt import Session
from zelador.buffer import connect_redis
from zelador.buffer.connection import RedisConnection
from zelador.errors import InvalidInput, Unavailable
from zelador.link import Link, LinkOptions
from zelador.settings import MqttSettings, RedisSettings

# paho leaves the socket of a failed handshake to the interpreter, which closes it at once and warns.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture(scope="module")
def port(certificate: tuple[Path, Path]) -> Iterator[int]:
    """A server that only shakes hands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            plain.settimeout(2.0)
            with plain, contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as secured:
                secured.recv(10)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def by_mqtt(port: int, host: str = "localhost", **settings: object) -> str:
    mqtt = MqttSettings(url=f"mqtts://{host}:{port}", connect_timeout_s=2.0, **settings)
    link = Link(mqtt, LinkOptions("x"), Event())
    with pytest.raises(Unavailable) as refused:
        link.open(0.0)
    return str(refused.value)


def by_redis(port: int, host: str = "localhost", **settings: object) -> str:
    redis = RedisSettings(url=f"rediss://{host}:{port}/0", timeout_s=2.0, **settings)
    with pytest.raises(Unavailable) as refused:
        RedisConnection(redis, Event()).open(0.0)
    return str(refused.value)


def test_an_untrusted_ca_is_reported(port: int) -> None:
    """The server answers, so `start it` would be the wrong advice."""
    why = "no CA that this machine trusts has signed its certificate; set {} to the file of its CA"
    assert by_mqtt(port).endswith(why.format("ZELADOR_MQTT__CA_FILE"))
    assert by_redis(port).endswith(why.format("ZELADOR_REDIS__CA_FILE"))
    with pytest.raises(Unavailable, match=r"has signed its certificate; set ZELADOR_REMOTE__CA_FILE"):
        Api(f"https://localhost:{port}", "key").call("GET", "/")
    with pytest.raises(Unavailable) as refused:
        Session(MqttSettings(url=f"mqtts://localhost:{port}"), "x", 2.0)
    finding = unreachable("x", str(refused.value))
    assert finding.fix == "set ZELADOR_MQTT__CA_FILE to the file of its CA"


def test_with_the_right_ca_the_next_problem_is_named(port: int, certificate: tuple[Path, Path]) -> None:
    cert, _ = certificate
    assert "its certificate is for another" in by_mqtt(port, "127.0.0.1", ca_file=cert)
    assert "its certificate is for another" in by_redis(port, "127.0.0.1", ca_file=cert)
    assert "certificate" not in by_mqtt(port, ca_file=cert)  # the handshake succeeds
    with pytest.raises(Unavailable) as refused:
        Api(f"https://localhost:{port}", "key", cert).call("GET", "/")
    assert "certificate" not in str(refused.value)


def test_a_server_without_tls_is_reported(mqtt_url: str) -> None:
    port = int(mqtt_url.rsplit(":", 1)[1])
    assert "certificate" not in by_mqtt(port)


@pytest.mark.parametrize("name", ["ca_file", "certificate_file", "key_file"])
def test_a_file_that_cannot_be_used_is_named(port: int, tmp_path: Path, name: str) -> None:
    """The file is missing, empty or not a certificate; the message is never a bare `No such file or directory`."""
    setting = f"ZELADOR_MQTT__{name}".upper()
    missing = tmp_path / "nofile.crt"
    others = {"certificate_file": missing} if name == "key_file" else {}
    assert by_mqtt(port, **{name: missing}) == f"{setting}: {missing}: No such file or directory"
    missing.write_text("")
    assert by_mqtt(port, **{name: missing}) == f"{setting}: {missing} is empty"
    missing.write_text("junk")
    assert setting in by_mqtt(port, **{**others, name: missing})


def test_a_file_for_redis_or_the_api_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nofile.crt"
    with pytest.raises(Unavailable, match=r"ZELADOR_REDIS__CA_FILE: .*nofile.crt: No such file"):
        connect_redis(RedisSettings(url="rediss://localhost:1/0", ca_file=missing))
    with pytest.raises(InvalidInput, match=r"ZELADOR_REMOTE__CA_FILE: .*nofile.crt: No such file"):
        Api("https://localhost:1", "key", missing)
    missing.write_text("junk")
    with pytest.raises(InvalidInput, match="has no certificate in PEM form"):
        Api("https://localhost:1", "key", missing)
