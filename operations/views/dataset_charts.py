"""Drawings of a data set as SVG, for pages and reports. Every text is escaped."""

from __future__ import annotations

from html import escape

from operations.views.dataset_description import HistogramView, PairsView

WIDTH, HEIGHT, MARGIN = 480, 200, 24
COLORS = ("#2a6fbb", "#c8502d", "#3d8c5a", "#8a5bb0", "#b58a1e", "#3b9aa8", "#b0486e", "#6b6b6b")
NONE = "#9a9a9a"  # without a label


def histogram(found: HistogramView) -> str:
    """The share of each class in each bin, so that a small class can be seen beside a large one."""
    edges, bins = found["edges"], len(found["edges"]) - 1
    step, floor = (WIDTH - 2 * MARGIN) / bins, HEIGHT - MARGIN
    shares = {label: _shares(counts) for label, counts in found["counts"].items()}
    top = max((share for each in shares.values() for share in each), default=0.0) or 1.0
    parts = [_text(MARGIN, floor + 16, f"{edges[0]:.4g}"), _text(WIDTH - MARGIN, floor + 16, f"{edges[-1]:.4g}", "end")]
    for at, (label, each) in enumerate(shares.items()):
        color = COLORS[at % len(COLORS)] if label else NONE
        line = "".join(
            f"H{MARGIN + place * step:.1f}V{floor - (floor - MARGIN) * share / top:.1f}"
            for place, share in enumerate(each)
        )
        shape = f"M{MARGIN},{floor}{line}H{WIDTH - MARGIN}V{floor}Z"
        parts.append(f'<path d="{shape}" fill="{color}" fill-opacity="0.25" stroke="{color}"/>')
        parts.append(_text(WIDTH - MARGIN, 14 + 14 * at, label or "no label", "end", color))
    return _svg(f"{found['feature']} by class", parts)


def pairs(found: PairsView, one: int, other: int) -> str:
    """Readings as points: the first feature to the right, the second upwards."""
    points = [
        (values[one], values[other], label)
        for values, label in zip(found["values"], found["labels"], strict=True)
        if values[one] is not None and values[other] is not None
    ]
    labels = sorted({label for *_, label in points if label is not None})
    xs, ys = ([float(point[at] or 0.0) for point in points] for at in (0, 1))
    parts = [_text(WIDTH - MARGIN, HEIGHT - 8, found["features"][one], "end"), _text(4, 14, found["features"][other])]
    for x, y, (_, _, label) in zip(_scaled(xs, MARGIN, WIDTH - MARGIN), _scaled(ys, HEIGHT - MARGIN, MARGIN), points,
                                   strict=True):  # fmt: skip
        color = NONE if label is None else COLORS[labels.index(label) % len(COLORS)]
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}" fill-opacity="0.6"/>')
    return _svg(f"{found['features'][one]} and {found['features'][other]}", parts)


def _shares(counts: list[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def _scaled(values: list[float], begin: float, end: float) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return [begin + (end - begin) * ((value - low) / (high - low) if high > low else 0.5) for value in values]


def _text(x: float, y: float, text: str, anchor: str = "start", color: str = "#555555") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="11" font-family="sans-serif" '
        f'fill="{color}">{_clean(text)}</text>'
    )


def _svg(title: str, parts: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{_clean(title)}</title>{''.join(parts)}</svg>"
    )


def _clean(text: str) -> str:
    """The text escaped, without control characters, which XML does not allow even escaped."""
    return escape("".join(each if each.isprintable() else "?" for each in text))
