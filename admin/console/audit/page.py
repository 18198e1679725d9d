"""The audit log: who did what."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Response

from admin.access.roles import needs
from admin.console.console import Shown
from admin.console.page import pages, renderer, show
from admin.console.visitor import Visiting
from admin.console.words import people, sentence
from operations.audit_entry import Change

router = pages("audit")

PAGE_ROWS = 50
MAX_SEARCHED = 20_000  # entries


@dataclass(frozen=True, slots=True)
class Row:
    at: str
    sentence: str
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


@router.get("", **needs("admin"))
def show_audit(
    console: Shown,
    visitor: Visiting,
    q: Annotated[str, Query(max_length=100)] = "",
    before: Annotated[str | None, Query(max_length=20, pattern="^[0-9]{1,20}$")] = None,
) -> Response:
    language = renderer(console, visitor).language
    names = people(console.services)
    newest = console.services.audit.newest(None if before is None else before.zfill(20))
    wanted = q.strip().casefold()
    matching = (entry for entry in islice(newest, MAX_SEARCHED) if not wanted or wanted in _text(entry, names))
    entries = list(islice(matching, PAGE_ROWS))
    days: dict[str, list[Row]] = {}
    for entry in entries:
        said = sentence(language, names.get(entry.who, entry.who), entry.what, entry.target)
        days.setdefault(language.day(entry.at), []).append(Row(entry.at, said, entry.address, entry.id))
    following = None
    if len(entries) == PAGE_ROWS:
        asked = {"before": entries[-1].id, **({"q": q} if q else {})}
        following = f"/console/audit?{urlencode(asked)}"
    context = AuditPage(tuple(Day(name, tuple(rows)) for name, rows in days.items()), q, following)
    return show(console, visitor, "audit/page.html", context, section="audit")


def _text(entry: Change, names: dict[str, str]) -> str:
    return f"{entry.who} {names.get(entry.who, '')} {entry.what} {entry.target}".casefold()


ROUTERS = (router,)
