"""Finds how often devices send: the usual time between two readings, gaps, and clocks that went back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from archive.dataset.columns import Columns
from archive.dataset.description import Gap
from archive.dataset.figures import median
from zelador.messages import iso

if TYPE_CHECKING:
    from archive.dataset.engine import Engine

MAX_GAPS = 20  # listed
GAP_INTERVALS = 20  # a pause of this many usual intervals, and of at least GAP_S, is a gap
GAP_S = 60.0
BACK_MS = 60_000  # a time that goes back by less is a late message, not a clock that was set back


class Rhythm(msgspec.Struct, frozen=True):
    """The rhythm. `back` maps devices whose clock went back to how often it did, and to when it first went back."""

    interval_s: float | None
    gaps: Sequence[Gap]
    gap_count: int
    back: Mapping[str, tuple[int, int]]


def of_columns(columns: Columns, by_device: Sequence[tuple[str, list[int]]]) -> Rhythm:
    """Computes the rhythm from all readings, in order of arrival."""
    intervals: list[float] = []
    gaps: list[Gap] = []
    back: dict[str, tuple[int, int]] = {}
    for name, rows in by_device:
        for before, row in pairwise(rows):
            if columns.measured[before] - columns.measured[row] > BACK_MS:
                times, first = back.get(name, (0, columns.measured[row]))
                back[name] = times + 1, first
        moments = sorted({columns.measured[row] for row in rows})
        own = [(after - before) / 1000 for before, after in pairwise(moments)]
        if not own:
            continue
        intervals += own
        least = max(GAP_S, GAP_INTERVALS * median(own))
        gaps += [
            Gap(name, iso(moments[place]), iso(moments[place + 1]), seconds)
            for place, seconds in enumerate(own)
            if seconds >= least
        ]
    longest = sorted(gaps, key=lambda gap: -gap.seconds)[:MAX_GAPS]
    return Rhythm(round(median(intervals), 3) if intervals else None, longest, len(gaps), back)


def of_view(engine: Engine) -> Rhythm:
    """Computes the rhythm from the engine's view `labeled` and its table `periods`, like `of_columns`.

    A gap inside one of the periods into which the time is divided is not found. Raises Unavailable.
    """
    ((interval,),) = engine.rows(
        "select median((last - first) / (rows - 1)) from periods where rows > 1 and last > first"
    )
    engine.run(
        "create or replace temp table gaps as with own as (select device, median((last - first) / (rows - 1)) as usual "
        "from periods where rows > 1 group by device), pauses as (select device, lag(last) over (partition by device "
        "order by period) as since, first as until from periods) select device, since, until, (until - since) / 1000.0 "
        f"as seconds from pauses left join own using (device) where until - since >= greatest({GAP_S * 1000}, "
        f"{GAP_INTERVALS} * coalesce(usual, 0))"
    )
    listed = engine.rows(
        f"select device, since, until, seconds from gaps order by seconds desc, device, since limit {MAX_GAPS}"
    )
    ((count,),) = engine.rows("select count(*) from gaps")
    gaps = [Gap(device, iso(since), iso(until), float(seconds)) for device, since, until, seconds in listed]
    return Rhythm(None if interval is None else round(float(interval) / 1000, 3), gaps, int(count), _back(engine))


def _back(engine: Engine) -> dict[str, tuple[int, int]]:
    """Finds clocks that went back.

    Looks at single readings only in minutes of arrival in which, or before which, the measured times span too much.
    """
    engine.run(
        "create or replace temp table minutes as select device, minute, row_number() over own as number, first, last, "
        f"lag(last) over own as before from (select device, ms // {BACK_MS} as minute, min(measured) as first, "
        "max(measured) as last from plain group by all) window own as (partition by device order by minute)"
    )
    engine.run(
        "create or replace temp table near as with suspect as (select device, number from minutes where last - first > "
        f"{BACK_MS} or before - first > {BACK_MS}) select device, minute, number from minutes semi join "
        "(from suspect union select device, number - 1 from suspect) using (device, number)"
    )
    found = engine.rows(
        "select device, count(*), min_by(measured, ms) from (select r.device, measured, ms, number, "
        "lag(measured) over own as before, lag(number) over own as number_before from plain r join near "
        f"on near.device = r.device and near.minute = r.ms // {BACK_MS} "
        "window own as (partition by r.device order by ms, seq, place)) "
        f"where before - measured > {BACK_MS} and number - number_before <= 1 group by device"
    )
    return {device: (int(times), int(first)) for device, times, first in found}
