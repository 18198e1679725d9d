"""The suite runs on the servers that it reports; otherwise it proves nothing about them."""

from __future__ import annotations

import subprocess

import psutil
import pytest
import redis

from tests import servers


def owner_of(port: int) -> str:
    """The name of the process that listens on `port` of the loopback."""
    listening = [c for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr and c.laddr.port == port]
    return psutil.Process(next(c.pid for c in listening if c.pid)).name()


def publishes(port: int) -> str:
    """The image of the container that publishes `port`."""
    told = subprocess.run(
        ["docker", "ps", "--format", "{{.Image}} {{.Ports}}"], capture_output=True, text=True, check=True, timeout=20
    )
    return next(line.split()[0] for line in told.stdout.splitlines() if f":{port}->" in line)


@pytest.mark.parametrize(("what", "program"), [("Redis", "redis-server"), ("broker", "mosquitto")])
def test_the_servers_are_what_the_report_says(redis_url: str, mqtt_url: str, what: str, program: str) -> None:
    url = {"Redis": redis_url, "broker": mqtt_url}[what]
    port, said = int(url.split(":")[2].partition("/")[0]), servers.used[what]
    assert said.url == url
    assert said.kind == servers.kind_for(program)
    match said.kind:
        case "containers":
            assert publishes(port) == said.name
        case "local":
            assert owner_of(port) == program
            assert said.name.startswith(program)
        case "embedded":
            assert said.name.startswith({"Redis": "valkey", "broker": "iotcore"}[what])


def test_redis_is_set_as_the_product_needs_it(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url, decode_responses=True, protocol=2)
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    assert client.config_get("appendonly")["appendonly"] == "yes"
