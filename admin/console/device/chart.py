"""Draws the history of a feature for browsers without JavaScript; device.js draws the same in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from admin.console.axes import grid, with_axes
from admin.console.charts import bounds, svg
from admin.console.device.history import Point, Series, Shown, period_text
from admin.console.language import Language
from admin.console.words import feature_text

WIDTH = 560
DRAWN = 30  # points of a line
STRIP = 4  # height of a label's strip
PAUSE = 4  # a line is broken where nothing comes for so many times the usual distance


@dataclass(frozen=True, slots=True)
class Chart:
    """The history of a feature, with a sentence for those who do not see it."""

    series: Series
    sentence: str
    svg: Markup
    height: int


def chart_of(language: Language, device: str, shown: Shown, series: Series, height: int) -> Chart:
    sentence = language.text(
        "%(feature)s of %(device)s, %(period)s: %(low)s to %(high)s",
        feature=feature_text(language, series.feature.name),
        device=device,
        period=period_text(language, shown.view),
        low=language.measure(series.low),
        high=language.measure(series.high),
    )
    period, axis = (shown.begin, shown.end), bounds([series.low, series.high])
    return Chart(series, sentence, with_axes(language, drawn(shown, series, sentence, height), period, axis), height)


def drawn(shown: Shown, series: Series, sentence: str, height: int) -> Markup:
    """Renders the means as a line, the values between least and greatest as a band, alarms, and labels on top."""
    span = (shown.end - shown.begin) or 1.0
    low, high = bounds([series.low, series.high])

    def x(at: float) -> float:
        return WIDTH * (at - shown.begin) / span

    def y(value: float) -> float:
        return height - height * (value - low) / (high - low)

    def bar(begin: float, end: float, kind: str, tall: int) -> str:
        return (
            f'<rect class="{kind}" x="{x(begin):.1f}" y="0" width="{max(1.0, x(end) - x(begin)):.1f}" height="{tall}"/>'
        )

    body = grid((low, high), WIDTH, height)
    body += "".join(bar(band.begin, band.end, "p-wash-alarm", height) for band in shown.alarms)
    for whole in unbroken(series.points):
        part = thinned(whole, -(-len(series.points) // DRAWN))
        upper = [(x(point.at), y(point.high)) for point in part]
        lower = [(x(point.at), y(point.low)) for point in reversed(part)]
        if any(point.high > point.low for point in part) and len(part) > 1:
            body += f'<path class="p-envelope" d="{line([*upper, *lower])}Z"/>'
        means = [(x(point.at), y(point.mean)) for point in part]
        body += (
            f'<path class="p-line" d="{line(means if len(means) > 1 else [*means, (means[0][0] + 1, means[0][1])])}"/>'
        )
    body += "".join(
        bar(band.begin, band.end, "p-alarmfill" if band.is_alarm else "p-fill", STRIP) for band in shown.labels
    )
    return svg(WIDTH, height, body, sentence, "spark", stretch=True)


def thinned(points: Sequence[Point], count: int) -> list[Point]:
    """Returns a point for each `count` points, with the least and the greatest value of them. Pure."""
    groups = [points[at : at + count] for at in range(0, len(points), count)]
    return [
        Point(
            group[len(group) // 2].at,
            min(each.low for each in group),
            sum(each.mean / len(group) for each in group),
            max(each.high for each in group),
        )
        for group in groups
    ]


def line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.0f},{y:.0f}" for x, y in points)


def unbroken(points: Sequence[Point]) -> list[list[Point]]:
    """Returns the parts of a line, which a long pause breaks. Pure."""
    gaps = sorted(other.at - one.at for one, other in pairwise(points))
    pause = PAUSE * gaps[len(gaps) // 2] if gaps else 0.0
    parts = [[points[0]]]
    for one, other in pairwise(points):
        if other.at - one.at > pause:
            parts.append([])
        parts[-1].append(other)
    return parts
