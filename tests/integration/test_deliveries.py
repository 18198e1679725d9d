"""An entry that ends its worker each time is suspected, given alone, and finally set aside; other entries pass."""

from __future__ import annotations

from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.answer import answer
from tests.buffers import make_reader, make_writer
from tests.integration.test_buffer import entry, readings_of, settle
from tests.integration.test_buffer import settings as settings
from zelador.buffer import Delivered, Outcome, Refused, connect_redis
from zelador.buffer.reader import SUSPECT_DELIVERIES, next_given
from zelador.ledger import LedgerReader
from zelador.settings import Settings

ASIDE = Refused("t", "no", b"raw", 3, "d", 1_000)

pending = st.lists(st.tuples(st.uuids().map(str), st.integers(1, 9)), min_size=1, max_size=20)


@given(pending, st.integers(1, 30), st.booleans())
def test_a_suspect_is_given_alone_and_to_a_worker_that_holds_nothing(waiting, count, busy) -> None:
    given_now = next_given(waiting, count, busy)
    assert given_now == waiting[: len(given_now)]
    assert len(given_now) <= count
    suspects = [item for item in given_now if item[1] >= SUSPECT_DELIVERIES]
    assert not suspects or (given_now == suspects and len(suspects) == 1 and not busy)
    assert given_now or (busy and waiting[0][1] >= SUSPECT_DELIVERIES)


def lives(settings: Settings, deadly: str, most: int) -> tuple[list[Delivered], int]:
    """Runs workers that die at `deadly`, in turn, until nothing is left; returns what they did, and their number."""
    done: list[Delivered] = []
    for life in range(1, 30):
        reader = make_reader(settings, Event(), "worker-1")  # same name, so the entries that it left are its own
        idle = 0
        while idle < 3:
            batch = reader.read(100, 0.01)
            idle = 0 if batch else idle + 1
            tried = [item for item in batch if item.deliveries <= most]
            if any(deadly in readings_of(item) for item in tried):
                break  # it died: nothing of the batch is settled
            settle(reader, tried)
            given_up = [Outcome(item.stream_id, 0, (ASIDE,) * item.count) for item in batch if item not in tried]
            reader.settle(given_up, [])
            done += batch
        else:
            return done, life
    pytest.fail("it never came to an end")


def test_an_entry_that_ends_its_worker_is_set_aside_and_others_are_not(settings: Settings) -> None:
    writer = make_writer(settings, Event(), "test")
    writer.append([entry(f"r{number}") for number in range(20)], [])
    done, life = lives(settings, "r7", most=5)
    given_up = [item for item in done if item.deliveries > 5]
    assert [readings_of(item) for item in given_up] == [["r7"]]
    assert life == 6  # five workers died of it
    assert sorted(int(name[1:]) for item in done for name in readings_of(item)) == list(range(20))
    ledger = LedgerReader(connect_redis(settings.redis), settings.redis.prefix).read()
    assert (ledger.classified, ledger.set_aside, ledger.waiting, ledger.unaccounted) == (19, 1, 0, 0)


def test_an_entry_delivered_too_often_is_not_tried_again(settings: Settings) -> None:
    class Deadly:
        name, digest, features, classes = "deadly", "0" * 64, settings.features, ("no", "yes")

        def classify(self, rows):
            pytest.fail("it was tried again")

    item = Delivered("1-1", settings.features, (entry("r"),), b"[]", 1, deliveries=6)
    (answered,) = answer([item], Deadly(), 1, 5)
    assert answered.predictions == []
    assert "given to a worker 5 times and never finished" in answered.failures[0][1]


def test_entries_of_a_dead_worker_count_one_more_delivery(settings: Settings) -> None:
    writer = make_writer(settings, Event(), "test")
    writer.append([entry("a"), entry("b")], [])
    first = make_reader(settings, Event(), "worker-1")
    assert [item.deliveries for item in first.read(10, 0.1) or first.read(10, 0.1)] == [1, 1]
    quick = settings.model_copy(update={"inference": settings.inference.model_copy(update={"takeover_after_s": 0.001})})
    second = make_reader(quick, Event(), "worker-2")
    # A second read if the first came within the millisecond after which an entry is taken over.
    assert [item.deliveries for item in second.read(10, 0.1) or second.read(10, 0.1)] == [2, 2]
    third = make_reader(quick, Event(), "worker-3")
    assert [item.deliveries for item in third.read(10, 0.1) or third.read(10, 0.1)] == [3]  # now they come alone
    assert third.read(10, 0.1) == []  # while it holds one, no other
    third.settle([Outcome(third._held.copy().pop(), 1)], [])
    (other,) = third.read(10, 0.1)
    assert (readings_of(other), other.deliveries) == (["b"], 3)


def test_an_outage_of_redis_makes_no_suspects_of_held_entries(settings: Settings) -> None:
    """Reading the pending list again after a lost reply does not count as a delivery of entries that are held."""
    writer = make_writer(settings, Event(), "test")
    writer.append([entry("a")], [])
    reader = make_reader(settings, Event(), "worker-1")
    (held,) = reader.read(10, 0.1) or reader.read(10, 0.1)
    for _ in range(9):
        reader._mine_from = "-"  # as after a lost reply
        assert reader.read(10, 0.01) == []
    again = make_reader(settings, Event(), "worker-1")  # its next life
    assert [item.deliveries for item in again.read(10, 0.1)] == [2]
    again.settle([Outcome(held.stream_id, 0, (Refused("t", "no", b"raw", 3, "d", 1_000),))], [])
