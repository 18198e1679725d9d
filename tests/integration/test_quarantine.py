"""The quarantine on a real Redis: messages can be shown, replayed or discarded, and the ledger closes."""

from __future__ import annotations

import json
from threading import Event
from typing import Any

import pytest
import redis

from inference.answer import answer
from operations.actor import Actor
from operations.acts import quarantine as acts
from operations.audit import Act
from tests.buffers import make_reader, make_writer
from tests.integration.test_buffer import drain, entry
from tests.memory_audit import MemoryAudit
from zelador.buffer import Outcome, Refused, connect_redis
from zelador.buffer.batch import refusals
from zelador.buffer.keys import Keys
from zelador.decode import Decoder
from zelador.errors import InvalidInput, NotFound
from zelador.ledger import LedgerReader
from zelador.messages import encode_json
from zelador.quarantine import Quarantine
from zelador.settings import FieldSettings, Settings

HOT = b'{"lux": 1, "temperature": 5000, "vibration": 0.1, "id": "hot"}'


class Site:
    """A buffer with its writer, reader and quarantine."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client: redis.Redis = connect_redis(settings.redis)
        self.writer = make_writer(settings, Event(), "test")
        self.reader = make_reader(settings, Event(), "worker")
        self.ledger = LedgerReader(self.client, settings.redis.prefix)
        self.quarantine = Quarantine(self.client, settings)

    def refuse(self, *payloads: bytes) -> list[str]:
        decoder, topic = Decoder(self.settings), self.settings.topics.reading.format(device_id="press")
        for payload in payloads:
            arrival, bad = decoder.decode(topic, payload, 1_795_514_400_000)
            refused = [Refused.of(topic, why, part, 1_000, most=1_048_576) for why, part in bad]
            self.writer.append([arrival] if arrival else [], refused)
        return [kept.id for kept in reversed(self.quarantine.page())]

    def mended(self) -> Quarantine:
        wider = FieldSettings(unit="°C", minimum=-100.0, maximum=10_000.0)
        return Quarantine(self.client, self.settings.model_copy(update={"fields": {"temperature": wider}}))

    def closes(self) -> dict[str, int]:
        found = self.ledger.read().flat()
        assert found["unaccounted"] == 0
        return {name: count for name, count in found.items() if count}


@pytest.fixture
def site(settings: Settings) -> Site:
    return Site(settings)


def test_messages_that_would_pass_now_are_counted_without_a_change(site: Site) -> None:
    long = b'{"lux": 1, "temperature": 5000, "vibration": 0.1, "more": "%s"}' % (b"x" * 500)
    hot, wide, bad, huge = site.refuse(HOT, long, b"{", b"[%s" % (b"1," * 700_000))
    site.writer.append([], [Refused.of("sensors/press/reading", "cut", b"{}" * 40, 1_000, most=10)])
    before, listed = site.closes(), site.quarantine.page()
    cut = listed[0].id
    assert site.quarantine.would_pass(listed) == {hot: False, wide: False, bad: False, cut: False}, (
        "without the huge one"
    )
    assert site.mended().would_pass(listed) == {hot: True, wide: True, bad: False, cut: False}
    assert huge in {each.id for each in listed}
    assert site.closes() == before


def test_messages_are_listed_and_shown_with_their_bytes(site: Site) -> None:
    first, second = site.refuse(HOT, b"\xff" * 1_000)
    newest, oldest = site.quarantine.page()
    assert (newest.id, oldest.id) == (second, first)
    assert newest.payload == b"\xff" * 256
    assert site.quarantine.get(second).payload == b"\xff" * 1_000
    assert oldest.kind == "refused"
    assert oldest.reason == "temperature is 5000 °C, outside -100 to 1000"
    assert oldest.topic.endswith("press/reading")
    assert [kept.id for kept in site.quarantine.page(1)] == [second]
    assert [kept.id for kept in site.quarantine.page(5, before=second)] == [first]
    assert site.quarantine.page(kind="set_aside") == []


def test_a_replay_moves_a_reading_from_quarantined_to_accepted_once_the_cause_is_fixed(site: Site) -> None:
    (hot,) = site.refuse(HOT)
    assert site.closes() == {"received": 1, "quarantined": 1}
    still = site.quarantine.replay(hot)
    assert (still.outcome, still.reason) == ("still_refused", "temperature is 5000 °C, outside -100 to 1000")
    assert site.closes() == {"received": 1, "quarantined": 1}
    assert site.mended().replay(hot).outcome == "accepted"
    assert site.closes() == {"received": 1, "accepted": 1, "waiting": 1}
    (delivered,) = drain(site.reader)
    assert delivered.arrivals[0].readings[0].values == (1.0, 5000.0, 0.1)
    with pytest.raises(NotFound):
        site.quarantine.replay(hot)


def test_a_replay_of_a_reading_that_came_again_is_a_repeat(site: Site) -> None:
    (hot,) = site.refuse(HOT)
    decoder = Decoder(site.mended()._settings)
    arrival, _ = decoder.decode(site.settings.topics.reading.format(device_id="press"), HOT, 1_000)
    site.writer.append([arrival], [])
    assert site.mended().replay(hot).outcome == "repeated"
    assert site.closes() == {"received": 2, "accepted": 1, "repeated": 1, "waiting": 1}


def test_a_replayed_array_is_counted_by_its_readings(site: Site) -> None:
    """An array of three that was too long counted as one; after the replay it is two readings and a refused element."""
    few = site.settings.model_copy(update={"ingest": site.settings.ingest.model_copy(update={"max_array": 1})})
    ids = Site(few).refuse(
        b'[{"lux":1,"temperature":2,"vibration":3},{"lux":"x"},{"lux":4,"temperature":5,"vibration":6}]'
    )
    assert site.closes() == {"received": 1, "quarantined": 1}
    done = site.quarantine.replay(ids[0])
    assert (done.outcome, done.readings) == ("accepted", 2)
    assert site.closes() == {"received": 3, "accepted": 2, "quarantined": 1, "waiting": 2}


def test_a_replayed_set_aside_reading_waits_again_unchanged(site: Site) -> None:
    site.writer.append([entry("a", "b", device="press")], [])
    (delivered,) = site.reader.read(10, 0.1) or site.reader.read(10, 0.1)

    class Broken:
        name, digest, features, classes = "broken", "0" * 64, site.settings.features, ("no", "yes")

        def classify(self, rows):
            raise ValueError("no answer")

    (answered,) = answer([delivered], Broken(), 1, 5)
    features = ",".join(delivered.features)
    aside = tuple(
        Refused.of("t/press", why, encode_json(_alone(answered.arrival, reading)), 1_000, most=1_000, features=features)
        for reading, why in answered.failures
    )
    site.reader.settle([Outcome(delivered.stream_id, 0, aside)], [])
    assert site.closes() == {"received": 2, "accepted": 2, "set_aside": 2}
    newest, oldest = site.quarantine.page(kind="set_aside")
    assert "no answer" in newest.reason
    assert json.loads(oldest.payload)["readings"][0]["id"] == "a"
    assert [done.outcome for done in site.quarantine.replay_all()] == ["waiting", "waiting"]
    assert site.closes() == {"received": 2, "accepted": 2, "waiting": 2}
    again = drain(site.reader)
    assert [reading.id for d in again for a in d.arrivals for reading in a.readings] == ["a", "b"]
    assert again[0].arrivals[0] == _alone(answered.arrival, answered.arrival.readings[0])
    assert again[0].features == delivered.features


def _alone(arrival, reading):
    import msgspec

    return msgspec.structs.replace(arrival, readings=(reading,))


def test_all_are_replayed_and_still_unusable_ones_stay(site: Site) -> None:
    site.refuse(HOT, b"junk", HOT.replace(b'"hot"', b'"hot-2"'), b"[]")
    outcomes = [done.outcome for done in site.mended().replay_all()]
    assert outcomes == ["accepted", "still_refused", "accepted", "still_refused"]
    assert site.closes() == {"received": 4, "accepted": 2, "quarantined": 2, "waiting": 2}
    assert len(site.quarantine.page()) == 2


def test_a_truncated_payload_is_not_replayed(site: Site) -> None:
    big = b'{"lux": 1, "temperature": 2, "vibration": 3, "more": "' + b"x" * 1_100_000 + b'"}'
    (kept,) = site.refuse(big)
    done = site.quarantine.replay(kept)
    assert (done.outcome, done.reason) == ("not_whole", "only its first 65536 bytes were stored")
    assert site.quarantine.get(kept).length == len(big)


def test_a_discard_changes_no_count(site: Site) -> None:
    first, *_ = site.refuse(HOT, b"junk", b"more junk")
    before = site.closes()
    assert site.quarantine.discard(first, "1-1") == 1
    assert sum(site.quarantine.discarding_all()) == 2
    assert site.closes() == before == {"received": 3, "quarantined": 3}
    standing = site.ledger.snapshot()
    assert (standing.kept, standing.kept_bytes, standing.discarded) == (0, 0, 3)


def test_it_is_bounded_by_age_and_says_how_full_it_is(settings: Settings) -> None:
    short = settings.model_copy(update={"redis": settings.redis.model_copy(update={"keep_quarantine": 4})})
    site = Site(short)
    fulls = [site.writer.append([], [Refused("t", "no", b"raw", 3, "d", 1_000)]).quarantine_full for _ in range(4)]
    assert fulls == [25, 50, 75, 100]
    assert site.writer.append([], [Refused("t", "no", b"raw", 3, "d", 1_000)]).discarded == 1
    old = Keys(settings.redis.prefix).quarantine
    sum(site.quarantine.discarding_all())
    fields = {
        "kind": "refused",
        "topic": "t",
        "reason": "old",
        "payload": "",
        "length": 0,
        "digest": "",
        "received_at": 1,
    }
    site.client.delete(old)
    site.client.xadd(old, fields, id="1000-0")  # of 1970
    assert site.writer.tidy() == (1, 0)
    assert site.quarantine.page() == []
    assert site.closes() == {"received": 5, "quarantined": 5}


@pytest.mark.parametrize("given", ["", "x", "1-", "1-1 ", "+", "-", "(1-1", "1-1\n"])
def test_an_invalid_id_is_reported(site: Site, given: str) -> None:
    with pytest.raises(InvalidInput, match="not an id of the quarantine"):
        site.quarantine.get(given)


def test_many_bad_elements_of_one_array_do_not_fill_it(site: Site) -> None:
    """They are stored as one message, counted individually, and replayed individually once the cause is fixed."""
    elements = [b'{"lux": 1, "temperature": 5000, "vibration": 0.1, "id": "%d"}' % number for number in range(300)]
    bad = [("temperature is 5000", element) for element in elements]
    site.writer.append([], refusals(site.settings.topics.reading.format(device_id="press"), bad, 1_000, 1_048_576))
    (kept,) = site.quarantine.page()
    assert kept.count == 300
    assert kept.reason == "300 elements of an array; the first: temperature is 5000"
    assert site.closes() == {"received": 300, "quarantined": 300}
    assert site.quarantine.replay(kept.id).outcome == "still_refused"
    done = site.mended().replay(kept.id)
    assert (done.outcome, done.readings) == ("accepted", 300)
    assert site.closes() == {"received": 300, "accepted": 300, "waiting": 300}


@pytest.mark.parametrize("entries", ["all", "named"])
def test_what_was_discarded_before_redis_stopped_answering_is_in_the_audit_log(
    site: Site, monkeypatch: pytest.MonkeyPatch, entries: str
) -> None:
    """Otherwise evidence is gone, and nobody is named for it."""
    ids = site.refuse(b"one", b"two", b"three")
    monkeypatch.setattr("zelador.quarantine.MAX_PAGE", 1)
    call, discards = site.quarantine._library.call, 0

    def stops(name: str, *arguments: Any) -> Any:
        nonlocal discards
        discards += name == "discard"
        if discards == 3:
            raise redis.ConnectionError("it stopped")
        return call(name, *arguments)

    monkeypatch.setattr(site.quarantine._library, "call", stops)
    audit = MemoryAudit()
    with pytest.raises(redis.ConnectionError):
        acts.discard_many(Actor("ana", audit), site.quarantine, None if entries == "all" else ids)
    target = "all" if entries == "all" else ", ".join(ids)
    assert audit.acts == [("ana", Act.QUARANTINE_DISCARDED, target, {"entries": 2, "interrupted": True})]


def test_what_was_replayed_before_redis_stopped_answering_is_in_the_audit_log(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = site.refuse(HOT, HOT.replace(b"hot", b"two"))
    mended = site.mended()
    replay = mended.replay

    def stops(entry: str) -> Any:
        if entry == ids[1]:
            raise redis.ConnectionError("it stopped")
        return replay(entry)

    monkeypatch.setattr(mended, "replay", stops)
    audit = MemoryAudit()
    with pytest.raises(redis.ConnectionError):
        acts.replay_many(Actor("ana", audit), mended, ids)
    assert [after for *_, after in audit.acts] == [{"accepted": 1, "interrupted": True}]
