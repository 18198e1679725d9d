"""Draws a chart with its axes for browsers without JavaScript; uPlot draws the same in its place, with the same room.

The plot is stretched to the width of the page, which would stretch letters too. So each axis is a picture of its own
beside it, whose texts are placed in percent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from markupsafe import Markup, escape

from admin.console.charts import svg
from admin.console.language import Language

STEPS_S = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    *(86_400 * days for days in (1, 2, 5, 10, 30, 90, 365)),
)  # fmt: skip
MAX_TIMES, MAX_VALUES = 5, 4
SECONDS_S, DAYS_S = 1_200, 172_800  # periods shorter than this show seconds, and longer ones days
ROOM = 1.15  # above the greatest value
USUAL, FAR, USUAL_ROOM = 0.95, 4.0, 2.0  # share of the usual values; a value this many times above them is clipped
EDGE = 8.0  # percent of the width, in which the middle of a text does not fit


def values(low: float, high: float, most: int = MAX_VALUES) -> list[float]:
    """Returns round values for an axis from `low` to `high`. Pure."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step)))
    return [round(place * step, digits) for place in range(first, last + 1)]


def top_of(lines: Sequence[Sequence[float | None]]) -> float:
    """Returns where an axis from 0 ends: above all values, unless a few of a line are far above its others.

    Those are clipped, as one of them would flatten all others. Pure.
    """
    known = [sorted(value for value in values if value is not None) for values in lines]
    greatest = max((values[-1] for values in known if values), default=0.0)
    usual = max((values[min(len(values) - 1, int(USUAL * len(values)))] for values in known if values), default=0.0)
    return max(1.0, usual * USUAL_ROOM if 0 < usual * FAR < greatest else greatest * ROOM)


def times(language: Language, begin: float, end: float) -> list[tuple[float, str]]:
    """Returns round times of the plant's clock (seconds since 1970 UTC) for an axis, and their texts. Pure."""
    if end <= begin:
        return []
    step = next((each for each in STEPS_S if (end - begin) / each <= MAX_TIMES), STEPS_S[-1])
    found: list[tuple[float, str]] = []
    first = language.local(int(1_000 * begin)).replace(tzinfo=None)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    local = midnight + step * timedelta(seconds=math.ceil((first - midnight).total_seconds() / step))
    while len(found) <= MAX_TIMES:
        at = local.replace(tzinfo=language.zone).timestamp()
        if at > end:
            break
        if at >= begin:
            found.append((at, time_text(language, at, end - begin)))
        local += timedelta(seconds=step)
    return found


def time_text(language: Language, at: float, span_s: float) -> str:
    moment = int(1_000 * at)
    if span_s > DAYS_S:
        return language.short_day(moment)
    return language.clock(moment) if span_s <= SECONDS_S else language.clock(moment)[:5]


def with_axes(
    language: Language, plot: Markup, x: tuple[float, float], y: tuple[float, float], kind: str = ""
) -> Markup:
    """Returns a stretched plot with its axes. `x` is its period (seconds since 1970 UTC), `y` its range, from below."""
    up = "".join(
        f'<text x="100%" dx="-4" y="{100 * (y[1] - each) / (y[1] - y[0]):.1f}%" dy="4" text-anchor="end">'
        f"{escape(language.figure(each))}</text>"
        for each in values(*y)
    )
    places = [(100 * (at - x[0]) / (x[1] - x[0]), text) for at, text in times(language, *x)]
    inner = [(place, text) for place, text in places if EDGE <= place <= 100 - EDGE]
    along = "".join(
        f'<text x="{place:.1f}%" y="15" text-anchor="{_anchor(place)}">{escape(text)}</text>'
        for place, text in (inner if len(inner) > 1 else places)  # at an edge a text does not stand at its time
    )
    found = (
        f'<div class="axes{f" {kind}" if kind else ""}"><svg class="plot up" aria-hidden="true">{up}</svg>{plot}'
        f'<svg class="plot along" aria-hidden="true">{along}</svg></div>'
    )
    return Markup(found)  # noqa: S704 - numbers, our own marks and escaped text


def lines(
    language: Language,
    at: Sequence[float],
    series: Sequence[tuple[str, Sequence[float | None]]],
    label: str,
    top: float,
) -> Markup:
    """Renders values from 0 to `top` as lines over time (seconds since 1970 UTC), each with the class of its line.

    A value above `top` is drawn there, with an arrow.
    """
    width, height = 560, 142
    y = (0.0, top)
    begin, end = (at[0], at[-1]) if at else (0.0, 0.0)
    body = grid(y, width, height)
    for kind, each in series:
        drawn, pen = [], "M"
        for moment, value in zip(at, each, strict=True):
            if value is None:
                pen = "M"
                continue
            x = width * (moment - begin) / ((end - begin) or 1.0)
            drawn.append(f"{pen}{x:.0f},{height - height * min(value, top) / top:.0f}")
            pen = "L"
            if value > top:
                body += f'<path class="{kind}" d="M{x - 5:.0f},9L{x:.0f},1L{x + 5:.0f},9"/>'
        if drawn:
            body += f'<path class="{kind}" d="{"".join(drawn)}"/>'
    plot = svg(width, height, body, label, stretch=True)
    return with_axes(language, plot, (begin, end), y, "wide")


def grid(y: tuple[float, float], width: int, height: int) -> str:
    """Returns the lines of a plot at the values of its axis."""
    places = (height - height * (each - y[0]) / (y[1] - y[0]) for each in values(*y))
    moves = "".join(f"M0,{place:.1f}H{width}" for place in places)
    return f'<path class="p-grid" d="{moves}"/>' if moves else ""


def _anchor(place: float) -> str:
    return "start" if place < EDGE else "end" if place > 100 - EDGE else "middle"
