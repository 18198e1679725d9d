"""The evaluations stored with a model, as sections of its card."""

from __future__ import annotations

from collections.abc import Iterator

from registry.card.blocks import Section, Table
from registry.card.card import Card
from registry.card.numbers import count, digest, number, quoted, score, utc_minute
from registry.metadata import listed, mapping

EVALUATIONS = "evaluations"  # key of the metadata


def evaluations(card: Card) -> Iterator[Section]:
    """A table for each evaluation on labeled rows, newest first."""
    for each in map(mapping, listed(card.facts.get(EVALUATIONS))):
        data, metrics, intervals = (mapping(each.get(part)) for part in ("data", "metrics", "intervals"))
        if not metrics:
            continue
        rows = []
        for metric, value in metrics.items():
            span = [number(end) for end in listed(intervals.get(metric))]
            known = [end for end in span if end is not None]
            rows.append((str(metric), score(value), f"{known[0]:.3f} – {known[1]:.3f}" if len(known) == 2 else "–"))
        notes = [f"{count(data.get('rows'))} rows, {utc_minute(each.get('at'))}", f"intervals by {each.get('by')}"]
        if each.get("positive"):
            notes.append(f"positive class {quoted(each['positive'])}")
        table = Table(("Metric", "Score", "95 % interval"), tuple(rows), frozenset({1, 2}))
        title = f"Evaluated on {data.get('source')}, digest {digest(data.get('digest'))}"
        yield Section(title, (table,), "; ".join(notes), 8)


def best_known(card: Card) -> str | None:
    """The newest evaluation in a sentence; None if there is none."""
    for each in map(mapping, listed(card.facts.get(EVALUATIONS))):
        data, metrics = mapping(each.get("data")), mapping(each.get("metrics"))
        if (f1 := number(metrics.get("F1"))) is not None and (accuracy := number(metrics.get("Accuracy"))) is not None:
            of = f" (of {quoted(each['positive'])})" if each.get("positive") else ""
            rows = f"{count(data.get('rows'))} rows of {data.get('source')}"
            return f"F1{of} {f1:.4f} and accuracy {accuracy:.4f} on {rows}."
    return None
