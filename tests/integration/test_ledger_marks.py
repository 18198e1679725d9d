"""What the ledger counted since midnight: from marks in Redis, whoever ran when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
import redis

from zelador.buffer.keys import Keys
from zelador.ledger import Ledger, LedgerReader, LedgerSnapshot
from zelador.ledger_marks import MAX_MARKS, QUARTER_MS, LedgerMarks, midnight
from zelador.settings import Settings

ZONE = ZoneInfo("America/Sao_Paulo")
NOON = round(datetime(2026, 11, 24, 12, tzinfo=ZONE).timestamp() * 1000)
MIDNIGHT = NOON - 12 * 3_600_000
COUNTS = {"received": 100, "accepted": 90, "quarantined": 4, "repeated": 6, "classified": 80, "set_aside": 2}


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    found = redis.Redis.from_url(settings.redis.url, protocol=2)
    yield found
    found.close()


def snapshot(waiting: int = 8, **counts: int) -> LedgerSnapshot:
    ledger = Ledger(**{**COUNTS, "waiting": waiting, **counts})
    return LedgerSnapshot(ledger, 0, 0, 0, 0, 0, 0, 0, NOON)


def mark_at(client: redis.Redis, mark: str, at: int, *counts: int) -> None:
    client.xadd(Keys(mark).ledger_marks, {"counts": " ".join(map(str, counts))}, id=f"{at}-0")


def test_one_mark_is_kept_in_a_quarter_of_an_hour_whoever_asks(client: redis.Redis, mark: str) -> None:
    keys = Keys(mark)
    client.hset(keys.ledger, mapping=COUNTS)
    first, second = LedgerMarks(client, mark), LedgerMarks(client, mark)
    assert first.keep()
    for each in (first, second):
        assert not each.keep() or client.time()[0] % (QUARTER_MS // 1000) < 5  # a quarter may just have begun
    ((_, fields),) = client.xrange(keys.ledger_marks, count=1)
    assert fields[b"counts"] == b"100 90 4 6 80 0 2"


def test_marks_are_bounded(client: redis.Redis, mark: str) -> None:
    for place in range(MAX_MARKS + 50):
        mark_at(client, mark, 1_000 + place, *range(7))
    assert LedgerMarks(client, mark).keep()
    assert client.xlen(Keys(mark).ledger_marks) == MAX_MARKS


def test_today_is_what_changed_since_the_mark_at_midnight(client: redis.Redis, mark: str) -> None:
    mark_at(client, mark, MIDNIGHT - QUARTER_MS, 1, 1, 0, 0, 1, 0, 0)
    mark_at(client, mark, MIDNIGHT + 900, 60, 55, 5, 0, 30, 24, 1)
    mark_at(client, mark, MIDNIGHT + QUARTER_MS, 70, 65, 5, 0, 40, 24, 1)
    found = LedgerMarks(client, mark).today(snapshot(), ZONE)
    assert found is not None
    assert (found.is_whole, found.since) == (True, MIDNIGHT)
    assert found.ledger == Ledger(40, 35, -1, 6, 50, -16, 1)  # one of yesterday's quarantine was replayed
    assert found.ledger.unaccounted == 0


def test_a_plant_that_was_off_over_midnight_still_has_a_whole_day(client: redis.Redis, mark: str) -> None:
    counts = (60, 55, 5, 0, 30, 24, 1)
    mark_at(client, mark, MIDNIGHT - QUARTER_MS, *counts)
    mark_at(client, mark, MIDNIGHT + 8 * 3_600_000, *counts)
    found = LedgerMarks(client, mark).today(snapshot(), ZONE)
    assert found is not None
    assert (found.is_whole, found.since) == (True, MIDNIGHT)


def test_if_nobody_counted_at_midnight_it_says_since_when(client: redis.Redis, mark: str) -> None:
    late = MIDNIGHT + 8 * 3_600_000
    mark_at(client, mark, MIDNIGHT - QUARTER_MS, 1, 1, 0, 0, 1, 0, 0)
    mark_at(client, mark, late, 60, 55, 5, 0, 30, 24, 1)
    found = LedgerMarks(client, mark).today(snapshot(), ZONE)
    assert found is not None
    assert (found.is_whole, found.since, found.ledger.received) == (False, late, 40)


def test_a_new_buffer_counted_everything_today(client: redis.Redis, mark: str) -> None:
    mark_at(client, mark, MIDNIGHT + 8 * 3_600_000, 0, 0, 0, 0, 0, 0, 0)
    found = LedgerMarks(client, mark).today(snapshot(), ZONE)
    assert found is not None
    assert found.is_whole
    assert found.ledger.received == 100


def test_without_a_mark_and_after_a_reset_nothing_is_claimed(client: redis.Redis, mark: str) -> None:
    marks = LedgerMarks(client, mark)
    assert marks.today(snapshot(), ZONE) is None
    mark_at(client, mark, MIDNIGHT, 1_000, 1_000, 0, 0, 1_000, 0, 0)  # of a ledger that Redis has lost since
    assert marks.today(snapshot(), ZONE) is None
    assert marks.today(msgspec.structs.replace(snapshot(received=1_100)), ZONE) is not None


def test_the_counts_are_those_of_the_ledger(client: redis.Redis, mark: str) -> None:
    client.hset(Keys(mark).ledger, mapping={"received": 5, "accepted": 5, "classified": 5})
    marks, ledger = LedgerMarks(client, mark), LedgerReader(client, mark)
    marks.keep()
    client.hincrby(Keys(mark).ledger, "received", 3)
    client.hincrby(Keys(mark).ledger, "repeated", 3)
    found = marks.today(ledger.snapshot(), ZONE)
    assert found is not None
    assert (found.ledger.received, found.ledger.repeated, found.ledger.classified) == (3, 3, 0)


def test_the_day_begins_at_one_where_clocks_are_set_forward_at_midnight() -> None:
    day = round(datetime(2018, 11, 4, 15, tzinfo=ZONE).timestamp() * 1000)
    begin = midnight(day, ZONE)
    assert datetime.fromtimestamp(begin / 1000, ZONE).isoformat() == "2018-11-04T01:00:00-02:00"
    assert begin % QUARTER_MS == 0
    katmandu = ZoneInfo("Asia/Kathmandu")
    assert midnight(NOON, katmandu) % QUARTER_MS == 0
