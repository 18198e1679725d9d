"""How a batch is decoded and cut into lots that Redis stores in one call each."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import lots as module
from ingest.broker_stats import DROPPED
from ingest.lots import LOT_BYTES, LOT_READINGS, lots
from zelador.decode import Decoder
from zelador.link import Message
from zelador.settings import Settings

READING = {"lux": 300.0, "temperature": 25.0, "vibration": 0.4}
MAX_PAYLOAD = 1_048_576


def message(payload: bytes, topic: str = "", number: int = 1, correlation: bytes | None = None) -> Message:
    topic = topic or Settings().topics.reading.format(device_id="press")
    return Message(topic, payload, 1_764_000_000_000, 1, number, 1, correlation=correlation)


def array(count: int, bad: int = 0) -> bytes:
    elements = [{**READING, "id": f"r-{i}"} for i in range(count)] + [{"bad": i} for i in range(bad)]
    return json.dumps(elements).encode()


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(Settings())


def cut(batch: list[Message], decoder: Decoder) -> list[module.Lot]:
    return list(lots(batch, decoder, MAX_PAYLOAD))


def test_a_usual_batch_is_one_lot(decoder: Decoder) -> None:
    batch = [message(json.dumps({**READING, "id": f"r-{i}"}).encode(), number=i) for i in range(500)]
    (lot,) = cut(batch, decoder)
    assert list(lot.messages) == batch
    assert [arrival.readings[0].id for arrival in lot.arrivals] == [f"r-{i}" for i in range(500)]
    assert (lot.refused, lot.statistics, lot.refused_readings) == ([], [], 0)


def test_an_empty_batch_has_no_lot(decoder: Decoder) -> None:
    assert cut([], decoder) == []


def test_a_lot_ends_with_the_message_that_reaches_the_number_of_readings(decoder: Decoder) -> None:
    """Bad elements count too: each becomes a message in quarantine."""
    batch = [message(array(1_500, bad=500), number=i) for i in range(7)]
    assert [len(lot.messages) for lot in cut(batch, decoder)] == [3, 3, 1]
    batch = [message(array(1, bad=999), number=i) for i in range(6)]
    found = cut(batch, decoder)
    assert [len(lot.messages) for lot in found] == [5, 1]
    assert found[0].refused_readings == 5 * 999 == LOT_READINGS - 5


def test_a_lot_ends_with_the_message_that_reaches_the_number_of_bytes(decoder: Decoder) -> None:
    """Whether they are usable or not, and correlation data counts too."""
    junk = b"\x01" * 1_000_000
    assert [len(lot.messages) for lot in cut([message(junk)] * 10, decoder)] == [9, 1]
    asking = message(json.dumps(READING).encode(), correlation=b"x" * (LOT_BYTES // 2))
    assert [len(lot.messages) for lot in cut([asking] * 5, decoder)] == [2, 2, 1]


def test_a_lot_that_ends_with_the_batch_is_followed_by_no_empty_one(decoder: Decoder) -> None:
    assert [len(lot.messages) for lot in cut([message(array(LOT_READINGS))], decoder)] == [1]


def test_the_statistics_of_the_broker_are_neither_readings_nor_refused(decoder: Decoder) -> None:
    report = message(b"7", topic=DROPPED)
    good = message(json.dumps(READING).encode())
    (lot,) = cut([report, good, report], decoder)
    assert (len(lot.messages), len(lot.arrivals), lot.refused, lot.statistics) == (3, 1, [], [report, report])


def test_nothing_is_decoded_before_it_is_asked_for(decoder: Decoder) -> None:
    """A loop that holds after a lot leaves the rest of the batch undecoded."""
    decoded: list[str] = []
    real, decoder.decode = decoder.decode, lambda *a: (decoded.append(a[0]), real(*a))[1]  # type: ignore[method-assign]
    next(lots([message(array(LOT_READINGS), number=i) for i in range(3)], decoder, MAX_PAYLOAD))
    assert len(decoded) == 1


kinds = st.sampled_from(["one", "array", "part", "junk", "request", "statistic"])


@given(st.lists(kinds, max_size=60), st.integers(1, 40), st.integers(1, 5_000))
def test_the_lots_are_the_batch_in_order_and_each_within_its_bounds(
    drawn: list[str], most_readings: int, most_bytes: int
) -> None:
    made = {
        "one": message(json.dumps(READING).encode()),
        "array": message(array(7)),
        "part": message(array(3, bad=2)),
        "junk": message(b"\x00" * 300),
        "request": message(json.dumps(READING).encode(), correlation=b"c" * 50),
        "statistic": message(b"1", topic=DROPPED),
    }
    good = {"one": 1, "array": 7, "part": 3, "junk": 0, "request": 1, "statistic": 0}
    bad = {"one": 0, "array": 0, "part": 2, "junk": 1, "request": 0, "statistic": 0}
    batch = [made[kind] for kind in drawn]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LOT_READINGS", most_readings)
        patch.setattr(module, "LOT_BYTES", most_bytes)
        found = cut(batch, Decoder(Settings()))
    assert [each for lot in found for each in lot.messages] == batch
    assert sum(len(arrival.readings) for lot in found for arrival in lot.arrivals) == sum(map(good.get, drawn))
    assert sum(lot.refused_readings for lot in found) == sum(map(bad.get, drawn))
    assert sum(len(lot.statistics) for lot in found) == drawn.count("statistic")
    assert all(lot.messages for lot in found)
    for lot in found:  # without its last message it would be within both bounds
        before = [each for each in list(lot.messages)[:-1] if each.topic != DROPPED]
        assert sum(good[kind] + bad[kind] for each in before for kind in made if made[kind] is each) < most_readings
        assert sum(len(each.payload) + len(each.topic) + len(each.correlation or b"") for each in before) < most_bytes
