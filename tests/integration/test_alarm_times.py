"""The time in alarm of each device, from the changes that Redis keeps. Each is read once, for all devices together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from operations.views import alarm_time
from operations.views.alarm_time import READ_CHUNK, AlarmTimeReader
from operations.views.devices import Devices
from zelador.buffer.keys import Keys
from zelador.clock import now_ms
from zelador.settings import Settings

MINUTE = 60_000


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    found = redis.Redis.from_url(settings.redis.url, protocol=2)
    yield found
    found.close()


def changed(client: redis.Redis, mark: str, at: int, device: str, before: str, state: str) -> None:
    """Changes a device as buffer/lua/alarms.lua does."""
    keys = Keys(mark)
    client.zadd(keys.devices, {device: at})
    client.zrem(keys.in_state(before), device)
    client.zadd(keys.in_state(state), {device: at})
    client.xadd(keys.device_events, {"device": device, "from": before, "to": state, "at": at}, id=f"{at}-*")


def reads(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_xrange", {}).get("calls", 0))


def test_devices_are_sorted_by_their_time_in_alarm(client: redis.Redis, mark: str) -> None:
    now = now_ms()
    for place in range(60):
        changed(client, mark, now - 90 * MINUTE, f"d-{place:02d}", "ok", "ok")
    changed(client, mark, now - 80 * MINUTE, "d-07", "ok", "alarm")
    changed(client, mark, now - 70 * MINUTE, "d-41", "ok", "alarm")
    changed(client, mark, now - 60 * MINUTE, "d-41", "alarm", "acknowledged")
    changed(client, mark, now - 50 * MINUTE, "d-07", "alarm", "ok")
    devices = Devices(client, mark)
    found, total = devices.page(3, 0, ("alarm", "acknowledged", "ok"), sort="alarm_minutes")
    assert total == 60
    assert [(each.device_id, round(each.alarm_minutes)) for each in found[:2]] == [("d-41", 70), ("d-07", 30)]
    assert found[2].alarm_minutes == 0.0
    assert devices.page(9, 0, ("ok",), "7", "alarm_minutes")[0][0].device_id == "d-07"
    last = devices.alarm_times().last
    assert last is not None
    assert (last.device_id, last.since, last.until) == ("d-07", now - 80 * MINUTE, now - 50 * MINUTE)


def test_a_change_is_read_once_and_a_lost_redis_begins_again(
    client: redis.Redis, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, clock = now_ms(), [0.0]
    for place in range(2 * READ_CHUNK + 10):
        changed(client, mark, now - 50 * MINUTE + place, f"d-{place % 10}", "ok", "suspect")
    changed(client, mark, now - 30 * MINUTE, "d-1", "suspect", "alarm")
    reader = AlarmTimeReader(client, mark, lambda: clock[0])
    assert round(reader.read().ms["d-1"] / MINUTE) == 30
    clock[0], before = 10.0, reads(client)
    changed(client, mark, now - 20 * MINUTE, "d-1", "alarm", "ok")
    assert round(reader.read().ms["d-1"] / MINUTE) == 10
    assert reads(client) - before <= 2  # the oldest change, and the new ones
    assert {len(each) for each in reader._course.spans.values()} == {1}
    changed(client, mark, now - 19 * MINUTE, "d-2", "ok", "ok")
    monkeypatch.setattr(alarm_time, "WEEK_MS", 15 * MINUTE)
    clock[0] = 15.0
    reader.read()
    assert reader._course.spans == {}  # what nobody asks for is not kept
    client.delete(Keys(mark).device_events)
    clock[0] = 20.0
    assert reader.read().ms == {}
