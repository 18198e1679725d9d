"""A home's data is opened by a server that can read it, even if another one is installed later."""

from __future__ import annotations

from pathlib import Path

import pytest

from command.up.ports import HOST, choose
from command.up.servers import redis_server
from tests.servers import run_process
from zelador.buffer import connect_redis
from zelador.errors import Unavailable
from zelador.settings import RedisSettings


def test_data_of_valkey_is_opened_by_valkey_even_after_redis_was_installed(tmp_path: Path) -> None:
    port = choose(["redis"], {}, {})["redis"]
    settings = RedisSettings(url=f"redis://{HOST}:{port}/0")
    with run_process(redis_server(tmp_path, port, "valkey").command, port), connect_redis(settings) as client:
        client.set("kept", "yes")
    server = redis_server(tmp_path, port)
    assert server.name == "valkey"
    with run_process(server.command, port), connect_redis(settings) as client:
        assert client.get("kept") == b"yes"
    with pytest.raises(Unavailable, match="Valkey wrote the data"):
        redis_server(tmp_path, port, "redis-server")
