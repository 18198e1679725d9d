"""The charts of the overview over the last quarter of an hour: where their axes end, and what is above them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from admin.console import axes
from admin.console.language import Language
from admin.console.pulse import Sample

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines from 0 to `top`. `note` says what is above it, and is empty if nothing is."""

    lines: tuple[tuple[str, Values], ...]  # class of a line, values
    top: float
    note: str


def line_charts(language: Language, samples: Sequence[Sample]) -> dict[str, LineChart]:
    rate = (("p-line", tuple(sample.rate for sample in samples)),)
    latency = (
        ("p-line", tuple(sample.p50_ms for sample in samples)),
        ("p-accent", tuple(sample.p99_ms for sample in samples)),
    )
    return {"rate": _chart(language, rate, "/s"), "latency": _chart(language, latency, "ms")}


def points(samples: Sequence[Sample], charts: Mapping[str, LineChart]) -> str:
    """Returns the samples as JSON for uPlot: times, then a list for each line; and the tops and notes of the charts."""
    columns: list[list[float | int | None]] = [[s.at for s in samples]]
    for name in ("rate", "p50_ms", "p99_ms"):
        values = (getattr(sample, name) for sample in samples)
        columns.append([None if value is None else round(value, 2) for value in values])
    shown = {name: [round(chart.top, 2), chart.note] for name, chart in charts.items()}
    return json.dumps({"columns": columns, "charts": shown}, ensure_ascii=False, separators=(",", ":"))


def _chart(language: Language, lines: tuple[tuple[str, Values], ...], unit: str) -> LineChart:
    top = axes.top_of([values for _, values in lines])
    above = [value for _, values in lines for value in values if value is not None and value > top]
    if not above:
        return LineChart(lines, top, "")
    greatest = f"{language.number(max(above))} {unit}"
    return LineChart(
        lines,
        top,
        language.counted(
            "1 value is above the axis: %(greatest)s",
            "%(shown)s values are above the axis, up to %(greatest)s",
            len(above),
            shown=language.number(len(above)),
            greatest=greatest,
        ),
    )
