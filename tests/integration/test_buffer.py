"""The buffer's promises, on a real Redis: counted in the same step as stored, trimmed only when finished."""

from __future__ import annotations

import itertools
from threading import Event

import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.buffers import labeled_rows, make_reader, make_writer
from zelador.buffer import Delivered, Outcome, Reader, Refused, Writer
from zelador.buffer.keys import Keys
from zelador.ledger import LedgerReader
from zelador.messages import Arrival, Prediction, Reading
from zelador.settings import RedisSettings, Settings

number = itertools.count()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with one entry of the stream for each message, because these tests are about entries."""
    return settings.model_copy(update={"redis": settings.redis.model_copy(update={"pack": 1})})


@pytest.fixture
def client(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.redis.url, protocol=2)


@pytest.fixture
def writer(settings: Settings) -> Writer:
    return make_writer(settings, Event(), "test")


@pytest.fixture
def reader(settings: Settings) -> Reader:
    return make_reader(settings, Event(), "worker-1")


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> LedgerReader:
    return LedgerReader(client, settings.redis.prefix)


def entry(*ids: str, device: str = "d", label: str | None = None) -> Arrival:
    readings = tuple(Reading(id_, (1.0, 2.0, 3.0), 1_000, label) for id_ in ids)
    return Arrival(device, readings, 1_000, array=len(ids) > 1)


def refused() -> Refused:
    return Refused("t", "no", b"raw", 3, "digest", 1_000)


def drain(reader: Reader, wait: float = 0.05) -> list:
    got = []
    while batch := reader.read(100, wait) or reader.read(100, wait):
        got += batch
    return got


def readings_of(delivered: Delivered) -> list[str]:
    assert delivered.arrivals is not None
    found = [reading.id for arrival in delivered.arrivals for reading in arrival.readings]
    assert len(found) == delivered.count
    return found


def settle(reader: Reader, delivered: list) -> None:
    reader.settle([Outcome(d.stream_id, d.count) for d in delivered], [])


def test_a_batch_is_stored_and_counted_in_one_step(writer: Writer, reader: Reader, ledger: LedgerReader) -> None:
    done = writer.append([entry("a"), entry("b", "c")], [refused()])
    assert (done.accepted, done.repeated, done.backlog) == (3, 0, 3)
    assert ledger.read().flat() == {
        "received": 4, "accepted": 3, "quarantined": 1, "repeated": 0,
        "classified": 0, "waiting": 3, "set_aside": 0, "unaccounted": 0,
    }  # fmt: skip
    got = drain(reader)
    assert [readings_of(d) for d in got] == [["a"], ["b", "c"]]
    assert got[0].features == ("lux", "temperature", "vibration")
    assert ledger.read().waiting == 3  # pending still waits
    settle(reader, got)
    assert ledger.read().flat() == {
        "received": 4, "accepted": 3, "quarantined": 1, "repeated": 0,
        "classified": 3, "waiting": 0, "set_aside": 0, "unaccounted": 0,
    }  # fmt: skip


def test_a_repeat_is_the_same_id_of_the_same_device(writer: Writer, reader: Reader, ledger: LedgerReader) -> None:
    writer.append([entry("a", "b")], [])
    done = writer.append([entry("b", "c"), entry("a"), entry("a", device="e")], [])
    assert (done.accepted, done.repeated) == (2, 2)
    done = writer.append([entry("x", "x"), entry("x"), entry("y", "x", "z")], [])  # within one batch as well
    assert (done.accepted, done.repeated) == (3, 3)
    assert [readings_of(d) for d in drain(reader)] == [
        ["a", "b"], ["c"], ["a"], ["x"], ["y", "z"]
    ]  # fmt: skip
    assert ledger.read().unaccounted == 0


def test_lots_larger_than_one_lua_call_are_stored_and_settled(
    writer: Writer, reader: Reader, ledger: LedgerReader
) -> None:
    ids = [f"r{i}" for i in range(12_000)]
    done = writer.append([entry(*ids[:10_000]), *(entry(id_) for id_ in ids[10_000:]), entry("r0", "new")], [])
    assert (done.accepted, done.repeated) == (12_001, 1)
    got = []
    while batch := reader.read(3_000, 0.05) or reader.read(3_000, 0.05):
        got += batch
    assert [id_ for d in got for id_ in readings_of(d)] == [*ids, "new"]
    settle(reader, got)
    assert (ledger.read().classified, ledger.read().unaccounted) == (12_001, 0)


def test_messages_that_arrive_together_share_an_entry(settings: Settings, client: redis.Redis) -> None:
    """It has up to `pack` readings and the rest of the last message, never half a message, and is settled whole."""
    packed = settings.model_copy(update={"redis": settings.redis.model_copy(update={"pack": 4})})
    writer, reader = make_writer(packed, Event(), "test"), make_reader(packed, Event(), "worker-1")
    ledger = LedgerReader(client, settings.redis.prefix)
    writer.append([entry("a")], [])
    writer.append([entry("b"), entry("c"), entry("a"), entry("d", "e", "f"), entry("g", "b", "h"), entry("i")], [])
    got = drain(reader)
    assert [readings_of(d) for d in got] == [["a"], ["b", "c", "d", "e", "f"], ["g", "h", "i"]]
    assert [[len(arrival.readings) for arrival in d.arrivals] for d in got] == [[1], [1, 1, 3], [2, 1]]
    assert (ledger.read().waiting, ledger.read().repeated) == (9, 2)
    client.xdel(Keys(settings.redis.prefix).readings, got[1].stream_id)
    assert (ledger.read().waiting, ledger.read().unaccounted) == (4, 5)
    reader.settle([Outcome(got[0].stream_id, 1), Outcome(got[2].stream_id, 2, (refused(),))], [])
    assert (ledger.read().classified, ledger.read().set_aside, ledger.read().waiting) == (3, 1, 0)


def test_entries_that_are_held_are_never_given_twice(settings: Settings, writer: Writer, reader: Reader) -> None:
    """After a lost reply, a worker reads its pending list again; entries that it holds must not be given twice."""
    writer.append([entry(f"r{i}") for i in range(6)], [])
    first = reader.read(2, 0.05) or reader.read(2, 0.05)
    real = reader._group_read

    def lose_the_answer(*arguments: object) -> object:
        real(*arguments)
        reader._group_read = real
        raise redis.TimeoutError("the answer was lost")

    reader._group_read = lose_the_answer
    rest = []
    for _ in range(6):
        rest += reader.read(2, 0.05)
    assert [id_ for d in first + rest for id_ in readings_of(d)] == [f"r{i}" for i in range(6)]


def test_the_repeat_window_has_an_upper_and_a_lower_bound(settings: Settings, client: redis.Redis) -> None:
    """At least `repeat_window` ids are remembered, and never more than twice as many."""
    small = settings.model_copy(update={"redis": settings.redis.model_copy(update={"repeat_window": 10})})
    writer = make_writer(small, Event(), "test")
    for i in range(100):
        writer.append([entry(f"r{i}")], [])
        for back in range(max(0, i - 9), i + 1):
            assert writer.append([entry(f"r{back}")], []).repeated == 1
    keys = Keys(settings.redis.prefix)
    assert sum(client.scard(key) for key in keys.seen) <= 20


def test_a_retry_after_a_lost_reply_changes_nothing(
    settings: Settings, writer: Writer, reader: Reader, ledger: LedgerReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis did the step, but the reply was lost: the retry is recognized, even if it has only refused messages."""
    real, calls = writer._library.call, []

    def lose_the_first_answer(name: str, keys: list, arguments: list) -> object:
        result = real(name, keys, arguments)
        calls.append(result)
        if len(calls) == 1:
            raise redis.TimeoutError("the answer was lost")
        return result

    monkeypatch.setattr(writer._library, "call", lose_the_first_answer)
    done = writer.append([entry("a"), entry("b", "c")], [refused()])
    assert len(calls) == 2
    assert (done.accepted, done.repeated) == (3, 0)
    assert ledger.read().received == 4
    assert len(drain(reader)) == 2


def test_an_entry_deleted_by_someone_else_shows_as_unaccounted(
    settings: Settings, client: redis.Redis, writer: Writer, reader: Reader, ledger: LedgerReader
) -> None:
    writer.append([entry("a"), entry("b", "c"), entry("d")], [])
    key = Keys(settings.redis.prefix).readings
    client.xdel(key, client.xrange(key)[1][0])
    assert (ledger.read().waiting, ledger.read().unaccounted) == (2, 2)
    got = reader.read(1, 0.05) or reader.read(1, 0.05)  # one pending, and deleted then
    client.xdel(key, got[0].stream_id)
    assert (ledger.read().waiting, ledger.read().unaccounted) == (1, 3)


def test_an_entry_settled_twice_counts_once(writer: Writer, settings: Settings, ledger: LedgerReader) -> None:
    writer.append([entry("a", "b")], [])
    first, second = make_reader(settings, Event(), "one"), make_reader(settings, Event(), "two")
    got = drain(first)
    settle(first, got)
    settle(second, got)
    assert (ledger.read().classified, ledger.read().unaccounted) == (2, 0)


def test_a_worker_begins_with_its_own_pending_entries(writer: Writer, settings: Settings) -> None:
    writer.append([entry(f"r{i}") for i in range(5)], [])
    before = drain(make_reader(settings, Event(), "worker-1"))
    again = drain(make_reader(settings, Event(), "worker-1"))
    assert [d.stream_id for d in again] == [d.stream_id for d in before]


def test_a_dead_workers_entries_are_taken_over(writer: Writer, settings: Settings, eventually) -> None:
    writer.append([entry(f"r{i}") for i in range(5)], [])
    left = drain(make_reader(settings, Event(), "dead"))
    other, got = make_reader(settings, Event(), "alive"), []
    eventually(lambda: got.extend(other.read(100, 0.1)) or len(got) == 5, "the takeover")
    assert {d.stream_id for d in got} == {d.stream_id for d in left}


def test_trimming_never_removes_unfinished_entries(
    settings: Settings, client: redis.Redis, ledger: LedgerReader
) -> None:
    keep = settings.model_copy(update={"redis": settings.redis.model_copy(update={"keep_readings": 20})})
    writer, reader = make_writer(keep, Event(), "test"), make_reader(keep, Event(), "worker-1")
    key = Keys(settings.redis.prefix).readings
    for i in range(100):
        writer.append([entry(f"r{i}")], [])
    assert client.xlen(key) == 100  # nothing was finished yet
    got = reader.read(60, 0.1) or reader.read(60, 0.1)
    settle(reader, got[:40])
    writer.append([entry("next")], [])
    assert client.xlen(key) == 101 - 40  # 40 finished ones went, the 20 pending ones stay
    settle(reader, got[40:])
    settle(reader, drain(reader))
    for i in range(5):
        writer.append([entry(f"last{i}")], [])
    assert client.xlen(key) <= 26
    assert ledger.read().unaccounted == 0


def test_the_quarantine_is_bounded_in_entries_and_bytes(settings: Settings, client: redis.Redis) -> None:
    bounds = {"keep_quarantine": 10, "keep_quarantine_bytes": 5_000}
    small = settings.model_copy(update={"redis": settings.redis.model_copy(update=bounds)})
    writer = make_writer(small, Event(), "test")
    key = Keys(settings.redis.prefix).quarantine
    for _ in range(15):
        writer.append([], [refused()])
    assert client.xlen(key) == 10
    big = Refused("t", "no", b"x" * 2_000, 2_000, "digest", 1_000)
    discarded = sum(writer.append([], [big]).discarded for _ in range(5))
    assert discarded > 0
    assert sum(len(fields[b"payload"]) for _, fields in client.xrange(key)) <= 5_000


def test_set_aside_is_counted_and_kept(writer: Writer, reader: Reader, client, settings, ledger: LedgerReader) -> None:
    writer.append([entry("a", "b", "c")], [])
    (got,) = drain(reader)
    reader.settle([Outcome(got.stream_id, 2, (refused(),))], [])
    found = ledger.read()
    assert (found.classified, found.set_aside, found.waiting, found.unaccounted) == (2, 1, 0, 0)
    ((_, fields),) = client.xrange(Keys(settings.redis.prefix).quarantine)
    assert fields[b"kind"] == b"set_aside"


def test_the_newest_predictions_and_devices_are_kept(writer: Writer, reader: Reader, client, settings) -> None:
    writer.append([entry("a")], [])
    (got,) = drain(reader)
    prediction = Prediction("p", "a", "d", "t", "yes", 0.9, {"yes": 0.9}, "m", "digest", 3, "now")
    reader.settle([Outcome(got.stream_id, 1)], [prediction])
    keys = Keys(settings.redis.prefix)
    assert b'"label":"yes"' in client.xrange(keys.predictions)[0][1][b"d"]
    device = client.hgetall(keys.device("d"))
    assert device[b"readings"] == b"1"
    assert client.hget(keys.last_predictions, "d") == b'["yes",0.9,"now","m"]'
    assert client.zrange(keys.devices, 0, -1) == [b"d"]


def test_labeled_readings_are_the_training_data(writer: Writer, client, settings: Settings) -> None:
    other_device = entry("d", label="no", device="e")
    writer.append([entry("a", "b", label="yes"), entry("c"), other_device], [])
    found = labeled_rows(client, settings)
    assert [label for _, label, _, _ in found] == ["yes", "no"]  # two with the same time and values count once
    assert (found[0][0], found[0][3]) == ((1.0, 2.0, 3.0), "d")
    other = settings.model_copy(update={"features": ("vibration", "lux")})
    assert labeled_rows(client, other)[0][0] == (3.0, 1.0)
    more = settings.model_copy(update={"features": ("lux", "humidity")})
    assert str(labeled_rows(client, more)[0][0]) == "(1.0, nan)"


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_ledger_closes_after_every_step(redis_url: str, data: st.DataObject) -> None:
    """received = accepted + quarantined + repeated, accepted = classified + waiting + set_aside, whatever happens."""
    options = RedisSettings(
        url=redis_url,
        prefix=f"ledger-{next(number)}-{id(data)}",
        keep_readings=5,
        repeat_window=8,
        pack=data.draw(st.integers(1, 6)),
    )
    settings = Settings(redis=options)
    writer = make_writer(settings, Event(), "test")
    readers = [make_reader(settings, Event(), f"w{i}") for i in range(2)]
    ledger = LedgerReader(writer.connection.client, options.prefix)
    held: list[tuple[Reader, object]] = []
    for _ in range(data.draw(st.integers(3, 15))):
        match data.draw(st.sampled_from(["append", "read", "settle"])):
            case "append":
                ids = data.draw(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), max_size=4))
                bad = data.draw(st.integers(0, 2))
                writer.append([entry(*(str(i) for i in group)) for group in ids], [refused()] * bad)
            case "read":
                reader = data.draw(st.sampled_from(readers))
                held += [(reader, item) for item in reader.read(data.draw(st.integers(1, 5)), 0.001)]
            case "settle" if held:
                reader, item = held.pop(data.draw(st.integers(0, len(held) - 1)))
                size = item.count  # type: ignore[attr-defined]
                aside = data.draw(st.integers(0, size))
                reader.settle([Outcome(item.stream_id, size - aside, (refused(),) * aside)], [])  # type: ignore[attr-defined]
        assert ledger.read().unaccounted == 0
