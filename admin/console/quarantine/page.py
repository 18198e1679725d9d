"""The page of the quarantine: shows messages and why they were refused; replays and discards them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Form, Query, Response
from fastapi import Path as InPath

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.page import go, pages, show, signed_in
from admin.console.visitor import Visiting, Visitor
from operations.acts import quarantine as acts
from zelador.errors import InvalidInput, NotFound
from zelador.quarantine import Kind, Outcome, QuarantinedMessage

router = pages("quarantine")

PAGE_ROWS = 25
ROW = 16  # bytes per line of the dump
MAX_DUMP = 4_096  # bytes that are shown

Id = Annotated[str, InPath(max_length=60)]


@dataclass(frozen=True, slots=True)
class HexRow:
    offset: str
    digits: str
    text: str


@dataclass(frozen=True, slots=True)
class QuarantinePage:
    entries: list[QuarantinedMessage]
    kept: int
    kind: str
    shown: QuarantinedMessage | None  # with its whole payload
    dump: tuple[HexRow, ...]
    outcome: str  # of a replay that was just made; empty if there was none
    next: str | None  # id
    may_act: bool


@router.get("", **needs("viewer"))
def show_quarantine(
    console: Shown,
    visitor: Visiting,
    before: Annotated[str | None, Query(max_length=60)] = None,
    kind: Literal["", "refused", "set_aside"] = "",
) -> Response:
    return _show(console, visitor, None, before, kind)


@router.get("/{entry}", **needs("viewer"))
def show_entry(entry: Id, console: Shown, visitor: Visiting, outcome: str = "") -> Response:
    return _show(console, visitor, entry, outcome=outcome)


@router.get("/{entry}/discard", **needs("operator"))
def confirm_discarding(entry: Id, console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, entry, template="quarantine/discard.html")


@router.post("/{entry}/replay", **needs("operator"))
def replay(entry: Id, console: Shown, actor: Acting) -> Response:
    done = acts.replay(actor, console.services.quarantine, entry)
    stays: tuple[Outcome, ...] = ("still_refused", "not_whole")
    return go(f"/console/quarantine/{entry}?outcome={done.outcome}" if done.outcome in stays else "/console/quarantine")


@router.post("/{entry}/discard", **needs("operator"))
def discard(entry: Id, console: Shown, actor: Acting, typed: Annotated[str, Form(max_length=20)] = "") -> Response:
    if typed.strip().casefold() not in ("discard", "descartar"):
        raise InvalidInput("type the word to discard the message; nothing was discarded")
    acts.discard(actor, console.services.quarantine, entry)
    return go("/console/quarantine")


actions = pages("quarantine-replay")


@actions.post("", **needs("operator"))
def replay_all(
    console: Shown, actor: Acting, kind: Annotated[Literal["", "refused", "set_aside"], Form()] = ""
) -> Response:
    acts.replay_many(actor, console.services.quarantine, None, _kind(kind))
    return go("/console/quarantine")


def dump_of(payload: bytes) -> Iterator[HexRow]:
    """Yields the payload as rows of hexadecimal digits and text."""
    for at in range(0, min(len(payload), MAX_DUMP), ROW):
        row = payload[at : at + ROW]
        digits = " ".join(f"{byte:02x}" for byte in row).ljust(3 * ROW - 1)
        yield HexRow(f"{at:04x}", digits, "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row))


def _kind(text: str) -> Kind | None:
    return "refused" if text == "refused" else "set_aside" if text == "set_aside" else None


def _show(
    console: Console,
    visitor: Visitor,
    entry: str | None,
    before: str | None = None,
    kind: str = "",
    outcome: str = "",
    template: str = "quarantine/page.html",
) -> Response:
    services = console.services
    entries = services.quarantine.page(PAGE_ROWS, before, _kind(kind))
    shown = None
    if entry is not None:
        shown = services.quarantine.get(entry)
    elif entries:
        try:
            shown = services.quarantine.get(entries[0].id)
        except NotFound:  # replayed or discarded meanwhile
            shown = None
    context = QuarantinePage(
        entries,
        services.ledger.snapshot().kept,
        kind,
        shown,
        tuple(dump_of(shown.payload)) if shown else (),
        outcome,
        entries[-1].id if len(entries) == PAGE_ROWS else None,
        signed_in(visitor).may("operator"),
    )
    return show(console, visitor, template, context, section="quarantine")


ROUTERS = (router, actions)
