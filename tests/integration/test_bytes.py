"""The buffer is bounded in bytes: its sums always agree with a recount, and the limits hold."""

from __future__ import annotations

import itertools
from threading import Event

import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.buffers import make_reader, make_writer
from tests.integration import recount
from tests.integration.test_buffer import drain, entry, settle
from zelador.buffer import Outcome, Reader, Refused, connect_redis
from zelador.buffer.keys import Keys
from zelador.ledger import LedgerReader
from zelador.messages import Arrival, Prediction, Reading
from zelador.quarantine import Quarantine
from zelador.settings import RedisSettings, Settings

number = itertools.count()


def refused(device: str, size: int = 10) -> Refused:
    return Refused.of(f"sensors/{device}/reading", "not JSON", b"x" * size, 1_000, most=1_048_576)


def asking(reading: str, device: str = "d", correlation: bytes = b"\x00\xff") -> Arrival:
    return Arrival(device, (Reading(reading, (1.0, 2.0, 3.0), 1_000),), 1_000, False, "answers/1", correlation.hex())


@pytest.fixture
def client(settings: Settings) -> redis.Redis:
    return connect_redis(settings.redis)


def with_redis(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"redis": settings.redis.model_copy(update=changes)})


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_sums_agree_with_a_recount_after_every_step(redis_url: str, data: st.DataObject) -> None:
    """Steps in any order: append, repeat, settle twice, set aside, take over, replay, discard, measure again."""
    options = RedisSettings(
        url=redis_url,
        prefix=f"sums-{next(number)}-{id(data)}",
        keep_readings=data.draw(st.sampled_from([5, 1_000])),
        keep_bytes=data.draw(st.sampled_from([300, 100_000])),
        keep_quarantine=8,
        keep_quarantine_bytes=2_000,
        pack=data.draw(st.integers(1, 6)),
    )
    settings = Settings(redis=options)
    writer = make_writer(settings, Event(), "test")
    readers = [make_reader(settings, Event(), f"w{i}") for i in range(2)]
    client = writer.connection.client
    ledger, quarantine = LedgerReader(client, options.prefix), Quarantine(client, settings)
    held: list[tuple[Reader, object]] = []
    for _ in range(data.draw(st.integers(3, 14))):
        match data.draw(st.sampled_from(["append", "read", "settle", "twice", "replay", "discard", "again"])):
            case "append":
                ids = data.draw(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=4), max_size=4))
                asked = data.draw(st.lists(st.integers(0, 40), max_size=3))
                bad = data.draw(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 600)), max_size=3))
                arrivals = [entry(*map(str, group)) for group in ids] + [asking(str(i)) for i in asked]
                writer.append(data.draw(st.permutations(arrivals)), [refused(*each) for each in bad])
            case "read":
                reader = data.draw(st.sampled_from(readers))
                held += [(reader, item) for item in reader.read(data.draw(st.integers(1, 5)), 0.001)]
            case "settle" | "twice" as how if held:
                reader, item = held.pop(data.draw(st.integers(0, len(held) - 1)))
                size = item.count  # type: ignore[attr-defined]
                aside = data.draw(st.integers(0, size))
                kept = Refused.of("sensors/a/reading", "no", b"{}", 1_000, most=9, features="lux")
                outcome = Outcome(item.stream_id, size - aside, (kept,) * aside)  # type: ignore[attr-defined]
                for each in readers if how == "twice" else [reader]:
                    each.settle([outcome], [])
            case "replay":
                list(quarantine.replay_all())
            case "discard":
                quarantine.discard(*[kept.id for kept in quarantine.page(2)])
            case "again":
                writer.measure(again=True)
        recount.check_sums(client, options.prefix)
        assert ledger.read().unaccounted == 0
        assert client.xlen(Keys(options.prefix).quarantine) <= options.keep_quarantine
        assert ledger.snapshot().kept_bytes <= options.keep_quarantine_bytes


def test_finished_readings_are_bounded_in_bytes(settings: Settings, client: redis.Redis) -> None:
    """Two hundred large readings, with a limit in bytes that ten of them reach, far below the limit in readings."""
    small = with_redis(settings, keep_bytes=100_000, pack=1)
    writer, reader = make_writer(small, Event(), "test"), make_reader(small, Event(), "worker")
    fat = Reading("", (1.0, 2.0, 3.0), 1_000, "x" * 10_000)
    for i in range(200):
        arrival = Arrival("d", (Reading(f"r{i}", fat.values, 1_000, fat.label),), 1_000)
        writer.append([arrival], [])
        if i < 150:
            settle(reader, reader.read(100, 0) or reader.read(100, 0))
    held = recount.stream_bytes(client, small.redis.prefix)
    assert held > 50 * 10_000  # no waiting reading was trimmed
    settle(reader, drain(reader))
    assert recount.stream_bytes(client, small.redis.prefix) <= 100_000 + 3 * 10_100
    recount.check_sums(client, small.redis.prefix)


def test_a_request_is_kept_until_it_is_answered_and_no_longer(settings: Settings, client: redis.Redis) -> None:
    keys = Keys(settings.redis.prefix)
    writer, reader = make_writer(settings, Event(), "test"), make_reader(settings, Event(), "worker")
    writer.append([entry("a"), asking("b", correlation=b"\xff" * 500), entry("c"), asking("d", correlation=b"")], [])
    raw = b"".join(value for _, fields in client.xrange(keys.readings) for value in fields.values())
    assert b"answers/1" not in raw
    assert client.hlen(keys.requests) == 1
    (got,) = drain(reader)
    assert [(a.response_topic, a.correlation) for a in got.arrivals] == [
        (None, None), ("answers/1", "ff" * 500), (None, None), ("answers/1", None)
    ]  # fmt: skip
    recount.check_sums(client, settings.redis.prefix)
    other = settings.model_copy(update={"inference": settings.inference.model_copy(update={"takeover_after_s": 0.001})})
    (again,) = drain(make_reader(other, Event(), "other"))  # a worker that takes the entry over finds them too
    assert again.arrivals == got.arrivals
    settle(reader, [got])
    assert not client.exists(keys.requests)
    assert LedgerReader(client, settings.redis.prefix).snapshot().waiting_bytes == 0


def test_requests_of_missing_entries_are_removed(settings: Settings, client: redis.Redis) -> None:
    """If someone deletes entries, or a worker of the previous version settles them, their requests are removed too."""
    small, keys = with_redis(settings, keep_readings=1, pack=1), Keys(settings.redis.prefix)
    writer = make_writer(small, Event(), "test")
    writer.append([asking(f"r{i}") for i in range(30)], [])
    for stream_id, _ in client.xrange(keys.readings):
        client.xdel(keys.readings, stream_id)
    for i in range(40):
        writer.append([entry(f"s{i}")], [])
    assert not client.exists(keys.requests)


def test_long_ids_take_no_more_room_than_usual_ones(settings: Settings, client: redis.Redis) -> None:
    writer = make_writer(settings, Event(), "test")
    device, ids = "😀" * 128, ["🚀" * 120 + f"{i:08d}" for i in range(100)]
    assert writer.append([entry(id_, device=device) for id_ in ids], []).accepted == 100
    assert writer.append([entry(id_, device=device) for id_ in ids], []).repeated == 100
    assert writer.append([entry(id_, device=device[1:]) for id_ in ids], []).accepted == 100
    members = client.smembers(Keys(settings.redis.prefix).seen[0])
    assert len(members) == 200
    assert max(map(len, members)) <= 96


def test_a_prediction_of_many_long_labels_is_shown_with_its_own_label_only(settings, client: redis.Redis) -> None:
    writer, reader = make_writer(settings, Event(), "test"), make_reader(settings, Event(), "worker")
    writer.append([entry("a")], [])
    (got,) = drain(reader)
    labels = {f"{'ż' * 100}-{i}": 0.001 for i in range(1_000)}
    label = next(iter(labels))
    prediction = Prediction("p", "a", "d", "t", label, 0.001, labels, "m", "digest", 3, "now")
    reader.settle([Outcome(got.stream_id, 1)], [prediction])
    ((_, fields),) = client.xrange(Keys(settings.redis.prefix).predictions)
    assert len(fields[b"d"]) < 4_096
    assert label in fields[b"d"].decode()


def test_a_device_within_its_share_loses_nothing_to_a_flood(settings: Settings, client) -> None:
    small = with_redis(settings, keep_quarantine=100, keep_quarantine_bytes=100_000)
    small = small.model_copy(update={"topics": Settings().topics})
    writer, quarantine = make_writer(small, Event(), "test"), Quarantine(client, small)
    for i in range(40):
        writer.append([], [refused("honest", i)])
    discarded = sum(writer.append([], [refused("evil")] * 50).discarded for _ in range(20))
    discarded += sum(writer.append([], [refused("evil", 2_000)] * 50).discarded for _ in range(20))
    assert discarded > 1_900
    topics = [kept.topic for kept in quarantine.page(500)]
    assert topics.count("sensors/honest/reading") == 40
    recount.check_quarantine(client, small.redis.prefix)
    for name in ("a/b", "", "x" * 600, "é" * 129, "a\x1fb", "no/sensors"):  # none names a device: one share together
        writer.append([], [refused(name)] * 30)
    topics = [kept.topic for kept in quarantine.page(500)]
    assert topics.count("sensors/honest/reading") >= 33
    assert len(client.zrange(f"{Keys(small.redis.prefix).quarantine}-entries", 0, -1)) == 3
    recount.check_quarantine(client, small.redis.prefix)


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 900)), max_size=6), min_size=1, max_size=12))
def test_a_fair_share_is_never_lost(redis_url: str, batches: list[list[tuple[int, int]]]) -> None:
    """Of k devices, one with less than a k-th of the entries and of the bytes keeps every one of its entries."""
    most, most_bytes = 12, 6_000
    options = RedisSettings(
        url=redis_url, prefix=f"share-{next(number)}", keep_quarantine=most, keep_quarantine_bytes=most_bytes
    )
    writer = make_writer(Settings(redis=options), Event(), "test")
    client, stream = writer.connection.client, Keys(options.prefix).quarantine
    sent: dict[int, list[int]] = {}
    for batch in batches:
        writer.append([], [refused(f"d{device}", size) for device, size in batch])
        for device, size in batch:
            sent.setdefault(device, []).append(size + 120)  # more than topic, reason and digest need
        recount.check_quarantine(client, options.prefix)
        assert client.xlen(stream) <= most
    kept = [fields[b"topic"].split(b"/")[1].decode() for _, fields in client.xrange(stream)]
    for device, sizes in sent.items():
        if len(sizes) < most / len(sent) and sum(sizes) < most_bytes / len(sent):
            assert kept.count(f"d{device}") == len(sizes)


def test_the_longest_silent_devices_are_forgotten(settings: Settings, client: redis.Redis) -> None:
    small, keys = with_redis(settings, keep_devices=10), Keys(settings.redis.prefix)
    writer, reader = make_writer(small, Event(), "test"), make_reader(small, Event(), "worker")
    numbered = [Arrival("d000", (Reading(str(i), (1.0, 2.0, 3.0), 1_000, None, i),), 1_000) for i in (1, 5)]
    writer.append(numbered, [])
    assert client.zcard(keys.missing) == 1
    forgotten = 0
    for i in range(1, 31):
        done = writer.append([entry("x", device=f"d{i:03d}")], [])
        forgotten += done.forgotten
    assert forgotten == 21
    assert LedgerReader(client, small.redis.prefix).snapshot().devices_forgotten == 21
    assert client.zrange(keys.devices, 0, -1) == [f"d{i:03d}".encode() for i in range(21, 31)]
    assert client.zcard(keys.missing) == 0
    predictions = [
        Prediction("p", "x", f"d{i:03d}", "t", "yes", None, None, "m", "digest", 3, "now") for i in range(31)
    ]
    reader.settle([Outcome(got.stream_id, got.count) for got in drain(reader)], predictions)
    hashes = set(client.scan_iter(match=keys.device("*").replace("{", "\\{"), count=1_000))
    # an answer does not bring back a forgotten device
    assert len(hashes) == 10 == client.hlen(keys.last_predictions)
    writer.append([entry("z", device="d031")], [])
    assert client.hlen(keys.last_predictions) == 9, "it is deleted with its device"
    writer.append([entry("y", device="d000")], [])  # within the second in which it was heard before
    assert client.zscore(keys.devices, "d000") is not None
    assert client.ttl(keys.device("d000")) > 0


def as_the_previous_version_left_it(client: redis.Redis, settings: Settings) -> None:
    """Makes the data of the previous version: no sums, marks without bytes, no devices of quarantined messages."""
    keys, prefix = Keys(settings.redis.prefix), settings.redis.prefix
    for name in ("index", "order", "entries", "bytes"):
        client.delete(f"{keys.quarantine}-{name}")
    client.hdel(keys.ledger, "appended_bytes", "waiting_bytes", "measured", "devices_forgotten")
    client.hset(keys.ledger, "quarantine_bytes", sum(len(f[b"payload"]) for _, f in client.xrange(keys.quarantine)))
    marks = [b" ".join(mark.split()[:2]) for mark in client.lrange(keys.marks, 0, -1)]
    client.delete(keys.marks)
    client.rpush(keys.marks, *marks)
    assert recount.waiting_bytes(client, prefix) > 0


def test_a_redis_of_the_previous_version_is_measured_while_it_works(settings: Settings, client: redis.Redis) -> None:
    """The measurement has short steps: others append and settle in between, and at the end every sum is right."""
    old = with_redis(settings, keep_readings=20_000, pack=2)
    old = old.model_copy(update={"topics": Settings().topics})
    writer, reader = make_writer(old, Event(), "test"), make_reader(old, Event(), "worker")
    for i in range(0, 6_000, 100):
        writer.append([entry(f"r{i + j}") for j in range(100)], [refused(f"d{i % 300}", i)])
    finished = [item for _ in range(4) for item in reader.read(400, 0)]
    settle(reader, finished)
    pending = reader.read(500, 0)
    as_the_previous_version_left_it(client, old)
    assert client.hget(Keys(old.redis.prefix).ledger, "measured") is None
    steps = 1
    while writer._measure():
        steps += 1
        writer.append([entry(f"new{steps}"), asking(f"asked{steps}")], [refused("late", steps)])
        settle(reader, pending[steps * 5 : steps * 5 + 5])
    assert steps > 1
    recount.check_sums(client, old.redis.prefix)
    assert writer.backlog()[1] == recount.waiting_bytes(client, old.redis.prefix)
    shares = client.zrange(f"{Keys(old.redis.prefix).quarantine}-entries", 0, -1)
    assert set(shares) == {b"d0", b"d100", b"d200", b"late"}
    tight = with_redis(old, keep_bytes=10_000)  # and its readings are trimmed by bytes from now on
    settle(make_reader(tight, Event(), "worker"), drain(make_reader(tight, Event(), "worker")))
    assert recount.stream_bytes(client, old.redis.prefix) < 10_000 + 20_000


def test_an_append_triggers_a_missing_measurement(settings: Settings, client: redis.Redis) -> None:
    writer = make_writer(settings, Event(), "test")
    writer.append([entry("a"), asking("b")], [refused("x")])
    as_the_previous_version_left_it(client, settings)
    writer.append([entry("c")], [])
    recount.check_sums(client, settings.redis.prefix)


def test_a_request_within_an_entry_is_still_answered(settings: Settings, client: redis.Redis) -> None:
    """The previous version stored requests within the entry."""
    from zelador.messages import encode_json

    client.xadd(Keys(settings.redis.prefix).readings, {"lux,temperature,vibration": encode_json([asking("a")])})
    (got,) = drain(make_reader(settings, Event(), "worker"))
    assert got.arrivals == (asking("a"),)
