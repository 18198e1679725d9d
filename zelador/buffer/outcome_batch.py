"""The predictions of a batch on their way to the archive: one entry of the stream `outcomes`. Pure.

A prediction is identified by its reading: the entry of the stream `readings`, and the position in it. With two bytes
for the label and two for the confidence, a prediction takes a twentieth of its size as JSON.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

from zelador.messages import Prediction

FIELD = b"o"
NONE = 0xFFFF  # no prediction, or no confidence
SCALE = 10_000  # a confidence has four decimals
MAX_LABELS = 65_000
MAX_OUTCOMES_BYTES = 16_777_216  # of predictions that wait for the archive; further ones are counted as missed


class OutcomeBatch(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The predictions of a batch.

    `codes` and `confidences` have an unsigned integer of 16 bits for each reading of the entries, in order.
    """

    model: str
    digest: str
    selection: int
    at: str  # when the batch was classified, ISO 8601
    labels: tuple[str, ...]
    entries: tuple[str, ...]  # ids; of a replayed reading "<entry> <place>", where it was
    counts: tuple[int, ...]  # readings of each entry
    codes: bytes  # the place of its label in `labels`; NONE: it was not classified
    confidences: bytes  # times SCALE; NONE: the model has none


encode_outcomes = msgspec.msgpack.Encoder().encode
decode_outcomes = msgspec.msgpack.Decoder(OutcomeBatch).decode


def outcome_batch(
    entries: Sequence[str], counts: Sequence[int], predictions: Sequence[Prediction | None]
) -> OutcomeBatch | None:
    """The predictions for the readings of these entries, all of one model; None if there are none."""
    made = [prediction for prediction in predictions if prediction is not None]
    if not made:
        return None
    first = made[0]
    labels = tuple({prediction.label: None for prediction in made})[:MAX_LABELS]
    code = {label: place for place, label in enumerate(labels)}
    if len(made) == len(predictions):  # nearly always
        codes = array("H", [code.get(prediction.label, NONE) for prediction in made])
    else:
        codes = array("H", [NONE if each is None else code.get(each.label, NONE) for each in predictions])
    confidences = array("H", [_scaled(each) for each in predictions])
    return OutcomeBatch(
        first.model,
        first.model_digest,
        first.selection,
        first.predicted_at,
        labels,
        tuple(entries),
        tuple(counts),
        _little(codes),
        _little(confidences),
    )


def _scaled(prediction: Prediction | None) -> int:
    if prediction is None or prediction.confidence is None:
        return NONE
    return int(prediction.confidence * SCALE + 0.5)


def _little(values: array[int]) -> bytes:
    if not LITTLE:
        values.byteswap()
    return values.tobytes()


LITTLE = array("H", [1]).tobytes()[0] == 1
