"""Renders the values of a device over time as SVG, with gaps where none came."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from markupsafe import Markup

from admin.console.charts import Point, bounds, short_path, svg

GAP_TIMES = 5.0  # a gap is so many times the median one
LEAST_GAP_MS = 150_000.0  # and longer than between two samples of an hour, which may stand before newer readings


def course(
    points: Sequence[Point],
    begin: float,
    end: float,
    usual: Point | None,
    label: str,
    size: Point = (200, 72),
    kind: str = "spark",
    axis: Point | None = None,
) -> Markup:
    """Renders values over time, red where they leave the usual range, a band behind them; no line where none came.

    `axis` is the shown range.
    """
    width, height = size
    values = [value for _, value in points]
    low, high = axis or bounds([*values, *(usual or ())])

    def y(value: float) -> float:
        return height - 2 - (height - 4) * (value - low) / (high - low)

    drawn = [(width * (at - begin) / ((end - begin) or 1.0), y(value)) for at, value in points]
    body = ""
    if usual is not None:
        top = y(usual[1])
        body += f'<rect class="p-band" x="0" y="{top:.1f}" width="{width:g}" height="{y(usual[0]) - top:.1f}"/>'
    for stretch in stretches(points):
        part = drawn[stretch.start : stretch.stop]
        if len(part) == 1:
            (x, at) = part[0]
            part = [(x - 1, at), (x + 1, at)]
        outside = [usual is not None and not usual[0] <= values[place] <= usual[1] for place in stretch]
        body += _colored(part, outside if len(outside) > 1 else outside * 2)
    return svg(width, height, body, label, kind, stretch=True)


def stretches(points: Sequence[Point]) -> list[range]:
    """Returns the places of values (at times in ms) that one line joins, which ends where none came for long. Pure."""
    gaps = [after[0] - before[0] for before, after in pairwise(points)]
    if not gaps:
        return [range(len(points))] if points else []
    limit = max(LEAST_GAP_MS, GAP_TIMES * median(gaps))
    begins = [0, *(place for place, gap in enumerate(gaps, 1) if gap > limit)]
    return [range(begin, end) for begin, end in pairwise([*begins, len(points)])]


def _colored(drawn: Sequence[Point], outside: Sequence[bool]) -> str:
    """Returns paths through points, red where they are outside of the usual range."""
    runs: list[tuple[bool, list[Point]]] = []
    for place, point in enumerate(drawn):
        if not runs or runs[-1][0] != outside[place]:
            runs.append((outside[place], [drawn[place - 1]] if place and outside[place] else []))
            if place and not outside[place]:
                runs[-2][1].append(point)  # the line back into the range is red too
        runs[-1][1].append(point)
    return "".join(
        f'<path class="{"p-alarm" if is_outside else "p-line"}" d="{short_path(part)}"/>'
        for is_outside, part in runs
        if len(part) > 1
    )
