"""The limits of a model, in sentences: what its training data covered, and how reliable its metrics are."""

from __future__ import annotations

from collections.abc import Iterator

from registry.card.card import Card
from registry.card.numbers import count, counted, number, quoted, share, span
from registry.metadata import listed, mapping

MIN_CLASS_ROWS = 50  # with fewer hold-out rows of a class, its metrics are unreliable
MAX_CALIBRATION_ERROR = 0.1  # with a larger expected calibration error, a probability is unreliable


def limits(card: Card) -> Iterator[str]:
    yield from _ranges(card)
    yield from _labels(card)
    yield from _data(card)
    yield from _figures(card)
    yield from _serving(card)


def _ranges(card: Card) -> Iterator[str]:
    known = [feature for feature in card.features if number(feature.minimum) is not None]
    if known:
        ranges = ", ".join(f"{f.name} {span(f.minimum, f.maximum)} {f.unit}".strip() for f in known)
        yield f"Range of the training data: {ranges}. Predictions outside this range are untested."
    else:
        yield "The range of the training data is not known."


def _labels(card: Card) -> Iterator[str]:
    if card.classes:
        known = ", ".join(card.classes)
        yield f"It predicts only the labels {known}. Any other condition is predicted as one of them."
    else:
        yield "It has no classes, so it cannot classify live readings."
    classes = counted(mapping(card.data.get("classes")))
    if classes:
        label, fewest = min(classes.items(), key=lambda item: item[1])
        total = sum(classes.values())
        yield f"Of {count(total)} rows {count(fewest)} ({share(fewest, total)}) were {quoted(label)}, the rarest label."
    if card.confusion:
        labels, counts = card.confusion
        rare = [label for label, row in zip(labels, counts, strict=True) if sum(row) < MIN_CLASS_ROWS]
        if rare:
            yield (
                f"The hold-out has fewer than {MIN_CLASS_ROWS} rows of {', '.join(rare)}, so the metrics of "
                f"{'this label' if len(rare) == 1 else 'these labels'} are unreliable."
            )


def _data(card: Card) -> Iterator[str]:
    if not card.data:
        yield "Its training data is not known: it was not trained here."
        return
    if card.data.get("from") and card.data.get("to"):
        yield (
            f"Its training data is from {str(card.data['from'])[:10]} to {str(card.data['to'])[:10]}. It does not "
            "cover other seasons, machines or sensor positions."
        )
    missing = number(card.data.get("missing_values"))
    if missing:
        yield f"{count(missing)} values were missing in its training data, and were replaced by the mean."
    yield from (str(note) for note in listed(card.data.get("notes")))


def _figures(card: Card) -> Iterator[str]:
    if not mapping(card.facts.get("holdout")):
        yield "It has no hold-out metrics, so its performance on new readings is not known."
    errors = {label: number(mapping(c).get("error")) for label, c in mapping(card.report.get("calibration")).items()}
    for label, error in errors.items():
        if error is not None and error > MAX_CALIBRATION_ERROR:
            yield f"Its probability of {quoted(label)} is off by {error:.2f} on average. Do not rely on it."


def _serving(card: Card) -> Iterator[str]:
    if card.facts.get("has_probabilities") is False:
        yield "It predicts a label without a probability: confidence is null, and no threshold can be set."
    if card.facts.get("served_by") == "pipeline":
        yield "Live inference runs the scikit-learn pipeline, which is slower than a compiled model."
