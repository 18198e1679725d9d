"""The search for messages that no profile reads, on a real broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from threading import Event

from command.doctor import buffer_facts
from ingest import look
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import Settings

Eventually = Callable[..., None]


def test_a_device_on_another_topic_is_found_and_recorded_for_the_doctor(settings: Settings, mark: str) -> None:
    device = Link(settings.mqtt, LinkOptions(f"device-{mark}"), Event())
    device.open(60.0)
    stop = Event()
    thread = look.look_in_background(settings, stop, 2.0)
    body = json.dumps({"lux": 1, "temperature": 2, "vibration": 0}).encode()
    messages = [Outgoing(f"{mark}/esp01/readings", body), Outgoing(f"{mark}/esp01/reading", body)]
    while thread.is_alive():
        assert device.confirmed(device.publish(messages), 60.0)
        thread.join(0.1)
    device.close()
    found = {each.topic: each for each in buffer_facts.unread(settings.redis)}
    assert f"{mark}/esp01/reading" not in found
    told = found[f"{mark}/esp01/readings"]
    assert told.device == "esp01"
    assert f"ZELADOR_TOPICS__READING={mark}/{{device_id}}/readings would read it" in told.advice


def test_it_disconnects_during_a_flood_and_stops_on_request(settings: Settings, mark: str) -> None:
    device = Link(settings.mqtt, LinkOptions(f"device-{mark}"), Event())
    device.open(60.0)
    stop, topics = Event(), look.UnreadTopics(settings)
    thread = threading.Thread(target=look.listen, args=(settings, f"look-{mark}", topics, stop, 60.0))
    thread.start()
    for _ in range(3):
        flood = [Outgoing(f"{mark}/flood", b"x") for _ in range(3_000)]
        assert device.confirmed(device.publish(flood), 20.0)
    device.close()
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert 0 < topics._counts.get(f"{mark}/flood", 1) <= 4 * look.MAX_PER_S
