"""Classifies a batch of readings: a prediction for each, or the reason why there is none. Pure except for the model.

If the model raises, the batch is halved until the failing readings are found; the others are classified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from inference.model import Model
from registry.model.classifier import NO_PROBABILITIES, without_probabilities
from zelador.buffer import Delivered
from zelador.clock import now_ms
from zelador.messages import Arrival, Prediction, Reading, iso, prediction_id


class Answered(msgspec.Struct):
    """The result for one message: a prediction for each reading, in order, or the reason why there is none.

    `arrival` is None for an entry of the stream that cannot be decoded.
    """

    delivered: Delivered  # the stream entry that contains the message
    arrival: Arrival | None
    predictions: list[Prediction] = []
    failures: list[tuple[Reading | None, str]] = []
    times: list[int] = []  # of each prediction's reading: measured, but not later than received; ms since 1970 UTC


def answer(
    batch: Sequence[Delivered],
    model: Model,
    selection: int,
    deliveries: int,
    late_after_s: float = 900.0,
    now: Callable[[], int] = now_ms,
) -> list[Answered]:
    """Classifies all readings of `batch`, in one call of the model unless it raises.

    A reading received more than `late_after_s` ago is marked as late.
    An entry delivered more than `deliveries` times is not classified: each worker that tried it died.
    """
    answered: list[Answered] = []
    places: list[tuple[Answered, Arrival, Reading]] = []
    rows: list[float | None] = []  # the values of all readings, concatenated
    for delivered in batch:
        if delivered.arrivals is None:
            answered.append(Answered(delivered, None, [], [(None, "the stream entry cannot be decoded")]))
            continue
        order = _order(delivered.features, model.features)
        for arrival in delivered.arrivals:
            item = Answered(delivered, arrival, [], [], [])
            answered.append(item)
            if delivered.deliveries > deliveries:
                reason = (
                    f"given to a worker {delivered.deliveries - 1} times and never finished: each time the worker died "
                    f"first, because of this reading, of another one in the same entry, or for another reason"
                )
                item.failures.extend((reading, reason) for reading in arrival.readings)
                continue
            if isinstance(order, str):
                reason = f"the model {model.name} needs {order}, which the reading does not have"
                item.failures.extend((reading, reason) for reading in arrival.readings)
                continue
            for reading in arrival.readings:
                places.append((item, arrival, reading))
                rows += reading.values if order is None else [reading.values[i] for i in order]
    if rows:
        results = _classify(model, np.array(rows, dtype=np.float64).reshape(len(places), -1))
        at, name, digest = now(), model.name, model.digest
        predicted_at, late_before = iso(at), at - late_after_s * 1000
        for (item, arrival, reading), result in zip(places, results, strict=True):
            if isinstance(result, str):
                item.failures.append((reading, result))
                continue
            label, confidence, probabilities = result
            measured_at, received_at, device_id = reading.measured_at, arrival.received_at, arrival.device_id
            item.times.append(measured_at if measured_at < received_at else received_at)
            item.predictions.append(
                Prediction(
                    prediction_id(reading, device_id, digest),
                    reading.id,
                    device_id,
                    iso(measured_at),
                    label,
                    confidence,
                    probabilities,
                    name,
                    digest,
                    selection,
                    predicted_at,
                    True if received_at < late_before else msgspec.UNSET,
                    arrival.retained or msgspec.UNSET,
                )
            )
    return answered


Result = tuple[str, float | None, dict[str, float] | None]


def _classify(model: Model, rows: NDArray[np.float64]) -> list[Result | str]:
    """A result for each row, or the reason why the model has none for it. Halves `rows` on an error."""
    try:
        return _results(model, rows)
    except Exception as error:  # noqa: BLE001 - any error of the model concerns single readings, not the stream
        if len(rows) == 1:
            return [f"the model {model.name} failed: {type(error).__name__}: {str(error)[:300]}"]
        half = len(rows) // 2
        return _classify(model, rows[:half]) + _classify(model, rows[half:])


def _results(model: Model, rows: NDArray[np.float64]) -> list[Result | str]:
    """Like `_classify`, but an error of the model passes through."""
    answer = model.classify(rows)
    labels, probabilities = answer.labels, answer.probabilities
    if len(labels) != len(rows):
        raise ValueError(f"it gives {len(labels)} labels for {len(rows)} readings")
    if probabilities is None:
        return [(label, None, None) for label in labels]
    classes = model.classes
    results: list[Result | str] = [
        (label, (shares := dict(zip(classes, row, strict=True)))[label], shares)
        for label, row in zip(labels, probabilities.tolist(), strict=True)
    ]
    for place in without_probabilities(probabilities):
        results[place] = f"the model {model.name} {NO_PROBABILITIES}"
    return results


@lru_cache(maxsize=64)
def _order(have: tuple[str, ...], want: tuple[str, ...]) -> tuple[int, ...] | str | None:
    """The position in a reading of each feature of the model; None if all are the same; or a missing feature's name."""
    if have == want:
        return None
    missing = [name for name in want if name not in have]
    return missing[0] if missing else tuple(have.index(name) for name in want)
