"""The list of runs, on its page and on that of training: newest first, up to a day, or those that a text finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from urllib.parse import urlencode

import redis

from admin.console.console import Console
from admin.console.page import renderer, signed_in
from admin.console.runs.words import endings
from admin.console.visitor import Visitor
from admin.console.words import people
from operations.views.candidate_row import CandidateRow
from operations.views.comparison import Comparison, comparison
from operations.views.run_search import RunSearch
from operations.views.run_view import RunView
from operations.views.runs import saved_models

PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class RunRow:
    run: RunView
    found: Comparison
    saved: int  # models that come from it

    @property
    def recommended(self) -> CandidateRow | None:
        first = self.found.first
        return first if first is not None and first.is_recommended else None


@dataclass(frozen=True, slots=True)
class Runs:
    """`whole`: also those that only Redis has, because it answers. A search knows neither `first` nor `later`."""

    rows: tuple[RunRow, ...]
    first: int  # place of the first one among all, from 0
    total: int
    earlier: str | None  # path
    later: str | None
    until: str  # the last day that was asked for, such as 2026-11-24
    names: dict[str, str]
    whole: bool
    q: str = ""  # the text that was searched
    searched_to: str | None = None  # ISO 8601; None if all were searched


def runs_of(console: Console, visitor: Visitor, before: str | None = None, limit: int = PAGE_ROWS, q: str = "") -> Runs:
    views, whole = console.services.run_views, True
    names = people(console.services, signed_in(visitor).role)
    wanted = RunSearch(q, endings(renderer(console, visitor).language), names) if q else None
    try:
        found = views.listed(limit, before, wanted)
    except (redis.RedisError, OSError):
        found, whole = views.registered_page(limit, before, wanted), False
    saved = saved_models(console.services.registry)
    rows = tuple(RunRow(run, comparison(run), len(saved.get(run.id, ()))) for run in found.rows)
    earlier, later = _path(found.earlier, q), _path(found.later, q)
    searched_to = None if found.searched_to is None else _time_of(found.searched_to)
    return Runs(rows, found.first, found.total, earlier, later, "", names, whole, q, searched_to)


def _path(before: str | None, q: str) -> str | None:
    """Returns the path of the page before which a run lies; None without one."""
    if before is None:
        return None
    query = urlencode({name: text for name, text in (("q", q), ("before", before)) if text})
    return f"/console/runs?{query}" if query else "/console/runs"


def _time_of(run: str) -> str | None:
    """Returns the time with which a run's id begins, ISO 8601; None if it begins with something else."""
    try:
        return datetime.strptime(run[:15], "%Y%m%d_%H%M%S").replace(tzinfo=timezone.utc).isoformat()
    except ValueError:
        return None


def end_of(day: str, zone: tzinfo) -> str | None:
    """Returns the beginning of the ids of later days (an id begins with its time in UTC); None for no valid day."""
    try:
        following = datetime.combine(date.fromisoformat(day.strip()) + timedelta(days=1), time(), zone)
    except (ValueError, OverflowError):
        return None
    return f"{following.astimezone(timezone.utc):%Y%m%d_%H%M%S}"
