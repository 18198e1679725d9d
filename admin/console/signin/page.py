"""Signs people in, by a key or by a one-time link, and out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from ipaddress import ip_address
from typing import Annotated, Literal

import redis
from fastapi import Form, Query, Request, Response
from fastapi import Path as InPath
from starlette.concurrency import run_in_threadpool

from admin.access.identity import address_of
from admin.access.roles import open_to_anyone
from admin.access.sessions import LASTS_S, cookie_name
from admin.connections import share_of
from admin.console.again import filled
from admin.console.console import Console, Shown
from admin.console.navigation import section_of
from admin.console.page import answer, go, pages, renderer, show
from admin.console.said import Said, forget
from admin.console.sent import Sent
from admin.console.signin.unsent import MAX_BODY, Carried, Unsent, carried_in, unsent_of
from admin.console.visitor import Visiting, Visitor, own_path
from operations import sign_in_links
from operations.key_file import Key
from zelador.errors import ZeladorError

router = pages("")
log = logging.getLogger(__name__)

Trouble = Literal["", "ended", "unsent", "key", "link", "redis"]
FORWARDED = ("forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
FIRST = "/console/overview"
NOT_SENT_ON = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class SignIn:
    trouble: Trouble
    next: str  # path to go to
    delay_s: float  # the longest delay of an answer, if answers are delayed; else 0
    unsent: str  # a form that is sent after the sign-in, as text
    typed: Sent  # the same, as it is shown
    version: str


@router.get("/signin", **open_to_anyone())
def sign_in_form(
    console: Shown,
    visitor: Visiting,
    request: Request,
    next: str = "",  # noqa: A002 - a name in URLs
    unsent: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    if console.services.outage.since is not None:
        return _form(console, visitor, "redis", next=next)
    is_ended = bool(next) and visitor.key is None and cookie_name(request.scope["scheme"]) in request.cookies
    is_unsent = bool(unsent) and visitor.key is None
    return _form(console, visitor, "unsent" if is_unsent else "ended" if is_ended else "", next=next)


@router.post("/signin", **open_to_anyone(MAX_BODY))
async def sign_in(
    console: Shown,
    visitor: Visiting,
    request: Request,
    key: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002
    stay: Annotated[str, Form()] = "",
    unsent: Annotated[str, Form()] = "",
) -> Response:
    services = console.services
    if not key.strip():
        return _form(console, visitor, "key", 422, next, unsent=unsent)
    found = services.keys.known(key.strip())
    if found is None or found.state != "valid":
        delayed = services.attempts.is_slowed(share_of(address_of(request) or ""))
        if not await services.attempts.delay(share_of(address_of(request) or "")):
            return _form(console, visitor, "key", 429, next, services.settings.api.failure_delay_s, unsent)
        delay_s = services.settings.api.failure_delay_s if delayed else 0.0
        return _form(console, visitor, "key", 401, next, delay_s, unsent)
    carried, path = carried_in(unsent), own_path(next)
    first = go(path) if carried is None else await _not_sent(request, console, visitor, found, carried, path)
    return await run_in_threadpool(_begin, console, visitor, found, path, first, stay == "yes", unsent)


def ask_again(console: Console, visitor: Visitor, back: str, unsent: str, headers: Mapping[str, str]) -> Response:
    """Answers a form that was sent after its session ended: the sign-in form, which carries it."""
    response = _form(console, visitor, "unsent", 401, back, unsent=unsent)
    response.headers.update(headers)
    return response


@router.get("/link/{token}", **open_to_anyone())
def sign_in_by_link(
    console: Shown, visitor: Visiting, request: Request, token: Annotated[str, InPath(max_length=200)]
) -> Response:
    services = console.services
    found = None
    if is_local(request):
        try:
            identity = sign_in_links.take_link(services.settings.api.keys_file, token)
            found = None if identity is None else services.keys.by_id(identity)
        except ZeladorError as error:
            log.error("a sign-in link cannot be read: %s", error)
    if found is None or found.state != "valid":
        log.warning("a sign-in link was refused, from %s", address_of(request))
        response = _form(console, visitor, "link", 403)
    else:
        response = _begin(console, visitor, found, FIRST, go(FIRST), stay=False)
    response.headers.update(NOT_SENT_ON)
    return response


@router.post("/signout", **open_to_anyone())
def sign_out(console: Shown, visitor: Visiting, request: Request) -> Response:
    name = cookie_name(request.scope["scheme"])
    if token := request.cookies.get(name):
        try:
            console.services.sessions.end(token)
        except (redis.RedisError, OSError) as error:
            log.warning("a session could not be ended in Redis: %s", error)
    response = go("/console/signin", Said("signed out"))
    response.delete_cookie(name, path="/", secure=visitor.is_secure, httponly=True, samesite="lax")
    return response


def is_local(request: Request) -> bool:
    """Returns whether the browser is on this machine: no proxy in between, and the URL has this machine's name."""
    if any(name in request.headers for name in FORWARDED):
        return False
    host = (request.url.hostname or "").lower()
    return _is_loopback(address_of(request) or "") and (host == "localhost" or _is_loopback(host))


def _is_loopback(text: str) -> bool:
    try:
        found = ip_address(text.strip("[]"))
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def _begin(
    console: Console, visitor: Visitor, key: Key, path: str, first: Response, stay: bool, unsent: str = ""
) -> Response:
    """Begins a session with the answer `first`; if that fails, asks again for the key."""
    try:
        token = console.services.sessions.begin(key)
    except (redis.RedisError, OSError) as error:
        log.error("nobody can sign in: %s", error)
        return _form(console, visitor, "redis", 503, path, unsent=unsent)
    log.info("key %s signed in to the console", key.id)
    first.set_cookie(
        cookie_name("https" if visitor.is_secure else "http"),
        token,
        max_age=LASTS_S if stay else None,
        path="/",
        secure=visitor.is_secure,
        httponly=True,
        samesite="lax",
    )
    return first


async def _not_sent(
    request: Request, console: Console, visitor: Visitor, key: Key, carried: Carried, path: str
) -> Response:
    """Shows the page of a form whose session had ended, or else what was typed. Only the person sends it."""
    page = await filled(request, unsent_of(carried), key, path)
    if page is not None:
        return page
    visitor, context = replace(visitor, key=key, path=path), Unsent(unsent_of(carried), path, carried.has_files)
    return await run_in_threadpool(show, console, visitor, "signin/unsent.html", context, section=section_of(path))


def _form(
    console: Console,
    visitor: Visitor,
    trouble: Trouble = "",
    status: int = 200,
    next: str = "",  # noqa: A002
    delay_s: float = 0.0,
    unsent: str = "",
) -> Response:
    carried = carried_in(unsent)
    typed = Sent() if carried is None else Sent(carried.action, carried.fields)
    context = SignIn(trouble, own_path(next), delay_s, "" if carried is None else unsent, typed, version("zelador"))
    response = answer(renderer(console, visitor), visitor, "signin/page.html", context, status, {})
    if visitor.said is not None:
        forget(response, visitor.is_secure)
    return response


ROUTERS = (router,)
