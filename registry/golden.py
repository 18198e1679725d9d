"""Golden rows: a few inputs with the answers that the model gave when it was saved.

A model that does not give them again at load (another library version, a damaged machine) is refused.
"""

from __future__ import annotations

import msgspec
import numpy as np

from registry.classifier import Classifier, Rows
from registry.errors import ModelRefused

FILE = "golden.json"
NONE = b'{"rows":[],"labels":[],"probabilities":null}'
MOST = 32  # rows kept
TOLERANCE = 1e-4  # of a probability


class Golden(msgspec.Struct, frozen=True):
    rows: list[list[float | None]]  # None: not known (NaN)
    labels: list[str]
    probabilities: list[list[float]] | None


def make(classifier: Classifier, rows: Rows) -> bytes:
    """The golden file for at most MOST of `rows`, as `classifier` answers them."""
    few = rows[:MOST]
    answer = classifier.classify(few)
    values = [[None if np.isnan(value) else value for value in row] for row in few.tolist()]
    probabilities = None if answer.probabilities is None else answer.probabilities.tolist()
    return msgspec.json.encode(Golden(values, answer.labels, probabilities))


def drawn(features: int) -> Rows:
    """For a model that came without any: of every size, as nothing is known of its features; the same each time."""
    draw = np.random.default_rng(0)
    return draw.normal(size=(MOST, features)) * 10 ** draw.uniform(-1, 3, size=(MOST, features))


def check(classifier: Classifier, data: bytes) -> None:
    """Raises ModelRefused unless `classifier` answers as recorded."""
    try:
        golden = msgspec.json.decode(data, type=Golden)
    except msgspec.DecodeError as error:
        raise ModelRefused(f"{classifier.name}: {FILE} cannot be read ({error})") from None
    if not golden.rows:
        return
    rows = np.array([[np.nan if v is None else v for v in row] for row in golden.rows], dtype=np.float64)
    try:
        answer = classifier.classify(rows)
    except Exception as error:  # noqa: BLE001 - whatever the model raises, it does not answer
        raise ModelRefused(
            f"{classifier.name}: it fails on its golden rows ({type(error).__name__}: {error})"
        ) from None
    wrong = sum(a != b for a, b in zip(answer.labels, golden.labels, strict=True))
    far = 0.0
    if (answer.probabilities is None) != (golden.probabilities is None):
        wrong = len(golden.labels)
    elif answer.probabilities is not None:
        far = float(np.abs(answer.probabilities - np.array(golden.probabilities)).max())
    if wrong or far > TOLERANCE:
        raise ModelRefused(
            f"{classifier.name}: it does not answer its golden rows as it did when it was saved "
            f"({wrong} of {len(golden.labels)} labels differ, probabilities by up to {far:.2g}); select another model"
        )
