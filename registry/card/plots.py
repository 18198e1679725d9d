"""Plots as SVG, made of numbers alone: no script, no style attribute, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from registry.card.blocks import Plot, Table, Words
from registry.card.card import listed, mapping
from registry.card.numbers import count, number, quoted, score, signed

SIDE, LEFT, TOP = 220, 40, 12  # of the square that curves are drawn in
MOST_CURVES = 4
STROKES = ("c1", "c2", "c3", "c4")  # told apart by dashes and by words, not by colour alone


def all_of(report: Mapping[str, Any]) -> Iterator[Plot | Words]:
    """One part of a report that is damaged takes no other with it."""
    for name, draw in (
        ("roc", _roc),
        ("calibration", _calibration),
        ("threshold", _threshold),
        ("importance", _importance),
    ):
        part = mapping(report.get(name))
        if not part:
            continue
        try:
            yield from draw(part)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            yield Words(f"The report's {name} is damaged and cannot be drawn.")


def whisker(folds: Sequence[float], held: float | None) -> str:
    """A score between 0 and 1: the folds as a line, the hold-out as a dot. Empty when there is nothing to draw."""
    inside = [value for value in (*folds, held) if value is not None]
    if not inside or min(inside) < 0 or max(inside) > 1:
        return ""
    line = _line(min(folds) * 150 + 5, 9, max(folds) * 150 + 5, 9, "thick") if folds else ""
    dot = f'<circle class="dot" cx="{held * 150 + 5:.1f}" cy="9" r="4"/>' if held is not None else ""
    return f'<svg class="mini" viewBox="0 0 160 18" aria-hidden="true">{_line(5, 9, 155, 9, "grid")}{line}{dot}</svg>'


def _roc(roc: Mapping[str, Any]) -> Iterator[Plot]:
    drawn = [(str(label), mapping(curve)) for label, curve in roc.items()][:MOST_CURVES]
    inner = _diagonal()
    for (_, curve), stroke in zip(drawn, STROKES, strict=False):
        inner += _path(_points(curve.get("false_alarms"), curve.get("found")), stroke)
    rows = tuple((str(label), score(mapping(curve).get("area"))) for label, curve in roc.items())
    note = "; ".join(f"area {area} for {quoted(label)}" for label, area in rows[:MOST_CURVES])
    svg = _square(inner, "false alarms", "found", f"ROC curve: {note}", [label for label, _ in drawn])
    yield Plot("ROC", note, svg, Table(("Class", "Area under the curve"), rows, frozenset({1})))


def _calibration(calibration: Mapping[str, Any]) -> Iterator[Plot]:
    drawn = [(str(label), mapping(curve)) for label, curve in calibration.items()][:MOST_CURVES]
    inner, rows = _diagonal(), []
    for (label, curve), stroke in zip(drawn, STROKES, strict=False):
        points = _points(curve.get("said"), curve.get("was"))
        inner += _path(points, stroke)
        counts = [max(0, int(n)) for n in listed(curve.get("rows")) if number(n) is not None]
        most = max(counts, default=1) or 1
        for (x, y), held in zip(points, counts, strict=False):
            inner += (
                f'<circle class="dot" cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="{2.5 + 3.5 * (held / most) ** 0.5:.1f}"/>'
            )
            rows.append((label, f"{x:.3f}", f"{y:.3f}", count(held)))
    errors = [f"expected error {score(curve.get('error'))} for {quoted(label)}" for label, curve in drawn]
    note = "; ".join(errors) + "; the larger a dot, the more readings"
    svg = _square(inner, "probability said", "share that was so", f"Calibration: {note}", [label for label, _ in drawn])
    head = ("Class", "Said", "Was so", "Readings")
    yield Plot("Calibration", note, svg, Table(head, tuple(rows), frozenset({1, 2, 3})))


def _threshold(threshold: Mapping[str, Any]) -> Iterator[Plot]:
    if len(threshold) != 1:  # of more than two classes nobody sets a threshold
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
    inner += _line(_x(best), _y(0), _x(best), _y(1), "mark")
    note = f"F1 of {quoted(label)} is highest, {highest:.4f}, from {best:g} on"
    svg = _square(inner, "threshold", "score", f"Scores by threshold: {note}", ["F1", "recall", "precision"])
    rows = tuple((f"{x:g}", *(score(found[name][i]) for name in names)) for i, x in enumerate(at) if i % 2 == 1)
    yield Plot("Threshold", note, svg, Table(("Threshold", "Recall", "Precision", "F1"), rows, frozenset({0, 1, 2, 3})))


def _importance(importance: Mapping[str, Any]) -> Iterator[Plot]:
    features = [mapping(each) for each in listed(importance.get("features"))][:12]
    if not features:
        return
    told = [(str(f.get("feature")), number(f.get("mean")) or 0.0, number(f.get("spread")) or 0.0) for f in features]
    longest = max((mean + spread for _, mean, spread in told), default=0.0) or 1.0
    inner = ""
    for place, (name, mean, spread) in enumerate(told):
        y, width = 34 * place + 14, max(0.0, mean) / longest * 200
        low, high = max(0.0, mean - spread) / longest * 200, max(0.0, mean + spread) / longest * 200
        inner += f'<text class="ink" x="0" y="{y}">{escape(name)}</text>'
        inner += f'<text class="ink strong end" x="260" y="{y}">{signed(mean, 3)}</text>'
        inner += f'<rect class="bar" x="0" y="{y + 5}" width="{width:.1f}" height="10"/>'
        inner += _line(low, y + 10, high, y + 10, "ink-line")
    metric = str(importance.get("metric"))
    note = f"{metric} lost on the hold-out when a feature is shuffled"
    rows = tuple((name, signed(mean, 4), f"{spread:.4f}") for name, mean, spread in told)
    said = escape(f"Importance: {note}: " + ", ".join(f"{name} {mean:.3f}" for name, mean, _ in told), quote=True)
    height = 34 * len(told) + 4
    svg = f'<svg class="plot" viewBox="0 0 260 {height}" role="img" aria-label="{said}">{inner}</svg>'
    yield Plot("Importance", note, svg, Table(("Feature", f"{metric} lost", "±"), rows, frozenset({1, 2})))


# ── drawing ──────────────────────────────────────────────────────────────────────────────────


def _square(inner: str, across: str, up: str, said: str, legend: Sequence[str]) -> str:
    """A plane from 0 to 1 both ways, with what it says in words for who cannot see it."""
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
        f'<text class="middle" x="{LEFT + SIDE / 2}" y="{TOP + SIDE + 32}">{escape(across)}</text>'
        f'<text class="middle" x="10" y="{middle}" transform="rotate(-90 10 {middle})">{escape(up)}</text>'
    )
    keys, height = "", TOP + SIDE + 40
    if len(legend) > 1:
        for place, (label, stroke) in enumerate(zip(legend, STROKES, strict=False)):
            y = height + 10 + 16 * place
            keys += _line(LEFT, y - 4, LEFT + 28, y - 4, stroke)
            keys += f'<text x="{LEFT + 36}" y="{y}">{escape(label[:40])}</text>'
        height += 16 * len(legend) + 4
    view = f"0 0 {LEFT + SIDE + 12} {height}"
    return (
        f'<svg class="plot" viewBox="{view}" role="img" aria-label="{escape(said, quote=True)}">'
        f"{grid}{inner}{ticks}{names}{keys}</svg>"
    )


def _points(across: object, up: object) -> list[tuple[float, float]]:
    if not isinstance(across, list) or not isinstance(up, list):
        return []
    pairs = ((number(x), number(y)) for x, y in zip(across, up, strict=False))
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
