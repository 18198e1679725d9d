"""Servers of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.own_redis import OwnRedis


@pytest.fixture
def one(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path, "auto")
    yield server
    server.client.close()
    server.kill()
