"""Renders the chart of a run's page, like the others in admin/console/charts.py."""

from __future__ import annotations

from markupsafe import Markup, escape

from admin.console.charts import svg
from admin.console.language import Language
from operations.views.comparison import Moved


def moved(found: Moved, language: Language, label: str, caption: str) -> Markup:
    """Renders how often labels moved at random scored what, and where the real ones stand."""
    low, high = min(found.low, found.real), max(found.high, found.real)
    room = (high - low) * 0.06 or 0.05
    low, high, top = low - room, high + room, max(found.counts, default=1) or 1

    def x(score: float) -> float:
        return 8 + 344 * (score - low) / (high - low)

    step = (x(found.high) - x(found.low)) / max(1, len(found.counts)) or 6.0
    marks = "".join(
        f"M{x(found.low) + place * step + 0.7:.1f},100V{100 - 76 * count / top:.1f}h{max(1.0, step - 1.4):.1f}V100z"
        for place, count in enumerate(found.counts)
        if count
    )
    at = x(found.real)
    side, beside = ("end", at - 7) if at > 240 else ("start", at + 7)
    ticks = "".join(
        f'<text x="{min(max(x(v), 16), 344):.0f}" y="118" text-anchor="middle">{language.number(v, 2)}</text>'
        for v in (found.low, found.high, 0.0)
        if low <= v <= high and (v or min(abs(x(0) - x(end)) for end in (found.low, found.high)) > 40)
    )
    return svg(
        360,
        122,
        f'<path class="p-grey" d="{marks}"/><path class="p-axis" d="M8,100.5H352"/>{ticks}'
        f'<path class="p-accent" d="M{at:.1f},14V104"/>'
        f'<text class="strong" x="{beside:.1f}" y="22" text-anchor="{side}">{escape(caption)}</text>',
        label,
    )
