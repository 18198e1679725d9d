"""The page of the audit log."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Response

from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.page import pages, renderer, show
from admin.console.visitor import Visiting
from admin.console.words import act, people, reason_of
from operations.audit_entry import Change

router = pages("audit")

PAGE_ROWS = 50
MAX_SEARCHED = 20_000  # entries


@dataclass(frozen=True, slots=True)
class Row:
    at: str
    who: str
    act: str
    why: str
    address: str | None
    id: str


@dataclass(frozen=True, slots=True)
class Day:
    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class AuditPage:
    days: tuple[Day, ...]
    q: str
    next: str | None  # path
    table: str  # path of the same entries as CSV


@router.get("", **needs("admin"))
def show_audit(
    console: Shown,
    visitor: Visiting,
    q: Annotated[str, Query(max_length=100)] = "",
    before: Annotated[str | None, Query(max_length=20, pattern="^[0-9]{1,20}$")] = None,
) -> Response:
    language = renderer(console, visitor).language
    names = people(console.services)
    entries = list(islice(_matching(console, q, names, before), PAGE_ROWS))
    days: dict[str, list[Row]] = {}
    for entry in entries:
        row = Row(
            entry.at, names.get(entry.who, entry.who), act(language, entry), reason_of(entry), entry.address, entry.id
        )
        days.setdefault(language.day(entry.at), []).append(row)
    following = None
    if len(entries) == PAGE_ROWS:
        asked = {"before": entries[-1].id, **({"q": q} if q else {})}
        following = f"/console/audit?{urlencode(asked)}"
    table = f"/console/audit/csv?{urlencode({'q': q})}" if q else "/console/audit/csv"
    context = AuditPage(tuple(Day(name, tuple(rows)) for name, rows in days.items()), q, following, table)
    return show(console, visitor, "audit/page.html", context, section="audit")


@router.get("/csv", **needs("admin"))
def export(console: Shown, q: Annotated[str, Query(max_length=100)] = "") -> Response:
    """Returns the newest entries that match, as CSV for a spreadsheet."""
    names = people(console.services)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("at", "who", "name", "what", "target", "address", "before", "after"))
    for entry in _matching(console, q, names, None):
        changed = (_json(entry.before), _json(entry.after))
        row = (entry.at, entry.who, names.get(entry.who, ""), entry.what, entry.target, entry.address or "", *changed)
        table.writerow([cell(each) for each in row])
    return Response(
        text.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": "attachment; filename=audit.csv"},
    )


def cell(text: str) -> str:
    """Returns a text that a spreadsheet does not run as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _matching(console: Console, q: str, names: dict[str, str], before: str | None) -> Iterator[Change]:
    newest = console.services.audit.newest(None if before is None else before.zfill(20))
    wanted = q.strip().casefold()
    return (entry for entry in islice(newest, MAX_SEARCHED) if not wanted or wanted in _text(entry, names))


def _text(entry: Change, names: dict[str, str]) -> str:
    return f"{entry.who} {names.get(entry.who, '')} {entry.what} {entry.target}".casefold()


ROUTERS = (router,)
