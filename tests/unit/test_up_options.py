"""Options of `zelador up` that cannot be used are named, and a password on the command line is refused."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from threading import Event

import pytest

from command.up.home import archive_memory, home_settings, plant_settings
from command.up.listen import Listen, listen_port, listening
from command.up.own_servers import chosen
from operations.key_file import first_key, new_key, withdraw_first_key
from zelador.errors import InvalidInput, Unavailable
from zelador.settings import ArchiveSettings, Settings, load_settings


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
def test_an_address_that_cannot_be_listened_on_is_reported(
    listen: str | None, cert: str | None, key: str | None, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        listening(listen, cert and Path(cert), key and Path(key))


def test_an_unusable_certificate_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"--tls-cert .*no.pem: No such file"):
        Listen("127.0.0.1", tmp_path / "no.pem", tmp_path / "no.pem").context()
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    with pytest.raises(InvalidInput, match="must be PEM files"):
        Listen("127.0.0.1", junk, junk).context()


def test_the_port_is_the_requested_one_the_one_before_or_1883(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port in use is named in an error, because devices do not look for another one."""
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
    )  # a port on the loopback is not one for devices


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
    remembered = own.remembered(settings)["mqtt"]
    assert {key: value for key, value in remembered.items() if value is not None} == {
        "url": "mqtt://127.0.0.1:1", "password": "secret", "session_expiry_s": settings.mqtt.session_expiry_s,
    }  # fmt: skip
    with pytest.raises(Unavailable, match=r"^no MQTT broker answers at mqtt://127.0.0.1:1 .* or change ZELADOR_MQTT__"):
        own.check(patient(settings, 0.01), Event())


def patient(settings: Settings, seconds: float, **mqtt: object) -> Settings:
    return settings.model_copy(update={"mqtt": settings.mqtt.model_copy(update={"start_patience_s": seconds, **mqtt})})


def test_a_server_that_cannot_be_used_names_its_cause_once(tmp_path: Path) -> None:
    """The option that the person used; or, if a file is the cause, the setting of that file alone."""
    settings, own = chosen(load_settings(), "mqtts://127.0.0.1:1", None)
    with pytest.raises(Unavailable, match=r"start it or change --broker$"):
        own.check(patient(settings, 0.01), Event())
    missing = tmp_path / "no.crt"
    with pytest.raises(Unavailable, match=rf"^ZELADOR_MQTT__CA_FILE: {missing}: No such file"):
        own.check(patient(settings, 0.01, ca_file=missing), Event())


def test_a_command_in_another_terminal_sees_the_plant_as_up_does() -> None:
    """`zelador train --home` must not need the variables that `zelador up` was started with; its own count first."""
    up = load_settings(
        features=("lux", "humidity"), fields={"lux": {"from": "l"}}, topics={"reading": "hall/{device_id}"},
        ingest={"client_id": "line-1"}, mqtt={"password": "secret"},
    )  # fmt: skip
    plant = plant_settings(up)
    assert "secret" not in str(plant)
    memory = {"api": 1, "broker5": 2, "redis": 3, "settings": json.loads(json.dumps(plant))}
    seen = home_settings(load_settings(), Path("home"), memory, True)
    assert (seen.features, seen.fields, seen.topics, seen.ingest.client_id) == (
        up.features, up.fields, up.topics, "line-1",
    )  # fmt: skip
    own = home_settings(load_settings(features=("humidity",)), Path("home"), memory, True)
    assert (own.features, own.fields, own.topics.reading) == (("humidity",), {}, "hall/{device_id}")


def test_a_command_in_another_terminal_finds_the_archive_of_up() -> None:
    """`zelador data describe --home` read an empty folder of the home while `up` archived to a bucket."""
    bucket = {"url": "s3://plant/line-1", "bucket": ("aws_region=eu-central-1",), "timeout_s": 5.0}
    ports = {"api": 1, "broker5": 2, "redis": 3}

    def seen(archive: dict[str, object], own: dict[str, object] | None = None) -> ArchiveSettings:
        memory = json.loads(json.dumps({**ports, "archive": archive_memory(load_settings(archive=archive))}))
        return home_settings(load_settings(**({"archive": own} if own else {})), Path("home"), memory, True).archive

    found = seen(bucket)
    assert (found.url, found.bucket, found.timeout_s, found.enabled) == (*bucket.values(), True)
    assert seen({"url": "elsewhere"}).url == str(Path("elsewhere").absolute())
    assert (seen({}).url, seen({"write_s": 1.0}).url) == ("home/archive", "home/archive")
    assert seen(bucket, {"url": "s3://copy"}).url == "s3://copy" and seen(bucket, {"url": "s3://copy"}).bucket == ()
    off = seen({"enabled": False})
    assert (off.url, off.enabled, seen({"enabled": False}, {"enabled": True}).enabled) == ("home/archive", False, True)


def test_a_first_key_that_nobody_saw_is_withdrawn(tmp_path: Path) -> None:
    """A start that fails leaves no key behind, unless somebody made another one meanwhile."""
    keys = tmp_path / "keys.json"
    first = first_key(keys)
    assert first is not None
    withdraw_first_key(keys, first)
    assert not keys.exists()
    first = first_key(keys)
    assert first is not None
    new_key(keys)
    withdraw_first_key(keys, first)
    assert keys.exists()
