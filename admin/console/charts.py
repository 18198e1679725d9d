"""Renders charts as SVG. They have no style attribute: the style sheet colors the classes.

All foreign text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from admin.console.language import Language
from admin.console.words import feature_text
from archive.dataset.description import Histogram, Pairs
from operations.views.report import FeatureImportance

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class LaneStep:
    """A state; when it began and ended, as shares of the lane."""

    state: str
    begin: float
    end: float


def svg(width: float, height: float, body: str, label: str = "", kind: str = "plot", stretch: bool = False) -> Markup:
    ratio = ' preserveAspectRatio="none"' if stretch else ""
    role = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    text = f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}"{ratio} {role}>{body}</svg>'
    return Markup(text)  # noqa: S704 - the parts are numbers, our own marks and escaped text


def path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def short_path(points: Sequence[Point]) -> str:
    """Returns a line through points of whole units, each relative to the one before: half the bytes of `path`."""
    places = list(dict.fromkeys((round(x), round(y)) for x, y in points))
    moves = " ".join(f"{x - left} {y - top}" for (left, top), (x, y) in pairwise(places))
    return f"M{places[0][0]} {places[0][1]}" + (f"l{moves}" if moves else "") if places else "M0 0"


def bounds(values: Sequence[float], least: float | None = None) -> Point:
    """Returns the range of an axis that shows all values with some room, starting at `least` if it is given."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if least is not None:
        low = min(least, low)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return (low if least is not None else low - room), high + room


def spark(values: Sequence[float], label: str, width: int = 240, height: int = 36, kind: str = "spark") -> Markup:
    """Renders a sparkline; empty with fewer than two values."""
    if len(values) < 2:
        return svg(width, height, f'<path class="p-grid" d="M0,{height - 2}H{width}"/>', label, kind, stretch=True)
    low, high = bounds(values)
    step = width / (len(values) - 1)
    points = [(i * step, height - 2 - (height - 4) * (v - low) / (high - low)) for i, v in enumerate(values)]
    return svg(width, height, f'<path class="p-line" d="{path(points)}"/>', label, kind, stretch=True)


def interval(
    low: float, middle: float, high: float, axis: Point, label: str = "", best: bool = False, tick: float | None = None
) -> Markup:
    """Renders a dot on its interval; `tick` marks a reference."""
    a, b = axis

    def x(value: float) -> float:
        return 2 + 116 * (min(max(value, a), b) - a) / ((b - a) or 1.0)

    line, dot = ("p-accent", "p-fill") if best else ("p-whisker", "p-ink")
    body = (
        f'<path class="p-grid" d="M0,6H120"/><path class="{line}" d="M{x(low):.0f},6H{x(high):.0f}"/>'
        f'<circle class="{dot}" cx="{x(middle):.0f}" cy="6" r="3.5"/>'
    )
    if tick is not None:
        body += f'<path class="p-axis" d="M{x(tick):.0f},0V12"/>'
    return svg(120, 12, body, label)


def bar(share: float, threshold: float | None = None, alarm: bool = False) -> Markup:
    """Renders a share (0 to 1) as a bar, with a tick at the threshold."""
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


def _unit_ticks(language: Language) -> str:
    return "".join(
        f'<text x="{_x(v):g}" y="232" text-anchor="middle">{language.plain(v)}</text>'
        f'<text x="28" y="{_y(v) + 4:g}" text-anchor="end">{language.plain(v)}</text>'
        f'<path class="p-grid" d="M{_x(v):g},10V214M34,{_y(v):g}H244"/>'
        for v in (0.0, 0.5, 1.0)
    )


def roc(
    false_alarms: Sequence[float],
    found: Sequence[float],
    label: str,
    x_title: str,
    y_title: str,
    language: Language,
    mark: tuple[float, float, str] | None = None,
) -> Markup:
    """Renders a ROC curve. `mark` is the model's operating point: share of false alarms, share found, caption."""
    line = short_path([(_x(a), _y(b)) for a, b in zip(false_alarms, found, strict=False)])
    body = f'<path class="p-dash" d="M34,214L244,10"/><path class="p-accent" d="{line}"/>'
    if mark is not None:
        x, y = _x(mark[0]), _y(mark[1])
        body += f'<circle class="p-ink" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        anchor = ' text-anchor="end"' if mark[0] > 0.6 else ""
        beside = x - 8 if anchor else x + 8
        body += f'<text class="ink" x="{beside:.1f}" y="{min(y + 18, 206):.1f}"{anchor}>{escape(mark[2])}</text>'
    return svg(250, 252, _square(_unit_ticks(language), x_title, y_title) + body, label)


def calibration(
    predicted: Sequence[float],
    observed: Sequence[float],
    rows: Sequence[int],
    label: str,
    x_title: str,
    y_title: str,
    language: Language,
) -> Markup:
    """Renders observed rate by predicted probability. The bars are numbers of rows, on a logarithmic scale."""
    body = '<path class="p-dash" d="M34,214L244,10"/>'
    for p, count in zip(predicted, rows, strict=False):
        height = 8 * math.log10(max(1, count)) + 2
        body += f'<rect class="p-wash" x="{_x(p) - 7:.0f}" y="{214 - height:.0f}" width="14" height="{height:.0f}"/>'
    for p, o in zip(predicted, observed, strict=False):
        body += f'<circle class="p-fill" cx="{_x(p):.1f}" cy="{_y(o):.1f}" r="3.5"/>'
    return svg(250, 252, _square(_unit_ticks(language), x_title, y_title) + body, label)


def importance(rows: Sequence[tuple[str, float, float]], label: str, number: Sequence[str]) -> Markup:
    """Renders a bar per feature: how much the metric drops if the feature is shuffled, with its spread."""
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
    rows = [(feature_text(language, each.feature), each.mean, each.spread) for each in features[:20]]
    return importance(rows, label, [language.number(mean, 3) for _, mean, _ in rows])


LANE = {  # state of a device to how it is drawn: class, top, height
    "ok": ("p-faint", 3, 4),
    "suspect": ("p-watchfill", 0, 10),
    "alarm": ("p-alarmfill", 0, 10),
    "acknowledged": ("p-lane-ack", 0, 10),
    "shelved": ("p-grey", 4, 2),
    "unknown": ("p-lane-unknown", 1, 8),
}


def lane(steps: Sequence[LaneStep], label: str) -> Markup:
    """Renders the states of a device over time, 1000 units wide."""
    body = ""
    for step in (each for each in steps if each.state in LANE):  # of a retired device, nothing is said
        kind, top, height = LANE[step.state]
        width = max(1.0, 1000 * (step.end - step.begin))
        body += f'<rect class="{kind}" x="{1000 * step.begin:.1f}" y="{top}" width="{width:.1f}" height="{height}"/>'
    return svg(1000, 10, body, label, "lane", stretch=True)


def device_bar(share: float, best: bool = False) -> Markup:
    width = 120 * min(1.0, max(0.0, share))
    kind = "p-fill" if best else "p-grey"
    body = f'<rect class="p-faint" width="120" height="10"/><rect class="{kind}" width="{width:.1f}" height="10"/>'
    return svg(120, 10, body, "", "devbar", stretch=True)


def balance(labels: Sequence[tuple[str, int]], label: str) -> Markup:
    """Renders the share of each class; of two, the rarer in red."""
    total, at, body = sum(count for _, count in labels) or 1, 0.0, ""
    for place, (_, count) in enumerate(labels):
        width = 700 * count / total
        kind = "p-alarmfill" if place == len(labels) - 1 and place else "p-grey" if place % 2 == 0 else "p-faint"
        body += f'<rect class="{kind}" x="{at:.1f}" width="{max(0.5, width - 2):.1f}" height="22"/>'
        at += width
    return svg(700, 22, body, label, stretch=True)


def histogram(found: Histogram, labels: Sequence[str], unit: str, language: Language, label: str) -> Markup:
    """Renders the histogram of a feature in one or two classes, of which the second is the rarer one."""
    shown = [found.counts[name] for name in labels if name in found.counts] or list(found.counts.values())[:1]
    width, top = 380, max((count for bins in shown for count in bins), default=0) or 1
    body = ""
    for place, bins in enumerate(shown):
        step = width / len(bins)
        at, bar_width = (0.0, step - 1.5) if place == 0 else (step * 0.28, step * 0.4)
        marks = "".join(
            f"M{i * step + at:.0f},64V{64 - 60 * math.sqrt(count / top):.0f}h{bar_width:.0f}V64z"
            for i, count in enumerate(bins)
            if count
        )
        body += f'<path class="{"p-grey" if place == 0 else "p-alarmfill"}" d="{marks}"/>' if marks else ""
    first, last = language.measure(found.edges[0]), f"{language.measure(found.edges[-1])} {unit}".strip()
    ends = f'<text x="0" y="80">{escape(first)}</text>'
    ends += f'<text x="{width}" y="80" text-anchor="end">{escape(last)}</text>'
    return svg(width, 84, f'{body}<path class="p-axis" d="M0,64.5H{width}"/>{ends}', label)


def cost_curve(
    thresholds: Sequence[float],
    costs: Sequence[float],
    chosen: float | None,
    language: Language,
    label: str,
    top: float | None = None,
    own: float | None = None,
    width: int = 560,
) -> Markup:
    """Renders what errors cost by threshold, from 0 to 1, a dot at the chosen one, and a dashed line at 0.5.

    `top` is the highest cost that is shown; `own` the model's threshold, if another one is chosen.
    """
    most = top or max(costs, default=1.0) or 1.0

    def x(threshold: float) -> float:
        return 8 + (width - 16) * threshold

    def at(threshold: float, cost: float) -> Point:
        return x(threshold), 138 - 118 * min(cost, most) / most

    def nearest(threshold: float) -> Point:
        return at(threshold, min(pairs, key=lambda pair: abs(pair[0] - threshold))[1])

    body = "".join(
        f'<path class="p-grid" d="M{x(v):g},12V142"/><text x="{x(v):g}" y="159" text-anchor="'
        f'{"start" if v == 0 else "end" if v == 1 else "middle"}">{language.plain(v)}</text>'
        for v in (0, 0.25, 0.5, 0.75, 1)
    )
    body += f'<path class="p-axis" d="M8,142.5H{width - 8}"/><path class="p-dash" d="M{x(0.5):g},12V142"/>'
    pairs = list(zip(thresholds, costs, strict=False))
    if len(pairs) > 1:
        drawn = [*pairs[:: 1 + len(pairs) // 60], pairs[-1]]
        body += f'<path class="p-line" d="{short_path([at(*pair) for pair in drawn])}"/>'
    if own is not None and pairs:
        left, up = nearest(own)
        body += f'<circle class="p-hollow" cx="{left:.1f}" cy="{up:.1f}" r="5"/>'
    if chosen is not None and pairs:
        left, up = nearest(chosen)
        body += f'<circle class="p-fill" cx="{left:.1f}" cy="{up:.1f}" r="4"/>'
    return svg(width, 164, body, label)


MAX_DOTS = 180


def dots(found: Pairs, one: int, other: int, rare: str | None, label: str) -> Markup:
    """Renders readings as points, by two features; those of the class `rare` in red."""
    step = max(1, -(-len(found.values) // MAX_DOTS))
    every = list(zip(found.values, found.labels, strict=True))[::step]
    points = [(v[one], v[other], name == rare) for v, name in every]
    known = [(x, y, is_rare) for x, y, is_rare in points if x is not None and y is not None]
    (left, right), (low, high) = (bounds([point[at] for point in known]) for at in (0, 1))
    body = '<rect class="scatter-box" x=".5" y=".5" width="299" height="223"/>'
    for is_rare, kind in ((False, "p-dots"), (True, "p-dots yes")):
        places = sorted(
            {
                (round(300 * (x - left) / (right - left)), round(224 - 224 * (y - low) / (high - low)))
                for x, y, rare_one in known
                if rare_one == is_rare
            }
        )
        moves = (f"m{x - a} {y - b}h0" for (a, b), (x, y) in pairwise([(0, 0), *places]))
        body += f'<path class="{kind}" d="{"".join(moves)}"/>' if places else ""
    return svg(300, 224, body, label)


def scale(
    low: float,
    high: float,
    counts: Sequence[int],
    value: float | None,
    unit: str,
    language: Language,
    seen: str,
    outside: bool = False,
) -> Markup:
    """Renders the scale of an input: what training saw, and a mark at the value, which classify.js moves and hides."""
    width, room = 400, (high - low) * 0.3 or abs(high) * 0.3 or 1.0
    begin, end = low - room, high + room

    def x(each: float) -> float:
        return 8 + (width - 16) * (min(max(each, begin), end) - begin) / (end - begin)

    body = f'<rect class="p-band" x="{x(low):.1f}" y="4" width="{x(high) - x(low):.1f}" height="34"/>'
    if counts:
        step, top = (x(high) - x(low)) / len(counts), max(counts) or 1
        bars = "".join(
            f"M{x(low) + i * step:.1f},38V{38 - 30 * math.sqrt(count / top):.1f}h{step - 1:.1f}V38z"
            for i, count in enumerate(counts)
            if count
        )
        body += f'<path class="p-bars" d="{bars}"/>'
    body += f'<path class="p-axis" d="M8,38.5H{width - 8}M{x(low):.1f},34V44M{x(high):.1f},34V44"/>'
    first, last = language.measure(low), f"{language.measure(high)} {unit}".strip()
    body += f'<text x="{x(low):.1f}" y="63">{escape(first)}</text>'
    body += f'<text x="{x(high):.1f}" y="63" text-anchor="end">{escape(last)}</text>'
    kind, at = ("p-watchfill" if outside else "p-fill"), x(low if value is None else value)
    place = f'transform="translate({at:.1f} 0)"' if value is not None else 'visibility="hidden"'
    mark = f'<path class="{kind}" data-marker="" {place} d="M-1,8H1V38L7,49H-7L-1,38Z"/>'
    role = f'role="img" aria-label="{escape(f"{seen} {first}–{last}")}"'
    data = f'data-scale="{begin:g},{end:g},{low:g},{high:g}"'
    text = f'<svg class="plot" viewBox="0 0 {width} 66" {role} {data}>{body}{mark}</svg>'
    return Markup(text)  # noqa: S704 - numbers, our own marks and escaped text
