"""The page of the audit log."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Response
from markupsafe import Markup

from admin.access.roles import needs
from admin.console.audit.filters import KINDS, AskedFilter, through
from admin.console.audit.links import existing, linked, subject_of
from admin.console.authors import named, person
from admin.console.console import Console, Shown
from admin.console.language import Language
from admin.console.page import pages, renderer, show, signed_in
from admin.console.visitor import Visiting
from admin.console.words import act, people, reason_of, sentence
from operations.audit_entry import Change
from operations.views.audit import MAX_SEARCHED, Kind, authors, search
from zelador.errors import InvalidInput
from zelador.table.formula import harmless

router = pages("audit")

PAGE_ROWS = 50
AUTHORS_S = 30.0


@dataclass(frozen=True, slots=True)
class Row:
    at: str
    who: str
    asked_by: str  # on whose behalf; empty if on their own
    act: Markup
    why: str
    through: str
    id: str


@dataclass(frozen=True, slots=True)
class Day:
    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Author:
    who: str  # as in the log
    name: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    days: tuple[Day, ...]
    asked: AskedFilter
    is_filtered: bool
    authors: tuple[Author, ...]
    kinds: Mapping[Kind, str]
    next: str | None  # path
    searched_to: str | None  # ISO 8601
    most: int  # entries that one page searches
    table: str  # path of the same entries as CSV; empty if the filter was refused


@router.get("", **needs("admin"))
def show_audit(
    console: Shown,
    visitor: Visiting,
    asked: Annotated[AskedFilter, Depends()],
    before: Annotated[str | None, Query(max_length=20, pattern="^[0-9]{1,20}$")] = None,
) -> Response:
    language = renderer(console, visitor).language
    names = people(console.services, signed_in(visitor).role)
    try:
        wanted = asked.filter(language)
    except InvalidInput as error:
        known = _authors(console, language, names, asked.who)
        refused = AuditPage((), asked, True, known, KINDS, None, None, MAX_SEARCHED, "")
        return show(console, replace(visitor, sent=asked.refused(error)), "audit/page.html", refused, section="audit")
    shown = partial(_shown, language, names)
    found = search(console.services.audit, wanted, names, PAGE_ROWS, before, shown)
    days: dict[str, list[Row]] = {}
    there = existing(console.services, found.changes)
    for entry in found.changes:
        row = Row(
            entry.at,
            named(language, entry.who, names),
            named(language, entry.on_behalf_of, names) if entry.on_behalf_of else "",
            linked(act(language, names, entry), subject if (subject := subject_of(entry)) in there else None),
            reason_of(entry),
            through(entry.who, entry.address, language),
            entry.id,
        )
        days.setdefault(language.day(entry.at), []).append(row)
    context = AuditPage(
        tuple(Day(name, tuple(rows)) for name, rows in days.items()),
        asked,
        not wanted.is_empty,
        _authors(console, language, names, asked.who),
        KINDS,
        f"/console/audit{asked.query(before=found.next)}" if found.next else None,
        found.searched_to,
        MAX_SEARCHED,
        f"/console/audit/csv{asked.query()}",
    )
    return show(console, visitor, "audit/page.html", context, section="audit")


@router.get("/csv", **needs("admin"))
def export(console: Shown, visitor: Visiting, asked: Annotated[AskedFilter, Depends()]) -> Response:
    """Returns the newest entries that match, as CSV for a spreadsheet."""
    names, language = people(console.services, signed_in(visitor).role), renderer(console, visitor).language
    wanted = asked.filter(language)
    shown = partial(_shown, language, names)
    found = search(console.services.audit, wanted, names, MAX_SEARCHED, shown=shown)
    return Response(
        _table(found.changes, names),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": "attachment; filename=audit.csv"},
    )


def _shown(language: Language, names: Mapping[str, str], entry: Change) -> str:
    """Returns what the page says of a change, in the words that the reader may search for."""
    return f"{sentence(language, names, entry)} {through(entry.who, entry.address, language)}"


def _table(changes: Iterable[Change], names: Mapping[str, str]) -> str:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("at", "who", "name", "what", "target", "address", "before", "after", "on_behalf_of"))
    for entry in changes:
        changed = (_json(entry.before), _json(entry.after))
        row = (
            entry.at,
            entry.who,
            names.get(entry.who, ""),
            entry.what,
            entry.target,
            entry.address or "",
            *changed,
            entry.on_behalf_of or "",
        )
        table.writerow([harmless(each) for each in row])
    return text.getvalue()


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _authors(console: Console, language: Language, names: Mapping[str, str], chosen: str) -> tuple[Author, ...]:
    """Returns the choices of the filter: who made the newest changes, and who is chosen."""
    newest = console.window.kept.get("authors", AUTHORS_S, lambda: authors(console.services.audit))
    found = dict.fromkeys((*newest, *((chosen,) if chosen else ())))
    shown = [Author(who, person(language, who, names)) for who in found]
    return tuple(sorted(shown, key=lambda each: each.name.casefold()))


ROUTERS = (router,)
