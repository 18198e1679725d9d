"""Servers for a single test, and the mark of long attacks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.own_redis import OwnRedis


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("TEST_ATTACKS"):
        for item in items:
            if item.get_closest_marker("attack_long"):
                item.add_marker(pytest.mark.skip(reason="takes long: TEST_ATTACKS=1 (make test-attacks)"))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path, "auto")
    yield server
    server.client.close()
    server.kill()
