"""One admin API for all attacks of a file: the real service, a key of each role, and raw sockets to it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from admin.service import run
from command.up.ports import choose
from operations.key_file import ROLES, new_key
from tests.small_models import select_one
from zelador.settings import ApiSettings, RedisSettings, RegistrySettings, Settings


@dataclass(frozen=True)
class Api:
    settings: Settings
    keys: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.api.port}"

    def client(self, role: str | None = "admin", **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys[role]}"} if role else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60.0, **options)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.settings.api.port), timeout=60.0)

    def answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/healthz", timeout=30.0).status_code == 200
        return False


def settings_for(folder: Path, redis_url: str, **api: Any) -> Settings:
    given = {"port": choose(["api"], {}, {})["api"], "keys_file": folder / "keys.json", "failure_delay_s": 0.0, **api}
    return Settings(
        redis=RedisSettings(url=redis_url, prefix=uuid.uuid4().hex[:12]),
        registry=RegistrySettings(url=str(folder / "registry")),
        api=ApiSettings(**given),
    )


@contextlib.contextmanager
def api_in(folder: Path, redis_url: str, **api: Any) -> Iterator[Api]:
    settings = settings_for(folder, redis_url, **api)
    select_one(settings.registry.url)
    running = Api(settings, {role: new_key(settings.api.keys_file, role)[1] for role in ROLES})
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    try:
        wait_for(running.answers, "the API")
        yield running
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def wait_for(condition: Any, what: str, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s:g} s for {what}"
        time.sleep(0.01)


def request(key: str | None, line: str, *headers: str) -> bytes:
    lines = [line, "Host: x", *headers, *([f"Authorization: Bearer {key}"] if key else [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read_all(sock: socket.socket) -> bytes:
    """All bytes until the other side closes."""
    found = b""
    with contextlib.suppress(OSError):
        while data := sock.recv(65_536):
            found += data
    return found
