"""Plots as inline SVG, without scripts, style attributes or external resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from registry.card.blocks import Plot, Table, Words
from registry.card.numbers import count, number, quoted, score, signed
from registry.metadata import listed, mapping

SIDE, LEFT, TOP = 220, 40, 12  # size and position of the square in which curves are drawn
MAX_CURVES = 4
STROKES = ("c1", "c2", "c3", "c4")  # CSS classes; they differ in dashes as well as in color


def all_of(report: Mapping[str, Any]) -> Iterator[Plot | Words]:
    """The plots of a report. A damaged part is named and does not affect the others."""
    for name, draw in (
        ("roc", _roc),
        ("precision_recall", _precision_recall),
        ("calibration", _calibration),
        ("threshold", _threshold),
        ("learning", _learning),
        ("importance", _importance),
    ):
        part = mapping(report.get(name))
        if not part and name == "learning" and isinstance(why := report.get("no_learning"), str):
            yield Words(f"There is no learning curve. {why}")
        if not part:
            continue
        try:
            yield from draw(part)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            yield Words(f"The report's {name} is damaged and cannot be drawn.")


def whisker(folds: Sequence[float], holdout: float | None) -> str:
    """A score between 0 and 1: the folds as a line, the hold-out as a dot. Empty if there is nothing to draw."""
    values = [value for value in (*folds, holdout) if value is not None]
    if not values or min(values) < 0 or max(values) > 1:
        return ""
    line = _line(min(folds) * 150 + 5, 9, max(folds) * 150 + 5, 9, "thick") if folds else ""
    dot = f'<circle class="dot" cx="{holdout * 150 + 5:.1f}" cy="9" r="4"/>' if holdout is not None else ""
    return f'<svg class="mini" viewBox="0 0 160 18" aria-hidden="true">{_line(5, 9, 155, 9, "grid")}{line}{dot}</svg>'


def _roc(roc: Mapping[str, Any]) -> Iterator[Plot]:
    drawn = [(str(label), mapping(curve)) for label, curve in roc.items()][:MAX_CURVES]
    inner = _diagonal()
    for (_, curve), stroke in zip(drawn, STROKES, strict=False):
        inner += _path(_points(curve.get("false_alarms"), curve.get("found")), stroke)
    rows = tuple((str(label), score(mapping(curve).get("area"))) for label, curve in roc.items())
    note = "; ".join(f"area {area} for {quoted(label)}" for label, area in rows[:MAX_CURVES])
    legend = [label for label, _ in drawn]
    svg = _square(inner, "false positive rate", "true positive rate", f"ROC curve: {note}", legend)
    yield Plot("ROC", note, svg, Table(("Class", "Area under the curve"), rows, frozenset({1})))


def _precision_recall(curves: Mapping[str, Any]) -> Iterator[Plot]:
    drawn = [(str(label), mapping(curve)) for label, curve in curves.items()][:MAX_CURVES]
    inner = ""
    for (_, curve), stroke in zip(drawn, STROKES, strict=False):
        inner += _path(_points(curve.get("recall"), curve.get("precision")), stroke)
    rows = tuple((str(label), score(mapping(curve).get("area"))) for label, curve in curves.items())
    note = "; ".join(f"average precision {area} for {quoted(label)}" for label, area in rows[:MAX_CURVES])
    legend = [label for label, _ in drawn]
    svg = _square(inner, "recall", "precision", f"Precision and recall: {note}", legend)
    yield Plot("Precision and recall", note, svg, Table(("Class", "Average precision"), rows, frozenset({1})))


def _calibration(calibration: Mapping[str, Any]) -> Iterator[Plot]:
    drawn = [(str(label), mapping(curve)) for label, curve in calibration.items()][:MAX_CURVES]
    inner, rows = _diagonal(), []
    for (label, curve), stroke in zip(drawn, STROKES, strict=False):
        points = _points(curve.get("said"), curve.get("was"))
        inner += _path(points, stroke)
        counts = [max(0, int(n)) for n in listed(curve.get("rows")) if number(n) is not None]
        largest = max(counts, default=1) or 1
        for (x, y), in_bin in zip(points, counts, strict=False):
            radius = 2.5 + 3.5 * (in_bin / largest) ** 0.5
            inner += f'<circle class="dot" cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="{radius:.1f}"/>'
            rows.append((label, f"{x:.3f}", f"{y:.3f}", count(in_bin)))
    errors = [f"expected error {score(curve.get('error'))} for {quoted(label)}" for label, curve in drawn]
    note = "; ".join(errors) + "; larger dots have more readings"
    legend = [label for label, _ in drawn]
    svg = _square(inner, "mean predicted probability", "observed rate", f"Calibration: {note}", legend)
    head = ("Class", "Predicted", "Observed", "Readings")
    yield Plot("Calibration", note, svg, Table(head, tuple(rows), frozenset({1, 2, 3})))


def _threshold(threshold: Mapping[str, Any]) -> Iterator[Plot]:
    if len(threshold) != 1:  # a threshold needs two classes
        return
    ((label, table),) = threshold.items()
    at = [value for each in listed(mapping(table).get("threshold")) if (value := number(each)) is not None]
    names = ("recall", "precision", "f1")
    found = {name: listed(mapping(table).get(name)) for name in names}
    if not at or any(len(values) != len(at) for values in found.values()):
        return
    inner = ""
    for name, stroke in zip(names, ("c2", "c3", "c1"), strict=True):
        known = [(x, y) for x, value in zip(at, found[name], strict=True) if (y := number(value)) is not None]
        inner += _path(known, stroke)
    scored = [(number(f1) or 0.0, x) for x, f1 in zip(at, found["f1"], strict=True)]
    highest, best = max(scored)
    chosen = number(mapping(table).get("chosen"))
    mark = best if chosen is None else chosen
    inner += _line(_x(mark), _y(0), _x(mark), _y(1), "mark")
    note = f"F1 of {quoted(label)} is highest, {highest:.4f}, at threshold {best:g}"
    if chosen is not None:
        note = f"the model's threshold is {chosen:g}, {_chosen_by(table)}{_alarms_of(table)}; {note}"
    svg = _square(inner, "threshold", "score", f"Scores by threshold: {note}", ["F1", "recall", "precision"])
    cost = [number(value) for value in listed(mapping(table).get("cost"))]
    costs = cost if len(cost) == len(at) else [None] * len(at)
    rows = tuple(
        (f"{x:g}", *(score(found[name][i]) for name in names), "–" if costs[i] is None else f"{costs[i]:.1f}")
        for i, x in enumerate(at)
        if i % 2 == 1
    )
    head = ("Threshold", "Recall", "Precision", "F1", "Cost of 1,000 readings")
    yield Plot("Threshold", note, svg, Table(head, rows, frozenset({0, 1, 2, 3, 4})))


def _chosen_by(table: Mapping[str, Any]) -> str:
    """The reason of a threshold: a recall to keep, or costs."""
    recall = number(table.get("recall_kept"))
    if recall is not None:
        return f"which keeps a recall of {recall:g}"
    costs = [number(value) for value in listed(table.get("costs"))]
    if len(costs) != 2 or None in costs:
        return "chosen in training"
    return f"at costs of {costs[0]:g} for a missed reading and {costs[1]:g} for a false alarm"


def _alarms_of(table: Mapping[str, Any]) -> str:
    """How many false alarms it gives, if that is known."""
    found = mapping(table.get("false_alarms"))
    alarms, days = number(found.get("alarms")), number(found.get("device_days"))
    if alarms is None or days is None:
        return ""
    seen = f"in {days:.1f} days of a device without trouble, on readings that were not learned from"
    return f"; it gives about {alarms:.2g} false alarms a day and device ({seen})"


def _learning(learning: Mapping[str, Any]) -> Iterator[Plot]:
    points = _points(learning.get("stretches"), learning.get("scores"))
    if len(points) < 2:
        return
    most = max(x for x, _ in points)
    metric = str(learning.get("metric"))
    inner = _path([(x / most, y) for x, y in points], "c1")
    inner += "".join(f'<circle class="dot" cx="{_x(x / most):.1f}" cy="{_y(y):.1f}" r="3.5"/>' for x, y in points)
    note = str(learning.get("sentence"))
    title = f"stretches of time that were learned from (1 = {most:g})"
    svg = _square(inner, title, metric, f"Learning curve: {note}", [])
    rows = tuple((f"{x:g}", score(y)) for x, y in points)
    yield Plot("Learning curve", note, svg, Table(("Stretches", metric), rows, frozenset({0, 1})))


def _importance(importance: Mapping[str, Any]) -> Iterator[Plot]:
    features = [mapping(each) for each in listed(importance.get("features"))][:12]
    if not features:
        return
    scores = [(str(f.get("feature")), number(f.get("mean")) or 0.0, number(f.get("spread")) or 0.0) for f in features]
    longest = max((mean + spread for _, mean, spread in scores), default=0.0) or 1.0
    inner = ""
    for index, (name, mean, spread) in enumerate(scores):
        y, width = 34 * index + 14, max(0.0, mean) / longest * 200
        low, high = max(0.0, mean - spread) / longest * 200, max(0.0, mean + spread) / longest * 200
        inner += f'<text class="ink" x="0" y="{y}">{escape(name)}</text>'
        inner += f'<text class="ink strong end" x="260" y="{y}">{signed(mean, 3)}</text>'
        inner += f'<rect class="bar" x="0" y="{y + 5}" width="{width:.1f}" height="10"/>'
        inner += _line(low, y + 10, high, y + 10, "ink-line")
    metric = str(importance.get("metric"))
    note = f"decrease of {metric} on the hold-out when a feature is shuffled"
    rows = tuple((name, signed(mean, 4), f"{spread:.4f}") for name, mean, spread in scores)
    text = escape(f"Importance: {note}: " + ", ".join(f"{name} {mean:.3f}" for name, mean, _ in scores), quote=True)
    height = 34 * len(scores) + 4
    svg = f'<svg class="plot" viewBox="0 0 260 {height}" role="img" aria-label="{text}">{inner}</svg>'
    yield Plot("Importance", note, svg, Table(("Feature", f"Decrease of {metric}", "±"), rows, frozenset({1, 2})))


# ── drawing ──────────────────────────────────────────────────────────────────────────────────


def _square(inner: str, x_title: str, y_title: str, description: str, legend: Sequence[str]) -> str:
    """A plot whose axes run from 0 to 1. `description` is read out by screen readers."""
    grid = "".join(
        _line(_x(v), _y(0), _x(v), _y(1), "grid") + _line(_x(0), _y(v), _x(1), _y(v), "grid") for v in (0, 0.5, 1)
    )
    ticks = "".join(
        f'<text class="middle" x="{_x(v):.1f}" y="{TOP + SIDE + 15}">{v:g}</text>'
        f'<text class="end" x="{LEFT - 7}" y="{_y(v) + 4:.1f}">{v:g}</text>'
        for v in (0, 0.5, 1)
    )
    middle = TOP + SIDE / 2
    names = (
        f'<text class="middle" x="{LEFT + SIDE / 2}" y="{TOP + SIDE + 32}">{escape(x_title)}</text>'
        f'<text class="middle" x="10" y="{middle}" transform="rotate(-90 10 {middle})">{escape(y_title)}</text>'
    )
    keys, height = "", TOP + SIDE + 40
    if len(legend) > 1:
        for index, (label, stroke) in enumerate(zip(legend, STROKES, strict=False)):
            y = height + 10 + 16 * index
            keys += _line(LEFT, y - 4, LEFT + 28, y - 4, stroke)
            keys += f'<text x="{LEFT + 36}" y="{y}">{escape(label[:40])}</text>'
        height += 16 * len(legend) + 4
    view = f"0 0 {LEFT + SIDE + 12} {height}"
    return (
        f'<svg class="plot" viewBox="{view}" role="img" aria-label="{escape(description, quote=True)}">'
        f"{grid}{inner}{ticks}{names}{keys}</svg>"
    )


def _points(xs: object, ys: object) -> list[tuple[float, float]]:
    if not isinstance(xs, list) or not isinstance(ys, list):
        return []
    pairs = ((number(x), number(y)) for x, y in zip(xs, ys, strict=False))
    return [(x, y) for x, y in pairs if x is not None and y is not None]


def _path(points: Sequence[tuple[float, float]], kind: str) -> str:
    if not points:
        return ""
    steps = " ".join(f"{'M' if i == 0 else 'L'}{_x(x):.1f} {_y(y):.1f}" for i, (x, y) in enumerate(points))
    return f'<path class="line {kind}" d="{steps}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="line {kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _diagonal() -> str:
    return _line(_x(0), _y(0), _x(1), _y(1), "diagonal")


def _x(value: float) -> float:
    return LEFT + min(1.0, max(0.0, value)) * SIDE


def _y(value: float) -> float:
    return TOP + SIDE - min(1.0, max(0.0, value)) * SIDE
