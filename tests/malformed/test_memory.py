"""While Redis is full, the ingester limits held messages by number and bytes, so that large ones do not kill it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.buffers import make_writer
from tests.integration.test_redis_away import OwnRedis
from tests.integration.test_redis_away import own as own
from tests.malformed.through import Through
from zelador.link import Outgoing
from zelador.settings import Settings

MIB = 1_048_576
ELEMENT = {"lux": 1.0, "temperature": 5_000, "vibration": 1.0}  # too hot for any machine
KINDS = {
    "ten megabytes each": (40, b"x" * (10 * MIB), 1),
    "ten thousand bad elements each": (30, json.dumps([ELEMENT] * 10_000).encode(), 10_000),
}


@pytest.mark.parametrize("kind", KINDS)
def test_memory_has_a_bound_while_redis_is_full(
    settings: Settings, own: OwnRedis, tmp_path: Path, kind: str, eventually: Callable[..., None]
) -> None:
    count, payload, readings = KINDS[kind]
    redis = settings.redis.model_copy(update={"url": own.url})
    mqtt = settings.mqtt.model_copy(update={"held_bytes": 32 * MIB})
    make_writer(Settings(redis=redis), threading.Event(), "test").connection.open(60.0)  # it answers
    with Through(settings.model_copy(update={"redis": redis, "mqtt": mqtt}), tmp_path) as through:
        client = own.client()
        client.config_set("maxmemory", "1")
        name = settings.topics.reading.format(device_id="press")
        published = through._device.publish([Outgoing(name, payload)] * count)
        assert through._device.confirmed(published, 60.0)
        peaks, stop = [through.rss()], threading.Event()

        def watch() -> None:
            while not stop.wait(0.02):
                peaks.append(through.rss())

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        begun = time.monotonic()
        eventually(lambda: time.monotonic() - begun > 2.0, "it to hold what it can")
        assert through.received() == 0
        client.config_set("maxmemory", "0")
        eventually(lambda: through.received() == count * readings, "all to be counted", 60.0)
        stop.set()
        watcher.join()
        assert len(peaks) > 10
        said = f"from {peaks[0] / MIB:.0f} to {max(peaks) / MIB:.0f} MiB"
        assert max(peaks) - peaks[0] < 160 * MIB, said
        assert client.info("memory")["used_memory_peak"] < 160 * MIB, said
        client.close()
