"""The page of labels: lists them, and adds, undoes and redoes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import Form, Query, Response

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.device.history import asked_in
from admin.console.labels.words import overlap_text, words_said
from admin.console.language import Language
from admin.console.page import go, pages, renderer, show, signed_in
from admin.console.said import Said
from admin.console.visitor import Visiting
from admin.console.words import people
from operations.acts import labels as acts
from operations.views.labels import LabelFilter, LabelSummary, LabelView, odd
from operations.views.plant import PlantView
from zelador.errors import InvalidInput, NotFound
from zelador.labels.label import SOURCES
from zelador.labels.rules import MAX_ID, NAMED, Finding, Wish
from zelador.messages import MAX_LABEL

router = pages("labels")

PAGE_ROWS = 50
MAX_CHOICES = 6
MAX_DEVICE = 512
TEXT = "text/plain; charset=utf-8"

LabelId = Annotated[str, Form(alias="id", max_length=MAX_ID)]
Back = Annotated[str, Form(max_length=10)]
OnPage = Annotated[str, Form(alias="page", max_length=1_000)]  # the path and query of the page with the form


@dataclass(frozen=True, slots=True)
class Done:
    """A label that was just added or undone."""

    label: LabelView
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """The labels that one person imported together."""

    at: int  # ms since 1970 UTC
    by: str
    count: int  # labels that still count


@dataclass(frozen=True, slots=True)
class LabelsPage:
    rows: list[LabelView]
    total: int  # labels that match
    offset: int
    summary: LabelSummary
    wanted: LabelFilter
    is_filtered: bool
    known: set[str]  # devices that have a page
    done: Done | None
    batch: Batch | None
    choices: tuple[str, ...]  # labels to choose from
    device: str  # that the form is filled with
    limit: int  # bytes of a table
    before: str | None  # path of the previous page
    after: str | None
    now: PlantView
    names: dict[str, str]
    may_act: bool


@router.get("", **needs("viewer"))
def show_labels(
    console: Shown,
    visitor: Visiting,
    q: Annotated[str, Query(max_length=200)] = "",
    label: Annotated[str, Query(max_length=MAX_LABEL)] = "",
    source: str = "",
    by: Annotated[str, Query(max_length=200)] = "",
    undone: Annotated[str, Query(max_length=10)] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    done: Annotated[str, Query(max_length=MAX_ID)] = "",
    imported: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    device: Annotated[str, Query(max_length=MAX_DEVICE)] = "",
) -> Response:
    chosen = next((each for each in SOURCES if each == source), None)
    wanted = LabelFilter(
        label=label or None, source="import" if imported is not None else chosen, by=by or None, text=q.strip(),
        added_at=imported, undone=undone == "yes",
    )  # fmt: skip
    asked = {"q": q, "label": label, "source": source, "by": by, "undone": undone}
    kept = {key: value for key, value in asked.items() if value} | ({} if imported is None else {"imported": imported})
    services = console.services
    rows, total = services.label_views.page(PAGE_ROWS, offset, wanted)

    def path(start: int) -> str:
        given = {**kept, **({"offset": start} if start else {})}
        return f"/console/labels?{urlencode(given)}" if given else "/console/labels"

    now, summary = console.plant.read(), services.label_views.summary()
    key = signed_in(visitor)
    context = LabelsPage(
        rows,
        total,
        offset,
        summary,
        wanted,
        bool(kept),
        services.labels.known_devices({row["device"] for row in rows}),
        None if not done else done_of(console, done),
        None if imported is None or not rows else Batch(imported, rows[0]["by"], total),
        choices_of(now, summary),
        device,
        services.settings.api.max_body_bytes,
        path(max(0, offset - PAGE_ROWS)) if offset else None,
        path(offset + PAGE_ROWS) if offset + PAGE_ROWS < total else None,
        now,
        people(services) if key.may("admin") else {},
        key.may("operator"),
    )
    return show(console, visitor, "labels/page.html", context, section="labels")


@router.post("", **needs("operator"))
def add(
    console: Shown,
    visitor: Visiting,
    actor: Acting,
    device: Annotated[str, Form()] = "",
    begin: Annotated[str, Form(alias="from")] = "",
    end: Annotated[str, Form(alias="to")] = "",
    has_no_end: Annotated[str, Form(alias="open")] = "",
    label: Annotated[str, Form()] = "",
    other: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
    page: OnPage = "",
) -> Response:
    services, language = console.services, renderer(console, visitor).language
    if not (end.strip() or has_no_end):
        raise InvalidInput("to: give the time at which the period ends, or open=yes; nothing was labeled", field="to")
    wish = wish_of(language, device, begin, None if has_no_end else end.strip(), other.strip() or label, note)
    done = acts.add(actor, services.labels, services.settings, wish, "console", console.plant.read().labels)
    said = words_said(language, done.findings)
    return to_label(done.label.id, done.label.device if back == "device" else "", page, said)


@router.get("/readings", **needs("operator"))
def count_readings(
    console: Shown,
    visitor: Visiting,
    device: Annotated[str, Query(max_length=MAX_DEVICE)] = "",
    begin: Annotated[str, Query(alias="from", max_length=40)] = "",
    end: Annotated[str, Query(alias="to", max_length=40)] = "",
) -> Response:
    """Answers with the text of the button that adds a label: how many readings would have it; empty if unknown.

    A second line says which labels the device has in the period already.
    """
    language = renderer(console, visitor).language
    ngettext = language.translations.ngettext
    try:
        first, last = language.typed(begin.strip(), "from"), language.typed(end.strip(), "to")
    except InvalidInput:
        return Response("", media_type=TEXT)
    if first >= last:
        return Response("", media_type=TEXT)
    name = device.strip()
    found = console.services.label_views.in_period(name, first, last)
    pattern = "" if found is None else ngettext("Label 1 reading", "Label %(shown)s readings", found)
    said = pattern % {"shown": language.number(found)} if pattern else ""
    others = console.services.labels.labels.labels_in(name, first, last)[:NAMED]
    return Response("\n".join([said, *([overlap_text(language, name, others)] if others else [])]), media_type=TEXT)


@router.post("/undo", **needs("operator"))
def undo(console: Shown, actor: Acting, label: LabelId, back: Back = "", page: OnPage = "") -> Response:
    services = console.services
    acts.undo(actor, services.labels, label)
    return to_label(label, services.label_views.one(label)["device"] if back == "device" else "", page)


@router.post("/redo", **needs("operator"))
def redo(console: Shown, actor: Acting, label: LabelId, back: Back = "", page: OnPage = "") -> Response:
    services = console.services
    done = acts.redo(actor, services.labels, services.settings, label, "console")
    return to_label(done.label.id, done.label.device if back == "device" else "", page)


@router.post("/undo-import", **needs("operator"))
def undo_import(
    console: Shown,
    actor: Acting,
    at: Annotated[int, Form(ge=0, le=2**53)],
    by: Annotated[str, Form(max_length=200)],
) -> Response:
    undone = acts.undo_import(actor, console.services.labels, at, by)
    return go(f"/console/labels?imported={at}&undone=yes", Said("import undone", counts={"count": undone}))


def wish_of(language: Language, device: str, begin: str, end: str | None, label: str, note: str) -> Wish:
    """Returns the label that a form describes; without `end`, it has none. Raises InvalidInput."""
    if not begin.strip():
        raise InvalidInput("from: give the time at which the period starts; nothing was labeled", field="from")
    first = language.typed(begin.strip(), "from")
    last = language.typed(end, "to") if end is not None else None
    return Wish(device.strip(), first, last, label.strip() or None, note)


def choices_of(now: PlantView, summary: LabelSummary) -> tuple[str, ...]:
    """Returns the labels to choose from: the model's classes, else labels given before, else yes and no."""
    found = [*now.labels] or [label for label, _ in summary.classes] or ["yes", "no"]
    found.sort(key=lambda label: not now.is_alarm(label))
    return tuple(found[:MAX_CHOICES])


def done_of(console: Console, label: str) -> Done | None:
    """Returns the label that was just added or undone, or None."""
    try:
        services = console.services
        return Done(services.label_views.one(label), tuple(odd(services.labels, label)))
    except NotFound:
        return None


def to_label(label: str, device: str, page: str, said: Said | None = None) -> Response:
    asked = urlencode({"done": label})
    if device:
        shown = asked_in(page.partition("?")[2]).query  # the same period again
        return go(f"/console/devices/{quote(device, safe='')}?{asked}{'&' if shown else ''}{shown}#done", said)
    return go(f"/console/labels?{asked}", said)


ROUTERS = (router,)
