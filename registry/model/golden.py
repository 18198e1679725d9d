"""Golden rows: a few inputs with the answers of the model when it was saved.

A model that answers differently at load (another library version, a broken machine) is refused.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.errors import ModelRefused
from registry.model.classifier import Answer, Classifier, Rows
from zelador.undecodable import UNDECODABLE

FILE = "golden.json"
MAX_SAVED = 32  # rows
MAX_CHECKED = 1_000  # rows of a file from elsewhere
MAX_BYTES = 16_777_216
TOLERANCE = 1e-4  # of a probability
SUM_TOLERANCE = 1e-3  # of the sum of a row's probabilities


class Golden(msgspec.Struct, frozen=True):
    rows: list[list[float | None]]  # None: not known (NaN)
    labels: list[str]
    probabilities: list[list[float]] | None


def make(classifier: Classifier, rows: Rows) -> bytes:
    """The golden file for at most MAX_SAVED of `rows`, with the answers of `classifier`.

    Raises ModelRefused unless the model answers each of them.
    """
    few = rows[:MAX_SAVED]
    if not len(few):
        raise ModelRefused(f"{classifier.name}: there are no rows to ask it")
    answer = ask(classifier, few)
    values = [[None if np.isnan(value) else value for value in row] for row in few.tolist()]
    probabilities = None if answer.probabilities is None else answer.probabilities.tolist()
    return msgspec.json.encode(Golden(values, answer.labels, probabilities))


def ask(classifier: Classifier, rows: Rows) -> Answer:
    """The answers to `rows`. Each must be complete: a label that is one of the classes, and valid probabilities.

    Raises ModelRefused with the reason.
    """
    name = classifier.name
    try:
        answer = classifier.classify(rows)
    except MemoryError:
        raise
    except KeyError as error:
        classes = ", ".join(classifier.classes)
        raise ModelRefused(f"{name}: it answers {error.args[0]!r}, and its classes are {classes}") from None
    except Exception as error:  # noqa: BLE001 - whatever the model raises, it does not answer
        reason = " ".join(str(error).split())[:300]
        raise ModelRefused(f"{name}: it does not answer a row of numbers ({type(error).__name__}: {reason})") from None
    if len(answer.labels) != len(rows):
        raise ModelRefused(f"{name}: it gives {len(answer.labels)} labels for {len(rows)} rows")
    shares = answer.probabilities
    if shares is None:
        return answer
    expected = (len(rows), len(classifier.classes))
    if shares.shape != expected:
        raise ModelRefused(f"{name}: its probabilities have the shape {shares.shape}, and {expected} is needed")
    if not np.isfinite(shares).all():
        raise ModelRefused(f"{name}: some of its probabilities are not finite numbers")
    if (shares < -SUM_TOLERANCE).any() or np.abs(shares.sum(axis=1) - 1.0).max() > SUM_TOLERANCE:
        raise ModelRefused(f"{name}: its probabilities of a row are negative, or do not add up to 1")
    return answer


def drawn(features: int) -> Rows:
    """Rows for a model without rows of data: of all magnitudes, and the same each time."""
    draw = np.random.default_rng(0)
    return draw.normal(size=(MAX_SAVED, features)) * 10 ** draw.uniform(-1, 3, size=(MAX_SAVED, features))


def check(classifier: Classifier, data: bytes) -> None:
    """Raises ModelRefused unless `classifier` answers as recorded, at least one row."""
    golden = _decode(classifier, data)
    if not golden.rows:
        raise ModelRefused(
            f"{classifier.name}: {FILE} has no rows, so it is unknown whether the model answers as it did "
            "when it was made; save it again with rows of its data"
        )
    rows = np.array([[np.nan if v is None else v for v in row] for row in golden.rows], dtype=np.float64)
    try:
        answer = classifier.classify(rows)
    except Exception as error:  # noqa: BLE001 - whatever the model raises, it does not answer
        raise ModelRefused(
            f"{classifier.name}: it fails on its golden rows ({type(error).__name__}: {error})"
        ) from None
    wrong, far = _difference(answer, golden)
    if wrong or not far <= TOLERANCE:  # a NaN does not count as equal
        raise ModelRefused(
            f"{classifier.name}: it does not answer its golden rows as it did when it was saved "
            f"({wrong} of {len(golden.labels)} labels differ, probabilities by up to {far:.2g}); select another model"
        )


def _decode(classifier: Classifier, data: bytes) -> Golden:
    """The parsed file; its shape must match the model. Raises ModelRefused."""
    if len(data) > MAX_BYTES:
        raise ModelRefused(f"{classifier.name}: {FILE} has more than {MAX_BYTES} bytes")
    try:
        golden = msgspec.json.decode(data, type=Golden)
    except UNDECODABLE as error:
        raise ModelRefused(f"{classifier.name}: {FILE} cannot be read ({error})") from None
    count, shares = len(golden.rows), golden.probabilities
    shaped = len(golden.labels) == count <= MAX_CHECKED and all(
        len(row) == len(classifier.features) for row in golden.rows
    )
    if shares is not None:
        shaped = shaped and len(shares) == count and all(len(row) == len(classifier.classes) for row in shares)
    if not shaped:
        raise ModelRefused(
            f"{classifier.name}: {FILE} does not fit the model: a label for each row, a value for each feature, "
            f"a probability for each class, and at most {MAX_CHECKED} rows"
        )
    return golden


def _difference(answer: Answer, golden: Golden) -> tuple[int, float]:
    """The number of labels that differ, and the largest difference of a probability (NaN if one is NaN)."""
    if len(answer.labels) != len(golden.labels) or (answer.probabilities is None) != (golden.probabilities is None):
        return len(golden.labels), 0.0
    wrong = sum(a != b for a, b in zip(answer.labels, golden.labels, strict=True))
    if answer.probabilities is None:
        return wrong, 0.0
    recorded: NDArray[np.float64] = np.array(golden.probabilities, dtype=np.float64)
    if answer.probabilities.shape != recorded.shape:
        return len(golden.labels), 0.0
    return wrong, float(np.abs(answer.probabilities - recorded).max())
