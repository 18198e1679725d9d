"""Predictions on their way to the archive: each keeps the place of its reading, whatever else is in its batch."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.batch import outcome_table
from inference.answer import Answered
from inference.outcomes import for_archive
from zelador.buffer import Delivered
from zelador.buffer.archive_stream import Raw
from zelador.buffer.outcome_batch import OutcomeBatch, encode_outcomes, outcome_batch
from zelador.messages import Arrival, Prediction, Reading

AT = "2026-11-24T10:00:00.004Z"


def prediction(label: str, confidence: float | None = 0.5, reading: str = "r") -> Prediction:
    return Prediction("p", reading, "press", "", label, confidence, None, "RF", "dd", 7, AT)


entries = st.lists(
    st.lists(st.one_of(st.none(), st.tuples(st.text(max_size=5), st.one_of(st.none(), st.floats(0, 1)))), max_size=5),
    min_size=1,
    max_size=8,
)


@given(entries)
def test_every_prediction_comes_back_at_its_place(given: list[list[tuple[str, float | None] | None]]) -> None:
    ids = [f"{1_000 + number}-{number % 3}" for number in range(len(given))]
    flat = [each and prediction(*each) for readings in given for each in readings]
    batch = outcome_batch(ids, [len(readings) for readings in given], flat)
    expected = [
        (1_000 + number, number % 3, place, each[0], each[1])
        for number, readings in enumerate(given)
        for place, each in enumerate(readings)
        if each is not None
    ]
    assert (batch is None) == (not expected)
    if batch is None:
        return
    table, unreadable = outcome_table([Raw("5-0", encode_outcomes(batch))])
    assert unreadable == 0
    rows = table.to_pylist()
    found = [(row["entry_ms"], row["entry_seq"], row["place"], row["label"]) for row in rows]
    assert found == [each[:4] for each in expected]
    for row, each in zip(rows, expected, strict=True):
        assert row["confidence"] == (None if each[4] is None else pytest.approx(each[4], abs=0.00011))
        assert (row["model"], row["model_digest"], row["selection"]) == ("RF", "dd", 7)


def test_readings_that_failed_or_were_refused_have_none_and_the_others_keep_their_places() -> None:
    def reading(name: str) -> Reading:
        return Reading(name, (1.0,), 1_000)

    arrivals = [Arrival("press", tuple(map(reading, names)), 1_000) for names in ("abc", "d", "ef")]
    one = Delivered("1-0", ("lux",), tuple(arrivals), b"", 6)
    broken = Delivered("2-0", ("lux",), None, b"", 2)
    again = Delivered("3-0", ("lux",), (Arrival("press", (reading("g"),), 1_000),), b"", 1, replayed="1-0 4")
    answered = [
        Answered(one, arrivals[0], [prediction("a"), prediction("c")], [(reading("b"), "failed")]),
        Answered(one, arrivals[1], [prediction("d")]),
        Answered(one, arrivals[2], [prediction("e"), prediction("f")]),
        Answered(broken, None, [], [(None, "cannot be decoded")]),
        Answered(again, again.arrivals[0] if again.arrivals else None, [prediction("g")]),
    ]
    batch = for_archive([one, broken, again], answered, {1: "not authorized"})
    table, _ = outcome_table([Raw("9-0", encode_outcomes(batch))])
    found = {row["label"]: (row["entry_ms"], row["place"]) for row in table.to_pylist()}
    assert found == {"a": (1, 0), "c": (1, 2), "e": (1, 4), "f": (1, 5), "g": (1, 4)}


@given(st.binary(max_size=60))
def test_other_entries_of_the_stream_are_skipped(data: bytes) -> None:
    table, unreadable = outcome_table([Raw("9-0", data)])
    assert unreadable in (0, 1) and table.num_rows >= 0


@pytest.mark.parametrize(
    "change",
    [
        {"codes": b"\x05\x00"}, {"codes": b"\x00"}, {"counts": (7,)}, {"counts": (-1,)}, {"entries": ("x",)},
        {"entries": ("1-0", "2-0")}, {"at": "yesterday"}, {"selection": 2**70}, {"entries": (f"{2**70}-0",)},
    ],
)  # fmt: skip
def test_an_invalid_batch_is_skipped(change: dict[str, object]) -> None:
    good = outcome_batch(["1-0"], [1], [prediction("yes")])
    assert isinstance(good, OutcomeBatch)
    whole = encode_outcomes(good)
    try:
        bad = encode_outcomes(msgspec.structs.replace(good, **change))
    except OverflowError:
        return
    table, unreadable = outcome_table([Raw("1-0", whole), Raw("2-0", bad), Raw("3-0", whole)])
    assert (table.num_rows, unreadable) == (2, 1)
