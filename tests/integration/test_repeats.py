"""Repeats are recognized by their content, on a real Redis, from the bytes that a device sent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest
import redis

from command.doctor import buffer_facts
from command.doctor.buffer import repeats
from operations.views.devices import Devices
from operations.views.stream import Recent
from tests.buffers import labeled_rows, make_reader, make_writer
from zelador.buffer import budget
from zelador.buffer.keys import Keys
from zelador.buffer.writer import Accepted
from zelador.decode import Decoder
from zelador.ledger import LedgerReader
from zelador.messages import Reading, prediction_id
from zelador.quarantine import Quarantine
from zelador.settings import Settings

NOW = 1_795_514_400_000


class Site:
    """An ingester without a broker: messages go through the decoder into the buffer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.writer = make_writer(settings, Event(), "test")
        self.client: redis.Redis = self.writer.connection.client
        self.keys = Keys(settings.redis.prefix)
        self._decoder = Decoder(settings)
        self._clock = itertools.count(NOW)

    def send(self, *messages: object, device: str = "press", batch: bool = False) -> Accepted:
        """Sends each message in a separate batch, a millisecond after the previous one; or all in one batch."""
        arrivals = []
        for message in messages:
            topic, payload = self.settings.topics.reading.replace("{device_id}", device), json.dumps(message).encode()
            arrival, refused = self._decoder.decode(topic, payload, next(self._clock))
            assert arrival is not None and not refused
            arrivals.append(arrival)
        if batch:
            return self.writer.append(arrivals, [])
        done = [self.writer.append([arrival], []) for arrival in arrivals]
        return Accepted(sum(d.accepted for d in done), sum(d.repeated for d in done), *_rest(done))

    def stored(self) -> list[Reading]:
        reader = make_reader(self.settings, Event(), "worker")
        entries = reader.read(10_000, 0) or reader.read(10_000, 0)
        return [each for entry in entries for arrival in entry.arrivals or () for each in arrival.readings]

    def ledger(self) -> dict[str, int]:
        return dict(LedgerReader(self.client, self.settings.redis.prefix).read().flat())


def _rest(done: Sequence[Accepted]) -> tuple[Any, ...]:
    last = done[-1]
    return (last.backlog, last.discarded, last.quarantine_full, 0, 0, sum(d.not_unique for d in done))


@pytest.fixture
def site(settings: Settings) -> Site:
    return Site(settings)


def sample(number: int, **more: object) -> dict[str, object]:
    return {"lux": 400 + number, "temperature": 40.0, "vibration": 1.0, **more}


STATIC = {
    "the sensor's id in each message": [sample(i, id=5, model="Prologue") for i in range(50)],
    "whole seconds and a number that stays 0": [sample(i, ts=NOW // 1000, seq=0) for i in range(50)],
    "only the time differs": [sample(0, id="s", ts=NOW - 50_000 + 1000 * i) for i in range(50)],
    "the time differs by less than a millisecond": [
        sample(0, id="s", ts=f"2026-11-24T09:00:00.000{i:03d}Z") for i in range(50)
    ],
    "only the number differs": [sample(0, id="s", seq=i) for i in range(50)],
    "values that are easily confused": [
        sample(0, id="s", temperature=value) for value in [-1.0, -2.0, 0.0, 1.0, 1.0000000001, 2.0]
    ],
}


@pytest.mark.parametrize("name", STATIC)
@pytest.mark.parametrize("batch", [True, False])
def test_different_content_under_a_known_id_is_a_different_reading(site: Site, name: str, batch: bool) -> None:
    messages = STATIC[name]
    done = site.send(*messages, batch=batch)
    assert (done.accepted, done.repeated) == (len(messages), 0)
    readings = site.stored()
    assert len({prediction_id(reading, "press", "digest") for reading in readings}) == len(messages)
    again = site.send(*messages, batch=batch)
    assert (again.accepted, again.repeated) == (0, len(messages))
    assert site.ledger()["unaccounted"] == 0


def test_the_same_bytes_are_a_repeat_whenever_they_arrive(site: Site) -> None:
    """A reading without a time counts as measured when it arrives, which differs between two deliveries."""
    assert site.send(sample(1, id="a"), sample(1, id="a")).repeated == 1
    assert site.send([sample(2, id="b"), sample(2, id="b"), sample(3, id="b")]).accepted == 2
    assert site.send(sample(1), sample(1)).accepted == 2  # nothing tells these apart from two readings
    assert site.send(sample(1, id="a"), device="pump").accepted == 1


def test_a_long_id_is_recognized_by_its_content_too(site: Site) -> None:
    first, second = sample(1, id="x" * 128), sample(2, id="x" * 128)
    assert site.send(first, second, first, second, device="d" * 100).accepted == 2


def test_the_label_of_a_repeat_belongs_to_the_first_reading(site: Site, settings: Settings) -> None:
    """A device can label a reading afterwards: it sends the same reading again, with a label."""
    site.send(sample(1, id="a"), sample(2, id="b", label="no"), [sample(3, id="c"), sample(4, id="c")])
    done = site.send(sample(1, id="a", label="yes"), [sample(4, id="c", label="late"), sample(2, id="b", label="yes")])
    assert (done.accepted, done.repeated) == (0, 3)
    site.send(sample(1, id="a", label="changed"))  # the first label stays
    found = {values[0]: label for values, label, *_ in labeled_rows(site.client, settings)}
    assert found == {401.0: "yes", 402.0: "no", 404.0: "late"}
    shown, _ = Recent(site.client, settings.redis.prefix).readings(10, None, None)
    assert {each["values"]["lux"]: each["label"] for each in shown} == {**found, 403.0: None}


def test_labels_that_come_late_are_bounded(site: Site, settings: Settings) -> None:
    for at in range(0, 72_000, 4_000):
        many = [sample(i, id=f"{at + i}") for i in range(4_000)]
        site.send(many)
        site.send([{**each, "label": "x" * 128} for each in many])
    sizes = [site.client.memory_usage(key, samples=0) or 0 for key in site.keys.late_labels]
    assert 0 < sum(sizes) < budget.LATE_LABELS
    newest = labeled_rows(site.client, settings)
    assert 20_000 < len(newest) < 72_000


def test_a_device_that_sends_mostly_repeats_is_found(site: Site, settings: Settings) -> None:
    site.send(*(sample(i, id=f"good-{i}") for i in range(60)), device="good")
    site.send(*(sample(i, id=f"bad-{i}") for i in range(40)), device="bad")
    said = [site.send(sample(1, id="bad-1"), device="bad", batch=True).repeating for _ in range(41)]
    assert [each for each in said if each] == ["bad"]
    assert said[40] == "bad"  # 41 of 81
    site.send(*([sample(1, id="good-1")] * 5), device="good")
    found = {each.device_id: each for each in Devices(site.client, settings.redis.prefix).page(10, 0)[0]}
    assert (found["bad"].repeats, found["bad"].repeating) == (41, True)
    assert (found["good"].repeats, found["good"].repeating) == (5, False)
    (finding,) = repeats(buffer_facts.look(settings.redis))
    assert "bad 41 of 81" in finding.what
    site.send(*(sample(i, id=f"more-{i}") for i in range(100)), device="bad")  # it is repaired, and forgotten
    assert site.client.hkeys(site.keys.repeating) == [b"good"]


def test_devices_that_repeat_are_bounded(site: Site) -> None:
    for number in range(1_100):
        site.send(sample(1, id="a"), sample(1, id="a"), device=f'd"{number}', batch=True)
    assert site.client.hlen(site.keys.repeating) == 1_000


def test_ids_of_the_previous_version_are_still_known(site: Site) -> None:
    """It stored `device, id`. A message delivered again after the upgrade is a repeat. The next one with that id
    and other content is a reading, so a device whose id never changes loses at most one."""
    site.client.hset(site.keys.ledger, mapping={"received": 2, "accepted": 2, "classified": 2, "seen": 1})
    site.client.sadd(site.keys.seen[0], "press\x1fa")
    site.client.sadd(site.keys.seen[1], "press\x1f5")
    done = site.send(sample(1, id="a"), sample(1, id="a"), sample(1, id=5), sample(2, id=5), sample(3, id=5))
    assert (done.accepted, done.repeated) == (2, 3)
    assert site.ledger()["unaccounted"] == 0


def test_with_unique_ids_different_content_is_quarantined(settings: Settings) -> None:
    ingest = settings.ingest.model_copy(update={"unique_ids": True})
    site = Site(settings.model_copy(update={"ingest": ingest}))
    done = site.send(sample(1, id="a"), sample(1, id="a"), sample(2, id="a"), [sample(3, id="a"), sample(4, id="b")])
    assert (done.accepted, done.repeated, done.not_unique) == (2, 1, 2)
    assert site.send(sample(5, id="c"), sample(6, id="c"), sample(5, id="c"), batch=True).not_unique == 1
    ledger = site.ledger()
    assert (ledger["accepted"], ledger["repeated"], ledger["quarantined"], ledger["unaccounted"]) == (3, 2, 3, 0)
    quarantine = Quarantine(site.client, site.settings)
    newest = quarantine.page()[0]
    assert "the id 'c' came before" in newest.reason
    assert newest.topic == settings.topics.reading.replace("{device_id}", "press")
    assert quarantine.replay(newest.id).outcome == "still_refused"
    replays = list(Quarantine(site.client, settings).replay_all())  # without the rule they are readings
    assert [each.outcome for each in replays] == ["accepted"] * 3
    ledger = site.ledger()
    assert (ledger["accepted"], ledger["quarantined"], ledger["unaccounted"]) == (6, 0, 0)
    assert {reading.values[0] for reading in site.stored()} == {401.0, 402.0, 403.0, 404.0, 405.0, 406.0}
