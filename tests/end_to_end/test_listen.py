"""`zelador up` for devices on the network, and with the user's own servers."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from command.up.ports import HOST, choose
from tests.outside import Outside
from tests.servers import found_or_skip
from tests.up import COMMAND, Up, clean_environment, running

pytestmark = pytest.mark.long

READING = {"lux": 300.0, "temperature": 25.0, "vibration": 0.4}


def zelador(*arguments: str, code: int = 0, **environment: str) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env={**clean_environment(), **environment},
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]):
    """Mosquitto, TLS, and the standard port's place taken by a port of the test's own."""
    found_or_skip("mosquitto")
    home = tmp_path_factory.mktemp("listen") / "home"
    home.mkdir(mode=0o700)
    first = zelador("devices", "password", "press-07", "--home", str(home)).strip()
    port = choose(["mqtt"], {}, {})["mqtt"]
    arguments = ("--listen", "0.0.0.0", "--mqtt-port", str(port))  # noqa: S104
    cert, key = certificate
    with running(home, *arguments, "--tls-cert", str(cert), "--tls-key", str(key)) as found:
        (home.parent / "password").write_text(first)
        yield found


def device(up: Up, certificate: tuple[Path, Path], name: str, password: str, readings: int) -> bool:
    """Publishes with mosquitto_pub, as a maker would; True if everything was acknowledged."""
    port = up["mqtt"].rsplit(":", 1)[1]
    lines = (json.dumps({**READING, "id": f"{name}-{number}"}) for number in range(readings))
    done = subprocess.run(
        ["mosquitto_pub", "-h", "localhost", "-p", port, "--cafile", str(certificate[0]), "-u", name, "-P", password,
         "-q", "1", "-l", "-t", f"sensors/{name}/reading"],
        input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode == 0 and not done.stderr


def test_adding_a_password_under_load_costs_no_reading(up: Up, certificate, eventually) -> None:
    """press-07 publishes all the time while press-08 gets a password, a new one, and none again."""
    first = (up.home.parent / "password").read_text()
    before = up.ledger()["accepted"]
    sent = 3_000
    steady = threading.Thread(target=device, args=(up, certificate, "press-07", first, sent))
    steady.start()
    second = zelador("devices", "password", "press-08", "--home", str(up.home)).strip()

    eventually(lambda: device(up, certificate, "press-08", second, 1), "the password of press-08")
    zelador("devices", "remove", "press-08", "--home", str(up.home))
    steady.join()
    eventually(lambda: up.ledger()["accepted"] == before + sent + 1, "every reading")
    assert up.ledger()["unaccounted"] == 0
    listed = json.loads(zelador("devices", "passwords", "--home", str(up.home), "--json"))
    assert [each["name"] for each in listed] == ["press-07"]
    secrets = (first, second, (up.home / "mqtt.password").read_text().strip())
    assert not any(secret in up.log.read_text() for secret in secrets)
    for path in up.home.glob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path
            assert path.name == "mqtt.password" or not any(secret in path.read_text() for secret in secrets), path


def test_that_port_accepts_only_tls(up: Up, certificate) -> None:
    port = int(up["mqtt"].rsplit(":", 1)[1])
    assert up["mqtt"].startswith("mqtts://")
    with socket.create_connection((HOST, port), timeout=5) as plain:
        plain.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a")
        assert plain.recv(100)[:1] in (b"", b"\x15")  # nothing, or a TLS alert
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with (
        socket.create_connection((HOST, port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        assert secured.version() in ("TLSv1.2", "TLSv1.3")


def test_the_other_commands_find_the_servers_of_the_home(up: Up) -> None:
    """Commands use the services' own user; no variable is set."""
    assert "no model is selected yet" in zelador("health", "--home", str(up.home))
    found = json.loads(zelador("doctor", "--home", str(up.home), "--json", "--no-probe"))
    broken = [each for each in found["findings"] if each["state"] == "broken"]
    assert broken == []
    assert any("password" in each["what"] and each["check"] == "home" for each in found["findings"])
    (selection,) = [each for each in found["findings"] if each["check"] == "selection"]
    assert f"zelador train --home {up.home}, then zelador models select --home {up.home} NAME" in selection["fix"]


def test_the_users_own_servers_are_used(redis_url: str, mqtt_url: str, mark: str, tmp_path: Path, eventually) -> None:
    """The broker by option, Redis by the variable that all services have; nothing of ours is started for them."""
    environment = {"ZELADOR_REDIS__URL": redis_url, "ZELADOR_REDIS__PREFIX": mark, "ZELADOR_INGEST__CLIENT_ID": mark}
    with running(tmp_path / "home", "--broker", mqtt_url, environment=environment) as up:
        assert (up["broker"], up["mqtt"]) == ("own", mqtt_url)
        assert set(up.pids()) == {"ingest", "inference", "archive", "trainer", "api", "up"}
        said = up.log.read_text()
        assert f"uses the broker at {mqtt_url} (--broker) and the Redis at {redis_url} (ZELADOR_REDIS__URL)" in said
        outside = Outside(mqtt_url)
        outside.send("press", {**READING, "id": mark}, mark)
        eventually(lambda: up.ledger()["accepted"] == 1, "the reading")
        outside.close()
    assert list((tmp_path / "home" / "redis").iterdir()) == []
