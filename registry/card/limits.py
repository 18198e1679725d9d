"""Where a model ends, in sentences: what it has seen, what it has not, and how sure its figures are."""

from __future__ import annotations

from collections.abc import Iterator

from registry.card.card import Card, listed, mapping
from registry.card.numbers import count, counted, number, quoted, share, span

FEW = 50  # hold-out rows of a class below which its figures say little
POOR = 0.1  # expected calibration error above which a probability is not to be taken at its word


def limits(card: Card) -> Iterator[str]:
    yield from _ranges(card)
    yield from _labels(card)
    yield from _data(card)
    yield from _figures(card)
    yield from _serving(card)


def _ranges(card: Card) -> Iterator[str]:
    known = [feature for feature in card.features if number(feature.minimum) is not None]
    if known:
        told = ", ".join(f"{f.name} {span(f.minimum, f.maximum)} {f.unit}".strip() for f in known)
        yield f"It has seen {told}. Beyond that it answers all the same, and nobody knows how well."
    else:
        yield "The range of the values that it learned from is not known."


def _labels(card: Card) -> Iterator[str]:
    if card.classes:
        known = ", ".join(card.classes)
        yield f"It knows the labels {known} and no other: whatever else happens comes out as one of them."
    else:
        yield "It has no classes, so live readings cannot be classified by it."
    classes = counted(mapping(card.data.get("classes")))
    if classes:
        label, fewest = min(classes.items(), key=lambda item: item[1])
        total = sum(classes.values())
        yield f"Of {count(total)} rows {count(fewest)} ({share(fewest, total)}) were {quoted(label)}, the rarest label."
    if card.confusion:
        labels, counts = card.confusion
        few = [label for label, row in zip(labels, counts, strict=True) if sum(row) < FEW]
        if few:
            yield f"The hold-out has fewer than {FEW} rows of {', '.join(few)}: figures of that class say little."


def _data(card: Card) -> Iterator[str]:
    if not card.data:
        yield "What it learned from is not known: it was not trained here."
        return
    if card.data.get("from") and card.data.get("to"):
        yield (
            f"Its readings are from {str(card.data['from'])[:10]} to {str(card.data['to'])[:10]}: of other seasons, "
            "machines and mountings it knows nothing."
        )
    missing = number(card.data.get("missing_values"))
    if missing:
        yield f"{count(missing)} values were missing in its data, and were filled with the mean."
    yield from (str(note) for note in listed(card.data.get("notes")))


def _figures(card: Card) -> Iterator[str]:
    if not mapping(card.facts.get("holdout")):
        yield "It has no hold-out figures: nothing says how it does on readings that it has not seen."
    errors = {label: number(mapping(c).get("error")) for label, c in mapping(card.report.get("calibration")).items()}
    for label, error in errors.items():
        if error is not None and error > POOR:
            yield f"Its probability of {quoted(label)} is off by {error:.2f} on average: do not take it at its word."


def _serving(card: Card) -> Iterator[str]:
    if card.facts.get("has_probabilities") is False:
        yield "It gives a label and no probability: confidence is null, and no threshold can be set."
    if card.facts.get("served_by") == "pipeline":
        yield "Live inference runs the scikit-learn pipeline, which is slower than a compiled model."
