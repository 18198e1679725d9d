"""The Redis user of docs/how-to/secure-the-broker.md may do what the loops do, and reaches no other key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import redis

from tests.archived import archived
from tests.buffers import make_writer
from tests.integration.test_archive import an_archiver, message, work
from tests.integration.test_loops import READING, Stack, stack
from zelador.buffer.archive_stream import ArchiveStream
from zelador.buffer.connection import RedisConnection
from zelador.settings import ArchiveSettings, Settings

__all__ = ["stack"]  # a fixture

PAGE = Path(__file__).parents[2] / "docs/how-to/secure-the-broker.md"


@pytest.fixture
def settings(settings: Settings, redis_url: str, mark: str) -> Iterator[Settings]:
    (line,) = re.findall(r"^user zelador (on >PASSWORD .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    rules = line.replace("{zelador}", f"{{{mark}}}").replace("PASSWORD", "secret").split()
    admin = redis.Redis.from_url(redis_url)
    admin.execute_command("ACL", "SETUSER", mark, "reset", *rules)
    url = redis_url.replace("redis://", f"redis://{mark}:secret@")
    yield settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": url})})
    admin.execute_command("ACL", "DELUSER", mark)
    admin.close()


def test_the_documented_rights_are_exactly_enough(stack: Stack, mark: str) -> None:
    stack.send("press", {**READING, "id": "a", "seq": 1}, b"junk", [{**READING, "id": "b", "seq": 5}])
    stack.ingest(3)
    stack.classify(2)
    ledger = stack.ledger.read()
    assert (ledger.classified, ledger.quarantined, ledger.unaccounted) == (2, 1, 0)
    assert stack.ledger.lost_sessions().count == 0
    assert stack.client.info("persistence")
    for command in (("SET", "other", "1"), ("GET", "{other}:ledger"), ("FLUSHALL",), ("CONFIG", "SET", "save", "")):
        with pytest.raises(redis.exceptions.NoPermissionError):
            stack.client.execute_command(*command)
    for command in (("KEYS", "*"), ("SHUTDOWN",), ("CLIENT", "KILL", "TYPE", "normal")):
        with pytest.raises(redis.exceptions.NoPermissionError):
            stack.client.execute_command(*command)


def test_they_are_enough_for_the_archiver(settings: Settings, tmp_path: Path) -> None:
    given = settings.model_copy(update={"archive": ArchiveSettings(url=str(tmp_path / "archive"), write_s=0.001)})
    make_writer(given, Event(), "test").append([message("a"), message("b", "c")], [])
    work(an_archiver(given))
    assert archived(tmp_path / "archive").ids == {"a": 1, "b": 1, "c": 1}
    stream = ArchiveStream(RedisConnection(given.redis, Event()), given.redis.prefix)
    assert stream.end() == (True, 0, 0, 3)
