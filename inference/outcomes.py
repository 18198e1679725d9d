"""The outcome of a batch: from answered messages and the broker's refusals to what Redis records. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from inference.answer import Answered
from zelador.buffer import Delivered, Outcome, Refused
from zelador.buffer.outcome_batch import OutcomeBatch, outcome_batch
from zelador.messages import Prediction, encode_json
from zelador.settings.profiles import DEFAULT

MAX_KEPT_BYTES = 1_048_576  # of one reading that is set aside; of a longer one the beginning is kept


def outcomes(
    answered: Sequence[Answered], refusals: Mapping[int, str], topics: Mapping[str, str]
) -> tuple[list[Outcome], list[Prediction]]:
    """The outcome of each stream entry, and the predictions that the broker confirmed.

    The messages of one entry stand next to each other in `answered`. `refusals` has the broker's reason by the index
    of the message whose prediction it refused. `topics` has the template of each device profile's topic.
    """
    found: list[Outcome] = []
    predictions: list[Prediction] = []
    classified, aside, place = 0, list[Refused](), 0  # of the entry; `place` is that of the message's first reading
    for index, item in enumerate(answered):
        if item.failures or index in refusals:
            good, refused = _divide(item, refusals.get(index), topics, place)
            aside += refused
        else:
            good = item.predictions
        classified += len(good)
        predictions += good
        if item.arrival is not None:
            place += len(item.arrival.readings)
        stream_id = item.delivered.stream_id
        if index + 1 == len(answered) or answered[index + 1].delivered.stream_id != stream_id:
            found.append(Outcome(stream_id, classified, tuple(aside)))
            classified, aside, place = 0, [], 0
    return found, predictions


def _divide(
    item: Answered, refusal: str | None, topics: Mapping[str, str], place: int
) -> tuple[list[Prediction], list[Refused]]:
    """The confirmed predictions of a message, and the readings to set aside: all of them if the broker refused it.

    `place` is that of its first reading in the stream entry.
    """
    if item.arrival is None:  # the entry cannot be decoded: all its readings are set aside
        entry = Refused.of("", item.failures[0][1], item.delivered.raw, 0, most=MAX_KEPT_BYTES)
        return [], [entry] * item.delivered.count
    failures, good = list(item.failures), item.predictions
    if refusal is not None:
        failed = {reading for reading, _ in failures}  # not by id: two readings of an array may have the same
        reason = f"the broker refused the prediction: {refusal}"
        failures += [(reading, reason) for reading in item.arrival.readings if reading not in failed]
        good = []
    profile, device = item.arrival.profile, item.arrival.device_id
    template = topics.get(profile or DEFAULT) or topics.get(DEFAULT) or "{device_id}"
    topic = template.replace("{device_id}", device)
    received_at = item.arrival.received_at
    features, aside = ",".join(item.delivered.features), list[Refused]()
    bare = msgspec.structs.replace(item.arrival, response_topic=None, correlation=None)  # the requester no longer waits
    places = {reading: at for at, reading in enumerate(item.arrival.readings, place)}
    for reading, reason in failures:  # each as a separate message, so that it can be replayed alone
        payload = encode_json(msgspec.structs.replace(bare, readings=(reading,)))
        aside.append(
            Refused.of(
                topic,
                reason,
                payload,
                received_at,
                most=MAX_KEPT_BYTES,
                features=features,
                profile=profile,
                device=device if profile else "",
                entry=item.delivered.replayed or f"{item.delivered.stream_id} {places[reading] if reading else place}",
            )
        )
    return good, aside


def for_archive(
    entries: Sequence[Delivered], answered: Sequence[Answered], refusals: Collection[int]
) -> OutcomeBatch | None:
    """The predictions of a batch that the broker confirmed, by the places of their readings."""
    predictions: list[Prediction | None] = []
    for index, item in enumerate(answered):
        if item.arrival is None:
            predictions += [None] * item.delivered.count
        elif index in refusals:
            predictions += [None] * len(item.arrival.readings)
        elif item.failures:
            failed = {reading for reading, _ in item.failures}
            made = iter(item.predictions)
            predictions += [None if reading in failed else next(made, None) for reading in item.arrival.readings]
        else:
            predictions += item.predictions
    places = [delivered.replayed or delivered.stream_id for delivered in entries]
    return outcome_batch(places, [delivered.count for delivered in entries], predictions)
