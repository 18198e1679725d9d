"""Shows errors as pages: what happened, what to do, what still works, and the problem document for support."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request, Response

from admin.access.sessions import cookie_name
from admin.console.again import FILES, FOREIGN, UNSENT, address_of_form
from admin.console.catalog import mark as _
from admin.console.console import Console
from admin.console.navigation import Item, list_of, section_of
from admin.console.page import answer, go, renderer, show
from admin.console.problem_words import NOTHING_DONE, UNKNOWN, Step, problem_words, refused_words
from admin.console.sent import Sent
from admin.console.signin.page import ask_again
from admin.console.signin.unsent import carry
from admin.console.stream import ENDED
from admin.console.visitor import Visitor, own_path, visitor_of
from admin.document.problems import Problem

LATER = b": later\n\n"  # the browser asks again; a page would be put into the open one
STREAM = "text/event-stream"
SIGN_IN, STREAMS = "/console/signin", "/console/stream/"


@dataclass(frozen=True, slots=True)
class ErrorPage:
    status: int
    heading: str
    lede: str
    steps: tuple[Step, ...]
    keeps: tuple[tuple[str, str], ...]
    held: str  # what cannot be done until then; may be empty
    again: str  # path
    document: str
    since: int | None = None  # when Redis stopped answering (ms since 1970 UTC), if that is the reason
    recovers: bool = False  # the page loads itself again when Redis is back
    signed_in: bool = False  # as far as is known: the session cannot be read
    unsent: Sent | None = None  # a form that was not done, as far as is known
    has_files: bool = False  # which must be chosen again
    leads_to: Item | None = None  # where to go instead; trying again would change nothing


def page(request: Request, problem: Problem, headers: Mapping[str, str]) -> Response:
    """Returns the answer to a request of the console that failed."""
    console: Console = request.app.state.console
    visitor = visitor_of(request)
    if visitor.path.startswith(STREAMS) and "authorization" not in request.headers:  # an open page, not a person
        ended = problem.status == 401
        return Response(ENDED if ended else LATER, 200 if ended else problem.status, headers, STREAM)
    if problem.status == 401 and visitor.path.partition("?")[0] != SIGN_IN:
        is_form = request.method == "POST"
        back = own_path(address_of_form(request) if is_form else visitor.path)
        typed: Sent | None = request.scope.get(UNSENT)
        if typed is not None and (carried := carry(typed, bool(request.scope.get(FILES)))):
            return ask_again(console, visitor, back, carried, headers)
        back = quote(back, safe="/")
        return go(f"{SIGN_IN}?next={back}{'&unsent=yes' if is_form else ''}")
    context = _context(request, problem, console, visitor)
    if visitor.key is None:
        templates = renderer(console, visitor)
        return answer(templates, visitor, "shell/plain_error.html", context, problem.status, headers)
    return show(
        console,
        visitor,
        "shell/error.html",
        context,
        section=section_of(visitor.path),
        status=problem.status,
        headers=headers,
    )


def _context(request: Request, problem: Problem, console: Console, visitor: Visitor) -> ErrorPage:
    language = renderer(console, visitor).language
    heading, lede, steps = problem_words(language, problem.kind, problem.detail)
    is_away = problem.kind == "redis-unavailable"
    keeps: tuple[tuple[str, str], ...] = ()
    held = ""
    if is_away:
        keeps = tuple((language.text(name), language.text(text)) for name, text in KEEPS_WITHOUT_REDIS)
        if request.method != "GET":
            lede = language.text(UNKNOWN if visitor.key is not None else NOTHING_DONE)
        elif visitor.key is None:
            lede = language.text("Your session cannot be read now. It has not ended: the page is back with Redis.")
    unsent: Sent | None = request.scope.get(UNSENT)
    if unsent is not None:
        heading, lede = refused_words(language, unsent)
    if problem.kind == FOREIGN:
        lede = f"{lede} {language.text(NOT_KEPT)}"
    if problem.kind in ("corrupt", "model-refused", "unavailable"):
        keeps = tuple((language.text(name), language.text(text)) for name, text in KEEPS)
        held = language.text(SUSPENDED) if problem.kind == "corrupt" else ""
    document = {
        "type": f"/problems/{problem.kind}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.url.path,
    }
    again = own_path(visitor.path if request.method == "GET" else address_of_form(request))
    since = console.services.outage.since if is_away else None
    return ErrorPage(
        problem.status,
        heading,
        lede,
        steps,
        keeps,
        held,
        again,
        json.dumps(document, indent=2, ensure_ascii=False),
        since,
        since is not None and request.method == "GET",  # if Redis answers and refuses, loading it again changes nothing
        is_away and cookie_name(request.scope["scheme"]) in request.cookies,
        unsent,
        bool(request.scope.get(FILES)),
        {"forbidden": list_of(""), "not-found": list_of(visitor.path)}.get(problem.kind),
    )


NOT_KEPT = _("Nothing was done. What was typed is not shown again, because another site may have written it.")
KEEPS = (
    (_("Live classification"), _("The workers keep the model that they have in memory. No reading waits for this.")),
    (_("Devices, labels, quarantine"), _("They do not depend on the registry.")),
)
SUSPENDED = _(
    "Selecting, saving and deleting models, until the registry can be read again. A worker that starts now has no "
    "model to load."
)
KEEPS_WITHOUT_REDIS = (
    (_("Models, runs that ended"), _("They are in the registry, which does not depend on Redis.")),
    (_("Devices, broker"), _("Devices keep what they have not sent, and the broker keeps what was not taken.")),
)
