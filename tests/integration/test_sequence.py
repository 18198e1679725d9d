"""Missing sequence numbers of a device, on a real Redis, with the other numbers in any order."""

from __future__ import annotations

from threading import Event

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.buffers import make_writer
from zelador.buffer import Refused, connect_redis
from zelador.buffer.keys import Keys
from zelador.ledger import LedgerReader
from zelador.messages import Arrival, Reading
from zelador.settings import Settings


class Site:
    def __init__(self, settings: Settings) -> None:
        self.client = connect_redis(settings.redis)
        self.keys = Keys(settings.redis.prefix)
        self.writer = make_writer(settings, Event(), "test")
        self.ledger = LedgerReader(self.client, settings.redis.prefix)

    def say(self, *numbers: int, device: str = "d", ids: str = "") -> None:
        """One batch; the ids follow from the numbers, so that the same number again is a repeat."""
        made = [
            Arrival(device, (Reading(f"{ids}{number}", (1.0, 2.0, 3.0), 1_000, None, number),), 1_000)
            for number in numbers
        ]
        self.writer.append(made, [])

    def missing(self) -> int:
        return self.ledger.snapshot().missing


@pytest.fixture
def site(settings: Settings) -> Site:
    return Site(settings)


def test_numbers_that_never_arrived_are_missing_and_shown_by_device(site: Site) -> None:
    site.say(1, 2, 3)
    assert site.missing() == 0
    site.say(6, 7)
    site.say(10, device="other")
    site.say(12, device="other")
    assert site.missing() == 3
    assert site.ledger.missing_devices() == {"d": 2, "other": 1}


def test_a_late_number_is_not_missing(site: Site) -> None:
    site.say(1, 5)
    site.say(3)
    assert site.missing() == 2
    site.say(2)
    site.say(4)
    assert site.missing() == 0
    assert site.ledger.missing_devices() == {}


def test_a_repeat_changes_nothing(site: Site) -> None:
    site.say(1, 2, 5)
    site.say(1, 2, 5)
    site.say(2, 1)
    assert site.missing() == 2


def test_a_device_that_restarts_its_count_misses_nothing_by_that(site: Site) -> None:
    site.say(498, 500, 501)
    site.say(0, 1, 2, ids="after the restart ")
    assert site.missing() == 1
    site.say(4, ids="after the restart ")
    assert site.missing() == 2
    assert site.client.hget(site.keys.device("d"), "restarts") == b"1"


def test_a_refused_reading_counts_as_arrived(site: Site) -> None:
    site.say(1, 2)
    site.writer.append([], [Refused("t", "too hot", b"raw", 3, "digest", 1_000, heard=(("d", 3),))])
    site.say(4)
    assert site.missing() == 0


def test_a_number_that_lua_cannot_count_is_left_out(site: Site) -> None:
    site.say(1, 2**63, 2)
    site.say(3, -5)
    assert site.missing() == 0


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), lost=st.sets(st.integers(2, 39), max_size=10))
def test_whatever_the_order_within_reach_the_count_is_right(site: Site, data, lost) -> None:
    """Two ingesters share one device's readings: each keeps its order, but they interleave at random."""
    for key in site.client.keys(f"{{{site.keys.prefix}}}:*"):
        site.client.delete(key)
    sent = [number for number in range(1, 41) if number not in lost]
    mine = [number for number in sent if data.draw(st.booleans(), label=f"{number} to the first")]
    queues = [mine, [number for number in sent if number not in mine]]
    site.say(0)
    while any(queues):
        queue = data.draw(st.sampled_from([queue for queue in queues if queue]))
        size = data.draw(st.integers(1, 8))
        site.say(*queue[:size])
        del queue[:size]
    assert site.missing() == len([number for number in lost if number < max(sent, default=0)])
