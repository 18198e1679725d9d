"""docker-compose.yml and its files, read without Docker: no variable unset, no port open, no setting unknown."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from command.up.servers import mosquitto_config, redis_server
from zelador.settings import MqttSettings, load_settings

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
OURS = ("ingest", "inference", "archive", "trainer", "api")
SET = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE))  # by .env.example as it is
OFFERED = dict(re.findall(r"^#?(\w+)=(.*)$", EXAMPLE, re.MULTILINE))  # with what it has as a comment


def used() -> dict[str, str]:
    """Every variable of the file, with the text after its name; "" for one that is passed on unchanged."""
    found = dict(re.findall(r"\$\{(\w+)([^}]*)\}", COMPOSE))
    passed = {name for service in SERVICES.values() for name, value in service["environment"].items() if value is None}
    return {**found, **dict.fromkeys(passed, "")}


def filled(text: str) -> str:
    """`text` as Compose fills it from .env.example."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*))?[^}]*\}", lambda match: SET.get(match[1]) or match[2], text)


def options(text: str) -> dict[str, str]:
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {key: value.strip('"') for key, value in lines}


def environment(target: str) -> dict[str, str]:
    """The variables that the image of `target` sets."""
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    mine = [stage for stage in stages if stage.split("\n", 1)[0].endswith((" AS base", f" AS {target}"))]
    return dict(re.findall(r"(ZELADOR_\w+)=(\S+)", "\n".join(mine)))


def test_the_example_has_every_variable_and_no_other() -> None:
    assert set(used()) == set(OFFERED)
    assert {name for name, rest in used().items() if rest.startswith(":?")} == set(SET)


def test_secrets_are_required_and_have_no_default() -> None:
    secrets = {name: rest for name, rest in used().items() if "PASSWORD" in name}
    assert len(secrets) == 3
    assert all(rest.startswith(":?") for rest in secrets.values()), secrets
    assert all("change-me" in SET[name] for name in secrets)
    for service in SERVICES.values():
        assert "PASSWORD" not in str(service.get("command", "")), "`docker ps` would show it"


def test_only_broker_and_api_are_published_and_only_on_the_loopback() -> None:
    ports = {name: [filled(port) for port in service.get("ports", [])] for name, service in SERVICES.items()}
    assert {name: found for name, found in ports.items() if found} == {
        "broker": ["127.0.0.1:1883:1883"],
        "api": ["127.0.0.1:8000:8000"],
    }


@pytest.mark.parametrize("service", OURS)
def test_the_services_understand_their_settings(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**environment(service), **{k: v for k, v in SERVICES[service]["environment"].items() if v is not None}}
    for name, value in given.items():
        monkeypatch.setenv(name, filled(value))
    settings = load_settings()
    assert settings.redis.url == "redis://:change-me-redis@redis:6379/0"
    assert settings.registry.url == "/var/lib/zelador/registry"
    needs_broker = service in ("ingest", "inference")
    assert settings.mqtt.url == ("mqtt://broker:1883" if needs_broker else MqttSettings().url)
    assert settings.mqtt.password == ("change-me-service" if needs_broker else None)


@pytest.mark.parametrize("name", [name for name in OFFERED if name.startswith("ZELADOR_")])
def test_the_settings_that_the_example_offers_are_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, OFFERED[name].strip("'"))
    load_settings()


def test_every_service_is_a_target_that_does_not_run_as_root() -> None:
    for service in OURS:
        assert SERVICES[service]["build"]["target"] == service
        stage = DOCKERFILE.split(f" AS {service}\n", 1)[1].split("\nFROM ", 1)[0]
        assert "\nUSER 10001:10001\n" in stage


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_writes_to_its_volumes_only_and_is_bounded(name: str) -> None:
    """Only Redis keeps the capabilities that start.sh needs to give its data to another user."""
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service or name == "redis"
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_has_a_health_check(name: str) -> None:
    """Our own services have it in the image; those of the servers put no password on a command line."""
    if name in OURS:
        assert "\nHEALTHCHECK " in DOCKERFILE.split(f" AS {name}\n", 1)[1].split("\nFROM ", 1)[0]
        return
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "/bin/sh", "/zelador/healthy.sh"]
    folder = ROOT / "deploy" / {"broker": "mosquitto", "redis": "redis"}[name]
    script = (folder / "healthy.sh").read_text()
    assert "-P %s" in script if name == "broker" else "REDISCLI_AUTH=" in script


def test_the_health_checks_tell_a_server_that_answers_from_one_that_does_not(tmp_path: Path) -> None:
    """Runs the shipped scripts, with replacements for the programs that they call in the containers."""
    for folder, answer, environment in (
        ("mosquitto", "", {"MQTT_SERVICE_PASSWORD": "secret"}),
        ("redis", "echo PONG", {}),
    ):
        script = (ROOT / "deploy" / folder / "healthy.sh").read_text().replace("/tmp/", f"{tmp_path}/")
        (tmp_path / "redis.conf").write_text("requirepass secret\n")
        for code in (0, 1):
            for program in ("mosquitto_pub", "redis-cli"):
                fake = tmp_path / program
                fake.write_text(
                    f'#!/bin/sh\n[ "${{1#*secret}}" = "$1" ] || exit 9\n{answer if code == 0 else ""}\nexit {code}\n'
                )
                fake.chmod(0o755)
            done = subprocess.run(
                ["sh", "-c", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin", **environment}, check=False
            )
            assert (done.returncode == 0) == (code == 0), folder


def test_models_that_passed_the_cage_are_remembered_when_a_container_is_replaced() -> None:
    (cache,) = re.findall(r"XDG_CACHE_HOME=(\S+)", DOCKERFILE)
    assert cache.startswith("/var/lib/zelador/")
    assert cache.removeprefix("/var/lib/") in DOCKERFILE.split("install -d -o zelador", 1)[1].split("\n", 1)[0]
    volumes = yaml.safe_load(COMPOSE)["volumes"]
    for service in ("inference", "trainer", "api"):
        mounted = dict(reversed(volume.split(":")[:2]) for volume in SERVICES[service]["volumes"])
        assert mounted[cache] in volumes, service


def test_replicas_do_not_share_a_name() -> None:
    assert "{hostname}" in environment("inference")["ZELADOR_INFERENCE__INSTANCE"]
    assert "ZELADOR_INFERENCE__INSTANCE" not in SERVICES["inference"]["environment"]
    assert not any("container_name" in service for service in SERVICES.values())


def test_the_servers_are_set_as_the_embedded_ones(tmp_path: Path) -> None:
    """Decision 5 chose these by measurement; only access, addresses and logs differ."""
    ours = options((ROOT / "deploy/mosquitto/mosquitto.conf").read_text(encoding="utf-8"))
    embedded = options(mosquitto_config(tmp_path, (1883,)))
    for own in ("listener", "allow_anonymous", "user", "persistence_location", "log_dest", "log_type"):
        embedded.pop(own)
    assert {key: ours.get(key) for key in embedded} == embedded
    assert ours["allow_anonymous"] == "false"
    assert (ROOT / "deploy/mosquitto" / Path(ours["acl_file"]).name).is_file()

    ours = options((ROOT / "deploy/redis/redis.conf").read_text(encoding="utf-8"))
    flags = redis_server(tmp_path, 6379).command[1:]
    embedded = dict(zip([flag.removeprefix("--") for flag in flags[::2]], flags[1::2], strict=True))
    for key in ("appendonly", "appendfsync", "save", "maxmemory-policy"):
        assert ours[key] == embedded[key]


@pytest.mark.parametrize("service", OURS)
def test_an_image_gets_the_locked_versions_of_its_own_packages(service: str) -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))

    assert pins(service) <= pins("dev"), "make lock"
    names = {pin.split("==")[0] for pin in pins(service)}
    assert ("pycaret" in names) == (service == "trainer")
    assert ("fastapi" in names) == (service == "api")
    assert ("lightgbm" in names) == (service != "ingest")
