"""Values on separate topics become readings, once each, even if a process dies in between."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import Event

import pytest
import redis

from tests.buffers import labeled_rows, make_reader, make_writer
from zelador.buffer import budget
from zelador.buffer.batch import MAX_WINDOWS, assemble_arguments
from zelador.buffer.keys import Keys
from zelador.decode import Decoder, Part
from zelador.ledger import LedgerReader
from zelador.link import Link, LinkOptions, Outgoing
from zelador.link.message import Message
from zelador.messages import Arrival
from zelador.quarantine import Quarantine
from zelador.settings import Settings, environment

Eventually = Callable[..., None]
FEATURES = ("lux", "temperature", "vibration")
NOW = time.time_ns() // 1_000_000


@pytest.fixture
def settings(settings: Settings, mark: str) -> Settings:
    table = {
        "topic": f"{mark}/{{device_id}}/sensor/{{field}}/state", "preset": "esphome", "window_s": 3_600,
    }  # fmt: skip
    return settings.model_copy(update={"profiles": ("esp",), "profile_tables": {"esp": table}})


class Site:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.writer = make_writer(settings, Event(), "test")
        self.client: redis.Redis = self.writer.connection.client
        self.keys = Keys(settings.redis.prefix)
        self.topic = settings.profile_tables["esp"]["topic"]
        self._decoder = Decoder(settings)
        self._packet = 0

    def part(self, field: str, value: object, device: str = "esp01", at: int = NOW, qos: int = 1) -> Part:
        self._packet += 1
        topic = self.topic.replace("{device_id}", device).replace("{field}", field)
        found = self._decoder.part(Message(topic, str(value).encode(), at, 1, self._packet, qos))
        assert isinstance(found, Part), found
        return found

    def arrivals(self) -> list[Arrival]:
        reader = make_reader(self.settings, Event(), "worker")
        entries = reader.read(10_000, 0) or reader.read(10_000, 0)
        return [arrival for entry in entries for arrival in entry.arrivals or ()]

    def values(self) -> list[tuple[float | None, ...]]:
        return [reading.values for arrival in self.arrivals() for reading in arrival.readings]

    def ledger(self) -> dict[str, int]:
        return dict(LedgerReader(self.client, self.settings.redis.prefix).read().flat())

    def open(self) -> int:
        return self.client.zcard(self.keys.windows)


@pytest.fixture
def site(settings: Settings) -> Site:
    return Site(settings)


def test_a_window_with_all_its_values_is_a_reading(site: Site) -> None:
    stored, _ = site.writer.assemble([site.part("illuminance", 412), site.part("temperature", 21.3)])
    assert (stored.accepted, stored.backlog, site.open()) == (0, 0, 1)
    stored, _ = site.writer.assemble([site.part("vibration", 0.5, at=NOW + 70)])
    assert (stored.accepted, stored.backlog, site.open()) == (1, 1, 0)
    (arrival,) = site.arrivals()
    assert (arrival.device_id, arrival.profile, arrival.received_at) == ("esp01", "esp", NOW + 70)
    assert arrival.readings[0].values == (412.0, 21.3, 0.5)
    assert arrival.readings[0].measured_at == NOW + 70
    ledger = site.ledger()
    assert (ledger["received"], ledger["accepted"], ledger["unaccounted"]) == (1, 1, 0)
    assert int(site.client.hget(site.keys.device("esp01"), "readings")) == 1


def test_a_window_that_is_due_becomes_a_reading_with_the_values_it_has(site: Site, settings: Settings) -> None:
    old = NOW - 3_700_000
    site.writer.assemble([site.part("temperature", 21, at=old), site.part("temperature", 22, at=old + 5)])
    site.writer.assemble([site.part("temperature", 7, device="new")])
    assert site.values() == [(None, 22.0, None)]  # the newest value of a field counts
    assert site.open() == 1
    site.writer.assemble([])
    assert (site.open(), site.ledger()["accepted"]) == (1, 1)
    assert labeled_rows(site.client, settings) == []


def test_two_devices_and_values_in_any_order(site: Site) -> None:
    parts = [
        site.part(field, number, device=device)
        for device in ("a", 'b"é\\', "c d")
        for number in range(20)
        for field in ("lux", "temperature", "vibration")
    ]
    by_device = {d: [p for p in parts if p.device == d] for d in ("a", 'b"é\\', "c d")}
    shuffled = [by_device[device].pop(0) for device in random.Random(3).sample([p.device for p in parts], len(parts))]
    site.writer.assemble(shuffled)
    expected = Counter((p.device, (float(n),) * 3) for p in parts[::60] for n in range(20))
    found = Counter((a.device_id, a.readings[0].values) for a in site.arrivals())
    assert found == expected
    assert site.ledger()["unaccounted"] == 0


def test_a_step_whose_reply_is_lost_is_done_once(site: Site, settings: Settings) -> None:
    parts = [site.part(field, 1) for field in ("lux", "temperature", "vibration", "lux")]
    keys, arguments = assemble_arguments(settings, "test/parts", "token", NOW, parts)
    first, _ = site.writer._library.call("assemble", keys, arguments)
    again, _ = site.writer._library.call("assemble", keys, arguments)
    assert (first[0], again[2]) == (1, 1)
    assert (site.values(), site.open(), site.ledger()["received"]) == ([(1.0, 1.0, 1.0)], 1, 1)


def test_a_value_that_the_broker_sends_again_is_stored_once(site: Site) -> None:
    parts = [site.part(field, 5) for field in ("lux", "temperature", "vibration")]
    site.writer.assemble(parts)
    site.writer.assemble([replace_again(part) for part in parts])
    assert (site.open(), site.ledger()["received"]) == (0, 1)
    other = replace_again(site.part("lux", 6))  # it was never stored, because of the kill
    site.writer.assemble([other])
    assert site.open() == 1
    equal = [replace_again(site.part("lux", 7, qos=0)) for _ in range(2)]  # QoS 0 has no packet id
    assert len(site.writer.assemble(equal)[1]) == 0


def replace_again(part: Part) -> Part:
    fields = {name: getattr(part, name) for name in part.__struct_fields__}
    return Part(**{**fields, "again": True})


def test_open_windows_are_bounded(site: Site) -> None:
    """Invented device names cannot fill the memory; known devices continue."""
    site.writer.assemble([site.part("lux", 1, device="known")])
    name = "😀" * 120
    refused = 0
    for at in range(0, MAX_WINDOWS + 500, 500):
        refused += len(
            site.writer.assemble([site.part("lux", 1, device=f"{i:08d}{name}") for i in range(at, at + 500)])[1]
        )
    assert (site.open(), refused) == (MAX_WINDOWS, 501)
    assert site.writer.assemble([site.part("temperature", 1, device="known")])[1] == []
    windows = list(site.client.scan_iter(match="*:window:*", count=1_000))
    sample = windows[:200]
    each = sum(site.client.memory_usage(key, samples=0) or 0 for key in sample) / len(sample)
    total = each * MAX_WINDOWS + (site.client.memory_usage(site.keys.windows, samples=0) or 0)
    seen = site.client.memory_usage(site.keys.parts_seen("test/parts"), samples=0) or 0
    assert total + seen * 65_535 / (MAX_WINDOWS + 502) <= budget.WINDOWS


def test_scripts_do_the_same_as_functions(site: Site) -> None:
    library = site.writer._library
    library._scripts = {}
    from zelador.buffer.library import script_text

    library._scripts = {"assemble": site.client.register_script(script_text("assemble"))}
    stored, _ = site.writer.assemble([site.part(field, 1) for field in ("lux", "temperature", "vibration")])
    assert stored.accepted == 1


def test_a_value_in_quarantine_is_replayed_as_a_separate_reading(site: Site, settings: Settings) -> None:
    from ingest.lots import lots

    topic = site.topic.replace("{device_id}", "esp01").replace("{field}", "temperature")
    messages = [Message(topic, b"1500", NOW, 1, 1, 1), Message(topic, b"20", NOW, 1, 2, 1)]
    (lot,) = lots(messages, Decoder(settings), 1_000)
    assert (len(lot.parts), len(lot.refused)) == (1, 1)
    site.writer.append([], lot.refused)
    (kept,) = Quarantine(site.client, settings).page()
    assert (kept.profile, kept.device) == ("esp", "esp01")
    assert "1500 °C, outside" in kept.reason
    wider = settings.model_copy(update={"fields": {"temperature": settings.field("temperature").model_copy(
        update={"maximum": 2_000.0})}})  # fmt: skip
    assert Quarantine(site.client, wider).replay(kept.id).outcome == "accepted"
    assert site.values() == [(None, 1500.0, None)]
    gone = settings.model_copy(update={"profiles": (), "profile_tables": {}})
    site.writer.append([], lot.refused)
    (kept,) = Quarantine(site.client, gone).page()
    assert "not in ZELADOR_PROFILES any more" in (Quarantine(site.client, gone).replay(kept.id).reason or "")


def test_an_ingester_that_is_killed_loses_no_value_and_makes_no_reading_twice(
    settings: Settings, eventually: Eventually
) -> None:
    site, count, each = Site(settings), 600, 300
    topic = settings.profile_tables["esp"]["topic"].replace("{device_id}", "esp01")
    device = Link(settings.mqtt, LinkOptions(f"device-{settings.redis.prefix}"), Event())
    device.open(60.0)
    process = start(settings)
    try:
        eventually(lambda: connected(site), "the ingester", 20.0)
        for at in range(0, count, each):
            batch = [
                Outgoing(topic.replace("{field}", field), str(number).encode())
                for number in range(at, at + each)
                for field in ("lux", "temperature", "vibration")
            ]
            sent = device.publish(batch)
            eventually(lambda at=at: device.keep_alive() or site.ledger()["accepted"] > at + 10, "some readings")
            process.kill()
            process.wait()
            process = start(settings)
            assert device.confirmed(sent, 20.0)
        eventually(lambda: site.ledger()["accepted"] >= count, "all readings", 30.0)
    finally:
        process.kill()
        process.wait()
        device.close()
    assert Counter(site.values()) == Counter({(float(n), float(n), float(n)): 1 for n in range(count)})
    ledger = site.ledger()
    assert (ledger["received"], ledger["unaccounted"], site.open()) == (count, 0, 0)


def start(settings: Settings) -> subprocess.Popen[bytes]:
    values = {name: value for name, value in os.environ.items() if not name.startswith("ZELADOR_")}
    command = [sys.executable, "-m", "zelador", "ingest"]
    return subprocess.Popen(command, env={**values, **environment(settings)}, stderr=subprocess.DEVNULL)


def connected(site: Site) -> bool:
    with suppress(redis.RedisError):
        return bool(site.client.hget(site.keys.worker("ingest", site.settings.ingest.client_id), "connected_at"))
    return False
