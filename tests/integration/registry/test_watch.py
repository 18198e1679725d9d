"""Every service reports a registry that was restored, truncated or replaced while in use (real Redis, real folders)."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import redis

from registry.errors import LogReplaced
from registry.registry import Registry
from registry.restored.accept import accept
from registry.restored.last_seen import LastSeen, Record, Seen, ask
from registry.restored.open import open_registry
from registry.restored.watch import UNREACHABLE, Watch
from tests.small_models import select_one
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.errors import NotFound, Unavailable
from zelador.settings import RedisSettings, Settings


@pytest.fixture
def local(settings: Settings, tmp_path: Path) -> Settings:
    update = {"url": str(tmp_path / "registry"), "check_s": 0.1}
    return settings.model_copy(update={"registry": settings.registry.model_copy(update=update)})


@pytest.fixture
def client(local: Settings) -> Iterator[redis.Redis]:
    with connect_redis(local.redis) as found:
        yield found


def started(local: Settings, client: redis.Redis, by: str) -> Watch:
    return Watch(Registry.open(local.registry), client, local.redis.prefix, by, local.registry.check_s)


def copy(local: Settings, name: str) -> Path:
    to = Path(local.registry.url).with_name(name)
    shutil.copytree(local.registry.url, to)
    return to


def exchange(local: Settings, by: Path) -> Path:
    """Replaces the registry's folder by the folder `by`; returns the new path of the old one."""
    there = Path(local.registry.url)
    aside = there.with_name(f"{by.name}-was-here-before")
    there.rename(aside)
    by.rename(there)
    return aside


def seen(local: Settings, client: redis.Redis) -> Seen:
    found = LastSeen(client, local.redis.prefix).read().seen
    assert found is not None
    return found


def restored(local: Settings) -> tuple[Registry, Path]:
    """A registry, and a copy of it that was made before its last change."""
    registry = select_one(local.registry.url)
    saved = copy(local, "backup")
    registry.annotate("small", {"notes": "n"}, by="test")
    return registry, saved


def test_the_record_of_the_newest_entry_only_moves_forward(local: Settings, client: redis.Redis) -> None:
    registry = select_one(local.registry.url)
    first, second = started(local, client, "first"), started(local, client, "second")
    assert first.look().trouble is None
    assert (seen(local, client).seq, seen(local, client).by) == (3, "first")
    registry.annotate("small", {"notes": "n"}, by="test")
    assert second.look().trouble is None
    newest = seen(local, client)
    assert (newest.seq, newest.etag, newest.by) == (4, registry.state.etag, "second")
    assert first.look().trouble is None
    assert seen(local, client) == newest


def test_concurrent_writers_never_move_the_record_back(local: Settings, client: redis.Redis) -> None:
    """A writer replaces only the record that it has read, so a slow one with an older entry is refused."""
    records = LastSeen(client, local.redis.prefix)
    stale = records.read()

    def one(seq: int) -> None:
        while True:
            record = records.read()
            if record.seen is not None and record.seen.seq >= seq:
                return
            records.advance(record, Seen("r", seq, f"seq-{seq}", "", "test"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, [*range(1, 60), *range(60, 0, -1)]))
    assert seen(local, client).seq == 60
    assert not records.advance(stale, Seen("r", 5, "seq-5", "", "slow"))
    assert seen(local, client).seq == 60


def test_running_and_starting_processes_both_report_a_restored_folder(
    local: Settings, client: redis.Redis, caplog
) -> None:
    registry, backup = restored(local)
    ran = started(local, client, "ran")
    assert ran.look().trouble is None
    lost = exchange(local, backup)
    for _ in range(3):
        assert "not the entry that was read before" in str(ran.look().trouble)
    assert [record.levelname for record in caplog.records if "was read before" in record.message] == ["ERROR"]
    new = started(local, client, "new")
    look = new.look()
    assert "its log ends before entry 4" in str(look.trouble)
    assert look.state is not None  # it continues with the present registry
    assert look.state.selection is not None
    assert seen(local, client).etag == registry.state.etag
    exchange(local, lost)
    assert (ran.look().trouble, new.look().trouble) == (None, None)


def test_a_copy_that_grew_longer_is_not_taken_for_the_registry(local: Settings, client: redis.Redis) -> None:
    registry, backup = restored(local)
    started(local, client, "ran").look()
    exchange(local, backup)
    other = Registry.open(local.registry)
    for number in range(3):
        other.annotate("small", {"number": number}, by="test")
    assert other.state.seq > registry.state.seq
    assert "was restored and written to" in str(started(local, client, "new").look().trouble)
    assert seen(local, client).etag == registry.state.etag


def test_another_registry_is_reported_as_such(local: Settings, client: redis.Redis, tmp_path: Path) -> None:
    restored(local)
    started(local, client, "ran").look()
    select_one(tmp_path / "other").annotate("small", {"notes": "o"}, by="test")
    exchange(local, tmp_path / "other")
    assert "the registry is another one" in str(started(local, client, "new").look().trouble)


def test_all_processes_use_what_an_operator_accepted(local: Settings, client: redis.Redis) -> None:
    registry, backup = restored(local)
    ran = started(local, client, "ran")
    ran.look()
    exchange(local, backup)
    new = started(local, client, "new")
    assert ran.look().trouble
    assert new.look().trouble
    before, after = accept(local, by="ana", why="the disk died")
    assert before is not None
    assert (before.seq, after.seq) == (4, 3)
    for watch in (ran, new):
        look = watch.look()
        assert look.trouble is None
        assert look.state is not None
        assert (look.state.seq, look.state.etag) == (3, after.etag)
    Registry.open(local.registry).annotate("small", {"notes": "after"}, by="test")
    assert ran.look().trouble is None
    assert seen(local, client).seq == 4
    assert seen(local, client).accepted.endswith("by ana: the disk died")
    assert registry.state.etag != seen(local, client).etag


def test_a_process_that_changed_the_copy_returns_to_the_accepted_registry(local: Settings, client: redis.Redis) -> None:
    registry, backup = restored(local)
    started(local, client, "ran").look()
    lost = exchange(local, backup)
    other = Registry.open(local.registry)
    new = Watch(other, client, local.redis.prefix, "new", 30.0)
    assert new.look().trouble
    other.annotate("small", {"notes": "o"}, by="test")
    exchange(local, lost)
    assert "was read before" in str(new.look().trouble)
    accept(local, by="ana", why="as it was")
    assert new.look().trouble is None
    assert other.state.etag == registry.state.etag


def test_an_earlier_acceptance_does_not_cover_a_new_loss(local: Settings, client: redis.Redis) -> None:
    """Entries that Redis never recorded are lost. Only the process that read them can detect this."""
    registry = select_one(local.registry.url)
    accept(local, by="ana", why="the beginning")
    ran_registry = Registry.open(local.registry)
    ran = Watch(ran_registry, client, local.redis.prefix, "ran", 30.0)
    assert ran.look().trouble is None
    backup = copy(local, "backup")
    registry.annotate("small", {"notes": "never noted"}, by="test")
    ran_registry.sync()
    exchange(local, backup)
    assert "was read before" in str(ran.look().trouble)
    client.delete(Keys(local.redis.prefix).registry_seen)  # a Redis that lost the record does not count as acceptance
    assert started(local, client, "new").look().trouble is None
    assert "was read before" in str(ran.look().trouble)


def test_without_redis_a_process_uses_what_it_last_read(local: Settings, client: redis.Redis) -> None:
    _, backup = restored(local)
    nowhere = RedisSettings(url="redis://127.0.0.1:1/0")
    assert ask(nowhere) == (None, "Redis does not answer")
    with connect_redis(nowhere) as away:
        alone = Watch(Registry.open(local.registry), away, local.redis.prefix, "alone", 0.1)
        assert alone.look().trouble is None
        exchange(local, backup)
        assert "was read before" in str(alone.look().trouble)
    client.set(Keys(local.redis.prefix).registry_seen, msgspec.json.encode(Seen("r", 9, "seq-9", "", "another")))
    began = started(local, client, "began")
    assert "another one" in str(began.look().trouble)
    client.connection_pool.connection_kwargs["port"] = 1
    client.connection_pool.reset()
    assert "another one" in str(began.look().trouble)
    with pytest.raises(Unavailable, match="nothing was accepted"):
        accept(local.model_copy(update={"redis": nowhere}), by="ana", why="w")


def test_an_unreadable_registry_does_not_count_as_a_loss(local: Settings, client: redis.Redis) -> None:
    select_one(local.registry.url)
    ran = started(local, client, "ran")
    ran.look()
    logs = Path(local.registry.url) / "log"
    (logs / "00000003.json").rename(logs / "kept")
    (logs / "00000003.json").mkdir()  # every read of it fails
    assert ran.look().trouble == UNREACHABLE
    (logs / "00000003.json").rmdir()
    (logs / "kept").rename(logs / "00000003.json")
    assert ran.look().trouble is None


def test_its_thread_records_a_change_and_ends(
    local: Settings, client: redis.Redis, eventually: Callable[..., None]
) -> None:
    registry = select_one(local.registry.url)
    watch = Watch(registry, client, local.redis.prefix, "this", 3_600.0)
    stop = threading.Event()
    watch.start(stop)
    try:
        eventually(lambda: LastSeen(client, local.redis.prefix).read().seen is not None, "a first look")
        registry.annotate("small", {"notes": "n"}, by="test")
        eventually(lambda: seen(local, client).etag == registry.state.etag, "the change to be noted")
    finally:
        stop.set()
        watch.join()
    assert not any(thread.name == "registry-watch" for thread in threading.enumerate())


def test_a_record_that_cannot_be_read_is_written_again(local: Settings, client: redis.Redis) -> None:
    registry = select_one(local.registry.url)
    client.set(Keys(local.redis.prefix).registry_seen, b"\xff{")
    assert LastSeen(client, local.redis.prefix).read() == Record(b"\xff{", None)
    assert started(local, client, "this").look().trouble is None
    assert seen(local, client).etag == registry.state.etag


def test_checking_creates_nothing(local: Settings) -> None:
    with pytest.raises(NotFound):
        Registry.existing(local.registry)
    assert not Path(local.registry.url).exists()


def test_a_service_creates_no_registry_at_a_mistyped_path(local: Settings, client: redis.Redis) -> None:
    """A new, empty registry there would be reported as another registry."""
    mistyped = local.model_copy(
        update={"registry": local.registry.model_copy(update={"url": f"{local.registry.url}x"})}
    )
    assert open_registry(local).state.seq == 1  # the first one of this Redis
    assert started(local, client, "this").look().trouble is None
    with pytest.raises(NotFound, match=r"there is no registry at .*registryx .*create this folder to begin a new one"):
        open_registry(mistyped)
    assert not Path(mistyped.registry.url).exists()
    assert open_registry(local).state.seq == 1
    Path(mistyped.registry.url).mkdir()
    assert open_registry(mistyped).state.seq == 1


def test_reloading_forgets_nothing_when_there_is_nothing(local: Settings) -> None:
    registry = select_one(local.registry.url)
    Path(local.registry.url).rename(Path(local.registry.url).with_name("gone"))
    with pytest.raises(LogReplaced):
        registry.reload()
    assert registry.state.seq == 3
