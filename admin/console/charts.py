"""Charts as SVG by the server. Attributes only, no style attribute: the style sheet colors the classes.

Every text that comes from elsewhere is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from admin.console.language import Language
from operations.views.report import FeatureImportance

Point = tuple[float, float]


def svg(width: float, height: float, body: str, label: str = "", kind: str = "plot", stretch: bool = False) -> Markup:
    ratio = ' preserveAspectRatio="none"' if stretch else ""
    role = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    text = f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}"{ratio} {role}>{body}</svg>'
    return Markup(text)  # noqa: S704 - the parts are numbers, our own marks and escaped text


def path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def bounds(values: Sequence[float], least: float | None = None) -> Point:
    """The range of an axis that shows all values, with some room; from `least` on if it is given."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if least is not None:
        low = min(least, low)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return (low if least is not None else low - room), high + room


def spark(values: Sequence[float], label: str, width: int = 240, height: int = 36, kind: str = "spark") -> Markup:
    """A small line of values; empty if there are fewer than two."""
    if len(values) < 2:
        return svg(width, height, f'<path class="p-grid" d="M0,{height - 2}H{width}"/>', label, kind, stretch=True)
    low, high = bounds(values)
    step = width / (len(values) - 1)
    points = [(i * step, height - 2 - (height - 4) * (v - low) / (high - low)) for i, v in enumerate(values)]
    return svg(width, height, f'<path class="p-line" d="{path(points)}"/>', label, kind, stretch=True)


def lines(series: Sequence[tuple[str, Sequence[float | None]]], label: str, high: float | None = None) -> Markup:
    """The picture that stands where uPlot will draw, of the same height, for browsers without JavaScript."""
    width, height = 560, 120
    known = [value for _, values in series for value in values if value is not None]
    top = high or bounds(known, 0.0)[1]
    body = f'<path class="p-grid" d="M0,{height - 4}H{width}M0,{height / 2:g}H{width}M0,4H{width}"/>'
    for kind, values in series:
        step = width / max(1, len(values) - 1)
        drawn, pen = [], "M"
        for i, value in enumerate(values):
            if value is None:
                pen = "M"
                continue
            drawn.append(f"{pen}{i * step:.0f},{height - 4 - (height - 8) * min(value, top) / top:.0f}")
            pen = "L"
        if drawn:
            body += f'<path class="{kind}" d="{"".join(drawn)}"/>'
    return svg(width, height, body, label, stretch=True)


def interval(
    low: float, middle: float, high: float, axis: Point, label: str = "", best: bool = False, tick: float | None = None
) -> Markup:
    """A dot on its whisker; `tick` marks a reference."""
    a, b = axis

    def x(value: float) -> float:
        return 2 + 116 * (min(max(value, a), b) - a) / ((b - a) or 1.0)

    line, dot = ("p-accent", "p-fill") if best else ("p-whisker", "p-ink")
    body = (
        f'<path class="p-grid" d="M0,6H120"/><path class="{line}" d="M{x(low):.1f},6H{x(high):.1f}"/>'
        f'<circle class="{dot}" cx="{x(middle):.1f}" cy="6" r="3.5"/>'
    )
    if tick is not None:
        body += f'<path class="p-axis" d="M{x(tick):.1f},0V12"/>'
    return svg(120, 12, body, label)


def bar(share: float, threshold: float | None = None, alarm: bool = False) -> Markup:
    """A share of 1 as a bar, with a tick at the threshold."""
    kind = "p-alarmfill" if alarm else "p-grey"
    body = '<rect class="p-faint" x="0" y="4" width="400" height="8"/>'
    body += f'<rect class="{kind}" x="0" y="4" width="{400 * min(1.0, max(0.0, share)):.1f}" height="8"/>'
    if threshold is not None:
        body += f'<path class="p-whisker" d="M{400 * threshold:.0f},0V16"/>'
    return svg(400, 16, body, stretch=True)


def _square(ticks: str, x_title: str, y_title: str) -> str:
    return (
        f'{ticks}<text x="139" y="248" text-anchor="middle">{escape(x_title)}</text>'
        f'<text x="10" y="112" text-anchor="middle" transform="rotate(-90 10 112)">{escape(y_title)}</text>'
    )


def _x(value: float) -> float:
    return 34 + 210 * value


def _y(value: float) -> float:
    return 214 - 204 * value


def _unit_ticks() -> str:
    return "".join(
        f'<text x="{_x(v):g}" y="232" text-anchor="middle">{v:g}</text>'
        f'<text x="28" y="{_y(v) + 4:g}" text-anchor="end">{v:g}</text>'
        f'<path class="p-grid" d="M{_x(v):g},10V214M34,{_y(v):g}H244"/>'
        for v in (0.0, 0.5, 1.0)
    )


def roc(false_alarms: Sequence[float], found: Sequence[float], label: str, x_title: str, y_title: str) -> Markup:
    line = path([(_x(a), _y(b)) for a, b in zip(false_alarms, found, strict=False)]) if found else "M0,0"
    body = f'<path class="p-dash" d="M34,214L244,10"/><path class="p-accent" d="{line}"/>'
    return svg(250, 252, _square(_unit_ticks(), x_title, y_title) + body, label)


def calibration(
    predicted: Sequence[float], observed: Sequence[float], rows: Sequence[int], label: str, x_title: str, y_title: str
) -> Markup:
    """Observed rate by predicted probability; the bars are the number of rows, on a logarithmic scale."""
    body = '<path class="p-dash" d="M34,214L244,10"/>'
    for p, count in zip(predicted, rows, strict=False):
        height = 8 * math.log10(max(1, count)) + 2
        body += f'<rect class="p-wash" x="{_x(p) - 7:.0f}" y="{214 - height:.0f}" width="14" height="{height:.0f}"/>'
    for p, o in zip(predicted, observed, strict=False):
        body += f'<circle class="p-fill" cx="{_x(p):.1f}" cy="{_y(o):.1f}" r="3.5"/>'
    return svg(250, 252, _square(_unit_ticks(), x_title, y_title) + body, label)


def importance(rows: Sequence[tuple[str, float, float]], label: str, number: Sequence[str]) -> Markup:
    """A bar a feature: the metric that is lost when the feature is shuffled, with its spread."""
    top = max([abs(mean) + spread for _, mean, spread in rows] + [1e-9])
    body = ""
    for i, (name, mean, spread) in enumerate(rows):
        y, width = i * 40, 240 * max(0.0, mean) / top
        left, right = 240 * max(0.0, mean - spread) / top, 240 * max(0.0, mean + spread) / top
        body += (
            f'<text class="ink" x="0" y="{y + 14}">{escape(name)}</text>'
            f'<rect class="p-grey" x="0" y="{y + 20}" width="{width:.1f}" height="10"/>'
            f'<path class="p-whisker" d="M{left:.1f},{y + 25}H{right:.1f}"/>'
            f'<text class="strong" x="250" y="{y + 14}" text-anchor="end">{escape(number[i])}</text>'
        )
    return svg(250, max(40, 40 * len(rows)), body, label)


def importance_of(features: Sequence[FeatureImportance], language: Language, label: str) -> Markup:
    rows = [(each.feature, each.mean, each.spread) for each in features[:20]]
    return importance(rows, label, [language.number(mean, 3) for _, mean, _ in rows])
