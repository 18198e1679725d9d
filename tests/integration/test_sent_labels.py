"""Labels that devices publish: stored, refused ones in quarantine, and an id is a device's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from ingest import service
from operations.views.stream import Recent
from tests.integration.test_repeats import NOW, Site, sample
from zelador.buffer import Refused
from zelador.clock import now_ms
from zelador.labels import Labels
from zelador.link import Link, LinkOptions, Outgoing
from zelador.messages import iso
from zelador.quarantine import Quarantine
from zelador.settings import Settings


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    stop = Event()
    found = settings.model_copy(update={"metrics": settings.metrics.model_copy(update={"port": None})})
    thread = threading.Thread(target=service.run, args=(found, stop))
    thread.start()
    yield Site(found)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def device(site: Site) -> Iterator[Link]:
    stop = Event()
    link = Link(site.settings.mqtt, LinkOptions(f"device-{site.settings.redis.prefix}"), stop)
    link.open(10)
    yield link
    link.close(None)


def test_a_device_labels_its_own_readings(site: Site, device: Link, eventually: Callable) -> None:
    prefix = site.settings.redis.prefix
    followed, recent = Labels(site.client, prefix), Recent(site.client, prefix)
    begin = NOW
    site.send(*(sample(i, ts=begin + 1_000 * i) for i in range(4)))
    site.send(sample(9, ts=begin + 1_000), device="pump")

    def publish(name: str, message: object) -> None:
        topic = site.settings.topics.label.replace("{device_id}", name)
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        assert device.confirmed(device.publish([Outgoing(topic, payload)]), 10)

    def is_heard() -> bool:
        publish("first", {"from": iso(begin), "label": "x"})
        return bool(followed.snapshot().labels)

    period = {"from": iso(begin + 1_000), "to": iso(begin + 3_000), "label": "yes", "id": "1"}

    eventually(is_heard, "the ingester to subscribe")
    publish("press", period)
    publish("press", period)
    publish("press", b"{")
    publish("press", {**period, "label": "other"})
    publish("pump", {**period, "label": "no"})  # the same id, of another device
    eventually(lambda: len(followed.snapshot().labels) == 3, "the labels")
    assert {(each.id, each.device, each.label) for each in followed.snapshot().labels} >= {
        ("1", "press", "yes"), ("pump:1", "pump", "no")
    }  # fmt: skip
    shown, _ = recent.readings(10, None, None)
    assert [(each["device_id"], each["label"]) for each in reversed(shown)] == [
        ("press", None), ("press", "yes"), ("press", "yes"), ("press", None), ("pump", "no")
    ]  # fmt: skip
    quarantine = Quarantine(site.client, site.settings)
    eventually(lambda: len(quarantine.page()) == 2, "the refused ones")
    assert {"another content" in each.reason or "JSON" in each.reason for each in quarantine.page()} == {True}
    assert site.ledger()["unaccounted"] == 0
    (kept,) = [each for each in quarantine.page() if "another" in each.reason]
    assert quarantine.replay(kept.id).outcome == "still_refused"


def test_a_refused_label_is_replayed_once_its_cause_is_gone(settings: Settings) -> None:
    site = Site(settings)
    payload = json.dumps({"from": iso(now_ms() - 1_000), "label": "yes"}).encode()
    topic = settings.topics.label.replace("{device_id}", "press")
    site.writer.append([], [Refused.of(topic, "too many", payload, now_ms(), most=1_000, device="press")])
    quarantine = Quarantine(site.client, settings)
    (kept,) = quarantine.page()
    assert quarantine.replay(kept.id).outcome == "accepted"
    assert quarantine.page() == []
    (label,) = Labels(site.client, settings.redis.prefix).snapshot().labels
    assert (label.device, label.label, label.source) == ("press", "yes", "mqtt")
