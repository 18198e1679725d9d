"""The outcome of a batch: entries classified, readings set aside, predictions that the broker confirmed."""

from __future__ import annotations

import hashlib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from inference.answer import Answered
from inference.outcomes import MAX_KEPT_BYTES, outcomes
from zelador.buffer import Delivered
from zelador.messages import Arrival, Prediction, Reading

TOPIC = {"default": "site/{device_id}/reading"}


def reading(name: str) -> Reading:
    return Reading(name, (300.0, 25.0, 0.4), 1_764_000_000_000)


def prediction(name: str) -> Prediction:
    return Prediction(f"p-{name}", name, "press", "ts", "yes", 0.9, {"yes": 0.9, "no": 0.1}, "small", "d", 3, "at")


def entry(stream_id: str, *arrivals: Arrival) -> Delivered:
    count = sum(len(arrival.readings) for arrival in arrivals)
    return Delivered(stream_id, ("lux", "temperature", "vibration"), arrivals, b"raw", count)


def answered(stream_id: str, *names: str, failed: dict[str, str] | None = None, **request: str) -> Answered:
    failed = failed or {}
    arrival = Arrival("press", tuple(map(reading, names)), 1_764_000_000_123, len(names) > 1, **request)
    good = [prediction(name) for name in names if name not in failed]
    return Answered(entry(stream_id, arrival), arrival, good, [(reading(name), why) for name, why in failed.items()])


def test_the_messages_of_an_entry_have_one_outcome() -> None:
    batch = [answered("1-0", "a"), answered("1-0", "b", "c"), answered("2-0", "d")]
    found, predictions = outcomes(batch, {}, TOPIC)
    assert [(each.stream_id, each.classified, each.set_aside) for each in found] == [("1-0", 3, ()), ("2-0", 1, ())]
    assert [each.reading_id for each in predictions] == ["a", "b", "c", "d"]


def test_a_reading_that_failed_is_set_aside_alone_and_can_be_replayed() -> None:
    """It is stored as a separate message, without its request, since the requester no longer waits."""
    request = {"response_topic": "site/press/answers", "correlation": "2a"}
    (found,), predictions = outcomes([answered("1-0", "a", "b", failed={"b": "it failed"}, **request)], {}, TOPIC)
    assert [each.reading_id for each in predictions] == ["a"]
    (kept,) = found.set_aside
    assert (found.classified, kept.topic, kept.reason) == (1, "site/press/reading", "it failed")
    assert (kept.features, kept.received_at) == ("lux,temperature,vibration", 1_764_000_000_123)
    assert kept.digest == hashlib.sha256(kept.payload).hexdigest()
    arrival = msgspec.json.decode(kept.payload, type=Arrival)
    assert arrival == Arrival("press", (reading("b"),), 1_764_000_000_123, True)


def test_readings_whose_prediction_the_broker_refused_are_set_aside() -> None:
    """Together with readings that failed earlier; each reading is set aside once, with its own reason."""
    batch = [answered("1-0", "a", "b", failed={"b": "it failed"}), answered("1-0", "c")]
    (found,), predictions = outcomes(batch, {0: "not authorized"}, TOPIC)
    assert [each.reading_id for each in predictions] == ["c"]
    assert found.classified == 1
    assert [each.reason for each in found.set_aside] == [
        "it failed", "the broker refused the prediction: not authorized",
    ]  # fmt: skip


def test_an_entry_that_cannot_be_decoded_is_set_aside_once_for_each_reading_in_it() -> None:
    broken = Delivered("1-0", ("lux",), None, b"{not json", 4)
    (found,), predictions = outcomes([Answered(broken, None, [], [(None, "cannot be decoded")])], {}, TOPIC)
    assert (found.classified, predictions, len(found.set_aside)) == (0, [], 4)
    assert {(each.reason, each.payload) for each in found.set_aside} == {("cannot be decoded", b"{not json")}


def test_only_the_beginning_of_a_payload_above_the_limit_is_kept() -> None:
    raw = b"x" * (MAX_KEPT_BYTES + 1)
    broken = Delivered("1-0", ("lux",), None, raw, 1)
    (found,), _ = outcomes([Answered(broken, None, [], [(None, "cannot be decoded")])], {}, TOPIC)
    (kept,) = found.set_aside
    assert kept.length == len(raw)
    assert len(kept.payload) < 100_000


messages = st.tuples(st.integers(1, 5), st.sets(st.integers(0, 4)), st.booleans())  # readings, failed, refused


@given(st.lists(st.lists(messages, min_size=1, max_size=4), max_size=6))
def test_each_reading_is_either_classified_or_set_aside(drawn: list[list[tuple[int, set[int], bool]]]) -> None:
    batch: list[Answered] = []
    refusals: dict[int, str] = {}
    total = 0
    for number, each in enumerate(drawn):
        for count, failed, refused in each:
            names = [f"r{total + i}" for i in range(count)]
            total += count
            if refused:
                refusals[len(batch)] = "no"
            batch.append(answered(f"{number}-1", *names, failed={names[i]: "bad" for i in failed if i < count}))
    before = msgspec.json.encode([item.predictions for item in batch])
    found, predictions = outcomes(batch, refusals, TOPIC)
    assert [each.stream_id for each in found] == [f"{number}-1" for number in range(len(drawn))]
    assert sum(each.classified for each in found) == len(predictions)
    ids = [each.reading_id for each in predictions]
    for outcome in found:
        ids += [msgspec.json.decode(kept.payload, type=Arrival).readings[0].id for kept in outcome.set_aside]
    assert sorted(ids) == sorted(f"r{i}" for i in range(total))
    assert msgspec.json.encode([item.predictions for item in batch]) == before, "it changed its argument"
