"""The page of the quarantine: shows messages and why they were refused; replays and discards them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal

from fastapi import Form, Query, Response
from fastapi import Path as InPath

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.page import go, pages, show, signed_in
from admin.console.quarantine.payload import Form as Shape
from admin.console.quarantine.payload import Payload, payload_of
from admin.console.quarantine.reasons import REASONS, Group, device_of, groups, reason_of
from admin.console.render import visible
from admin.console.said import Said
from admin.console.visitor import Visiting, Visitor
from operations.acts import quarantine as acts
from operations.audit import Act
from operations.audit_entry import Change
from zelador.buffer.entry import order_of
from zelador.errors import InvalidInput, NotFound
from zelador.quarantine import MAX_PAGE, Outcome, QuarantinedMessage, checked_id

router = pages("quarantine")

PAGE_ROWS = 10
MAX_LOOKED_AT = 1_000  # messages that are grouped by reason; changes among which the last replay is looked for
FORMS: dict[str, Shape] = {"text": "text", "bytes": "bytes"}

Id = Annotated[str, InPath(max_length=60)]


@dataclass(frozen=True, slots=True)
class QuarantinePage:
    entries: list[QuarantinedMessage]
    kept: int
    emptied: Change | None  # if nothing is kept: the last replay or discarding
    groups: tuple[Group, ...]  # of the newest messages, by reason
    looked_at: int  # messages that are in the groups
    reason: str  # the reason that is shown; empty for all
    shown: QuarantinedMessage | None  # with its whole payload
    devices: dict[str, str]  # id of a message to its device, or to its topic if that names none
    payload: Payload | None  # of the message that is shown
    first: int  # number of the first entry that is shown, from 1
    total: int  # messages that match
    outcome: str  # of a replay that was just made; empty if there was none
    next: str | None  # id
    may_act: bool
    passes: dict[str, bool]  # id of a message of this reason to whether the present settings would accept it, if known
    passing: int  # how many of these they would accept


@router.get("", **needs("viewer"))
def show_quarantine(
    console: Shown,
    visitor: Visiting,
    before: Annotated[str | None, Query(max_length=60)] = None,
    reason: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    return _show(console, visitor, None, before, reason)


by_reason = pages("quarantine-by")


@by_reason.get("/{reason}", **needs("viewer"))
def show_reason(reason: Annotated[str, InPath(max_length=20)], console: Shown, visitor: Visiting) -> Response:
    """Shows the messages with one reason, at a URL without a query."""
    return _show(console, visitor, None, None, reason)


@router.get("/{entry}", **needs("viewer"))
def show_entry(
    entry: Id,
    console: Shown,
    visitor: Visiting,
    outcome: str = "",
    form: Annotated[str, Query(max_length=10, alias="as")] = "",
) -> Response:
    return _show(console, visitor, entry, outcome=outcome, form=form)


@router.get("/{entry}/discard", **needs("operator"))
def confirm_discarding(entry: Id, console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, entry, template="quarantine/discard.html")


@router.post("/{entry}/replay", **needs("operator"))
def replay(entry: Id, console: Shown, actor: Acting) -> Response:
    of = _device(console, entry)
    done = acts.replay(actor, console.services.quarantine, entry)
    stays: tuple[Outcome, ...] = ("still_refused", "not_whole")
    if done.outcome in stays:
        return go(f"/console/quarantine/{entry}?outcome={done.outcome}")
    return go("/console/quarantine", Said("replayed", of, {done.outcome: 1}))


@router.post("/{entry}/discard", **needs("operator"))
def discard(entry: Id, console: Shown, actor: Acting, typed: Annotated[str, Form(max_length=20)] = "") -> Response:
    if typed.strip().casefold() not in ("discard", "descartar"):
        raise InvalidInput("type the word to discard the message; nothing was discarded", field="typed")
    of = _device(console, entry)
    acts.discard(actor, console.services.quarantine, entry)
    return go("/console/quarantine", Said("discarded", of))


actions = pages("quarantine-replay")


@actions.post("", **needs("operator"))
def replay_all(
    console: Shown,
    actor: Acting,
    reason: Annotated[str, Form(max_length=20)] = "",
    only: Annotated[Literal["", "passing"], Form()] = "",
) -> Response:
    """Replays all messages, or those in the list: of one reason, only those that would be accepted now."""
    quarantine = console.services.quarantine
    chosen = None
    if reason or only:
        found = [entry for entry in _newest(console) if not reason or reason_of(entry) == reason]
        passes = quarantine.would_pass(found) if only else {}
        chosen = [entry.id for entry in found if not only or passes.get(entry.id)]
    done = acts.replay_many(actor, quarantine, chosen) if chosen is None or chosen else {}
    return go("/console/quarantine", Said("replayed", counts={str(outcome): count for outcome, count in done.items()}))


def _device(console: Console, entry: str) -> str:
    """Returns the device of a message, or its topic if that names none. Raises NotFound."""
    return visible(device_of(console.services.quarantine.get(entry), console.services.settings.topics.reading))


def _emptied(console: Console) -> Change | None:
    """Returns the last replay or discarding, if it is among the newest changes of the audit log."""
    changes = islice(console.services.audit.newest(), MAX_LOOKED_AT)
    return next((each for each in changes if each.what in (Act.QUARANTINE_REPLAYED, Act.QUARANTINE_DISCARDED)), None)


def _newest(console: Console) -> list[QuarantinedMessage]:
    """Returns the newest messages, at most MAX_LOOKED_AT."""
    found: list[QuarantinedMessage] = []
    while len(found) < MAX_LOOKED_AT:
        page = console.services.quarantine.page(MAX_PAGE, found[-1].id if found else None)
        found += page
        if len(page) < MAX_PAGE:
            break
    return found


def _show(
    console: Console,
    visitor: Visitor,
    entry: str | None,
    before: str | None = None,
    reason: str = "",
    outcome: str = "",
    form: str = "",
    template: str = "quarantine/page.html",
) -> Response:
    services = console.services
    if reason and reason not in REASONS:
        raise NotFound(f"there is no reason {reason!r}; there are {', '.join(REASONS)}")
    newest = _newest(console)
    matching = [each for each in newest if not reason or reason_of(each) == reason]
    later = [each for each in matching if before is None or order_of(each.id) < order_of(checked_id(before))]
    entries = later[:PAGE_ROWS]
    shown = None
    if entry is not None:
        shown = services.quarantine.get(entry)
    elif entries:
        try:
            shown = services.quarantine.get(entries[0].id)
        except NotFound:  # replayed or discarded meanwhile
            shown = None
    first = [*entries, *((shown,) if shown is not None else ())]
    passes = services.quarantine.would_pass([*first, *(each for each in matching if each not in first)])
    kept = services.ledger.snapshot().kept
    context = QuarantinePage(
        entries,
        kept,
        None if kept else _emptied(console),
        groups(newest),
        len(newest),
        reason,
        shown,
        {
            each.id: visible(device_of(each, services.settings.topics.reading))
            for each in (*entries, *((shown,) if shown else ()))
        },
        payload_of(shown, FORMS.get(form)) if shown else None,
        len(matching) - len(later) + 1,
        len(matching),
        outcome,
        entries[-1].id if len(later) > PAGE_ROWS else None,
        signed_in(visitor).may("operator"),
        passes,
        sum(passes.values()),
    )
    return show(console, visitor, template, context, section="quarantine")


ROUTERS = (router, by_reason, actions)
