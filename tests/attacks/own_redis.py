"""A separate Redis for a test, which may be killed and started again on the same data."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import redis

from command.up.ports import HOST, choose
from command.up.servers import redis_server
from zelador.buffer import Refused
from zelador.messages import Arrival, Reading
from zelador.settings import RedisSettings, Settings


class OwnRedis:
    """A server that a test may kill and start again on the same data."""

    def __init__(
        self, folder: Path, kind: str = "auto", durability: str = "written", under: tuple[str, ...] = ()
    ) -> None:
        """`under` is a command that runs the server and is replaced by it."""
        self.port = choose(["redis"], {}, {})["redis"]
        self.url = f"redis://{HOST}:{self.port}/0"
        self._command = (*under, *redis_server(folder, self.port, kind, durability).command)
        self.client = redis.Redis.from_url(self.url, socket_timeout=2)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.client.ping()
            except (redis.RedisError, OSError):
                assert time.monotonic() < deadline, "Redis did not start"
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


def settings_of(server: OwnRedis, url: str = "", **redis_settings: object) -> Settings:
    given = {"url": url or server.url, "prefix": "t", "timeout_s": 2.0, "keep_quarantine": 1_000_000}
    return Settings(redis=RedisSettings(**{**given, **redis_settings}))


def refused(payload: bytes, features: str = "") -> Refused:
    return Refused("sensors/d/reading", "no", payload, len(payload), "digest", 1_000, features=features)


def entry(name: str) -> Arrival:
    return Arrival("d", (Reading(name, (1.0, 2.0, 3.0), 1_000),), 1_000)
