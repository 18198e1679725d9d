"""What the demo counts as its own, while somebody else publishes to its broker."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from types import SimpleNamespace

import msgspec

from command.demo.scenarios import Scenario
from command.demo.story import Story, summary
from zelador.link import Link, LinkOptions, Outgoing
from zelador.messages import Prediction
from zelador.settings import Settings

NOW = "2026-11-27T10:00:00.000Z"


def said(settings: Settings, device: str, reading: str) -> Outgoing:
    found = Prediction(reading, reading, device, NOW, "yes", 0.9, None, "m", "0" * 64, 1, NOW)
    return Outgoing(settings.topics.prediction.format(device_id=device), msgspec.json.encode(found))


def test_readings_of_others_are_neither_lost_nor_found_by_the_demo(
    settings: Settings, mark: str, eventually: Callable[..., None]
) -> None:
    """What others publish counts apart, and the demo never loses fewer readings than none."""
    stop = Event()
    story = Story(Scenario("machines", "", (), (), ()), settings, SimpleNamespace(), stop, 0.0, 1.0)  # type: ignore[arg-type]
    other = Link(settings.mqtt, LinkOptions(f"other-{mark}"), stop)
    other.open(30.0)
    try:
        subscriber, progress = story.subscriber, story.progress
        subscriber.follow("press-01")
        progress.published = 4
        own = [("press-01", "history-0"), ("press-01", "history-1"), ("press-01", "history-0")]
        own.append(("press-01", "live-6a1f-0"))
        others = [("judge-a", f"live-6a1f-{number}") for number in range(20)] + [("press-01", "0f9d0c5a")]
        messages = [said(settings, *each) for each in (*others, *own)]
        assert other.confirmed(other.publish(messages), 30.0)
        eventually(lambda: subscriber.others == 21 and subscriber.repeated == 1, "all predictions")
        found = summary(story, {"home": ""})
        assert [found[name] for name in ("predictions", "lost", "repeated_predictions", "others")] == [3, 1, 1, 21]
        progress.published = 2  # the summary is made while more arrives
        assert summary(story, {"home": ""})["lost"] == 0
    finally:
        other.close()
        story._devices.close()
        story.close()
