"""Access control: every path except health, readiness, metrics, documents and sign-in requires the route's role.

A request identifies its sender by a key (Authorization) or, in a browser, by the console's session (a cookie).
"""

from __future__ import annotations

import asyncio
import logging
import math
import time

import redis
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin.access import origin, roles
from admin.access.bodies import Bodies, Body, ReadForm
from admin.access.identity import KEY, address_of
from admin.access.proxies import client_address, client_scheme
from admin.access.rate import Rate
from admin.access.sessions import cookie_name
from admin.connections import share_of
from admin.document.problems import problem, problem_response
from admin.outage import WAIT_S
from admin.services import Services
from operations.key_file import Key
from operations.last_use import LastUse
from zelador.errors import Corrupt, Unavailable
from zelador.time_budget import Budget, limited

log = logging.getLogger(__name__)

MAX_DRAINED = 65_536  # bytes of a rejected body that are read, so that the connection can be reused
BODIES_AT_ONCE = 64  # bodies of maximum size, over all clients; uploads are counted separately
CHARGED_BYTES = 4_096  # of a change's body; each further part of this size counts as another change
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class _HeadAnswered(Exception):
    """A HEAD request has its headers, and the route would continue with a body in parts."""


class Guard:
    """Middleware around the whole app, so that no route is missed. Checks key, role, rate and size; adds headers."""

    def __init__(self, app: ASGIApp, api: FastAPI, services: Services) -> None:
        self._app = app
        self._api = api
        self._services = services
        self._settings = settings = services.settings.api
        self._keys = services.keys
        self._sessions = services.sessions
        self._uses = LastUse(settings.keys_file)
        self._attempts = services.attempts
        self._rate = Rate(settings.rate_per_s, settings.rate_burst)
        self._changes = Rate(settings.changes_per_s, settings.changes_burst)
        self._bodies = Bodies(BODIES_AT_ONCE * settings.max_body_bytes)
        self._upload_bodies = Bodies(settings.uploads_at_once * settings.max_upload_bytes)
        self._uploads = asyncio.Semaphore(settings.uploads_at_once)
        self._proxies = settings.proxies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _is_page(scope):
            with limited(WAIT_S) as budget:
                await self._answer(scope, receive, send, budget)
        else:
            await self._answer(scope, receive, send, None)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, budget: Budget | None) -> None:
        started, status, method = False, 500, scope["method"]
        begun = time.monotonic()
        if is_head := method == "HEAD":  # answered as a GET, without its body
            scope = {**scope, "method": "GET"}
        request = Request(scope)
        request.state.unread = _is_long(request)

        async def with_headers(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                if budget is not None:
                    budget.lift()
                own = message.get("headers", [])
                named = {name.lower() for name, _ in own}  # a page may set its own policy
                message["headers"] = [*own, *(header for header in HEADERS if header[0] not in named)]
                if request.state.unread and b"connection" not in named:
                    message["headers"].append((b"connection", b"close"))  # the rest of the body is not read
            elif is_head and message["type"] == "http.response.body":
                await send({"type": "http.response.body"})
                if message.get("more_body"):
                    raise _HeadAnswered  # a stream may never end
                return
            await send(message)

        if self._proxies and scope.get("client"):
            forwarded = request.headers.getlist("x-forwarded-for")
            scope["scheme"] = client_scheme(scope["client"][0], request.headers.get("x-forwarded-proto"), self._proxies)
            scope["client"] = (client_address(scope["client"][0], forwarded, self._proxies), 0)
        if (found := roles.find(self._api.routes, scope)) is not None:
            scope[roles.FOUND] = found
        read: ReadForm | None = None
        if method == "POST" and scope["path"].startswith("/console/"):
            scope[ReadForm.NAME] = read = ReadForm(self._bodies, receive, scope, MAX_DRAINED)
        try:
            refusal = await self._refusal(request)
            if refusal is not None:
                await refusal(scope, receive, with_headers)
                return
            if read is not None:
                read.is_lost = True
            await self._respond(request, receive, with_headers)
        except _HeadAnswered:
            pass
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            if started:
                raise
            answer = await problem_response(
                request, 500, "internal", "Internal error", "see the server's log for details"
            )
            await answer(scope, receive, with_headers)
        finally:
            path = getattr(found.route, "path", None) if found is not None else None
            self._services.requests.answered(method, path, status, time.monotonic() - begun)

    async def _respond(self, request: Request, receive: Receive, send: Send) -> None:
        """Reads the whole body before the route runs, so that an interrupted request changes nothing."""
        found: roles.Found | None = request.scope.get(roles.FOUND)
        large = found is not None and roles.is_large(found.route)
        if large:
            bodies, limit = self._upload_bodies, self._settings.max_upload_bytes
        elif found is not None and _is_open(request):
            bodies, limit = self._bodies, min(roles.max_open_body(found.route), self._settings.max_body_bytes)
        else:
            bodies, limit = self._bodies, self._settings.max_body_bytes
        body = Body(bodies, receive, limit)
        try:
            outcome = await body.read()
            request.state.unread = outcome != "whole"
            if outcome == "whole":
                request.scope.pop(ReadForm.NAME, None)
            if outcome == "too large":
                detail = f"the body may have at most {limit} bytes"
                answer = await problem_response(request, 413, "too-large", "The request is too large", detail)
                await answer(request.scope, receive, send)
            elif outcome == "crowded":
                detail = "too many request bodies are being received; send the request again"
                answer = await problem_response(request, 503, "unavailable", "Temporarily unavailable", detail)
                await answer(request.scope, receive, send)
            elif outcome == "whole" and large:
                async with self._uploads:
                    await self._app(request.scope, body.replay, send)
            elif outcome == "whole":
                if "zelador.change" in request.scope:
                    self._changes.charge(request.scope["zelador.change"], body.size // CHARGED_BYTES)
                await self._app(request.scope, body.replay, send)
        finally:
            body.close()

    async def _refusal(self, request: Request) -> Response | None:
        given = request.headers.get("authorization")
        if given is None and (reason := origin.objection(request)) is not None:
            return problem(request, 403, "cross-site", "Refused: it comes from another site", reason)
        try:
            key = await self._session(request) if given is None else self._bearer(given)
        except Corrupt as error:
            log.error("%s", error)
            return problem(
                request, 503, "unavailable", "Temporarily unavailable", "the keys cannot be read; see the server's log"
            )
        except (redis.RedisError, OSError) as error:
            if _is_open(request):
                return None
            log.error("sessions cannot be read: %s", error)
            return problem(request, 503, "redis-unavailable", "Redis does not answer", "sessions cannot be read now")
        if key is not None:
            request.scope[KEY] = key
        if _is_open(request):
            return None
        if key is None and (given is None or not _token(given)):
            return await _no_key(request, "send a key: Authorization: Bearer KEY (zelador keys new makes one)")
        if key is None or key.state != "valid":
            return await self._refuse_key(request, "is unknown" if key is None else f"is {key.state}")
        if wait := self._rate.wait(key.id):
            if (read := request.scope.get(ReadForm.NAME)) is not None:
                read.is_page_shown = False
            return await too_many(request, wait, _limit(self._settings.rate_per_s, "request"))
        if self._uses.note(key.id):
            await run_in_threadpool(self._uses.write, key.id)
        found: roles.Found | None = request.scope.get(roles.FOUND)
        role = None if found is None else roles.role_of(found.route)
        if role is not None and not key.may(role):
            detail = f"this needs a key of the role {role}; key {key.id} has the role {key.role}"
            return await problem_response(request, 403, "forbidden", "The key's role does not allow this", detail)
        if role not in (None, "viewer") and request.method != "GET":
            return await self._change(request, key)
        return None

    def _bearer(self, given: str) -> Key | None:
        return self._keys.known(token) if (token := _token(given)) else None

    async def _session(self, request: Request) -> Key | None:
        """Returns the key of the request's session; None without one. Raises redis.RedisError, Corrupt."""
        token = request.cookies.get(cookie_name(request.scope["scheme"]))
        if not token:
            return None
        return self._sessions.known(token) or await run_in_threadpool(self._sessions.find, token)

    async def _change(self, request: Request, key: Key) -> Response | None:
        """Limits the rate of changes, and refuses them while the audit log cannot record them."""
        if wait := self._changes.wait(key.id):
            return await too_many(request, wait, _limit(self._settings.changes_per_s, "change"))
        request.scope["zelador.change"] = key.id
        try:
            await run_in_threadpool(self._services.audit.check, is_admin=key.may("admin"))
        except Unavailable as error:
            log.error("%s", error)
            return await problem_response(request, 503, "unavailable", "Temporarily unavailable", str(error))
        return None

    async def _refuse_key(self, request: Request, why: str) -> Response:
        if not await self._attempts.delay(share_of(address_of(request) or "")):
            return await too_many(request, self._settings.failure_delay_s, "too many invalid keys")
        return await _no_key(request, f"the key {why}")


def _token(given: str) -> str:
    """Returns the key in an Authorization header; empty without one."""
    scheme, _, token = given.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_open(request: Request) -> bool:
    """Returns whether the route needs no key. A path without a route needs one."""
    found: roles.Found | None = request.scope.get(roles.FOUND)
    return found is not None and roles.role_of(found.route) is None


def _is_page(scope: Scope) -> bool:
    """Returns whether the request only shows a page. What changes something is not given up halfway."""
    path: str = scope["path"]
    return path.startswith("/console/") and scope["method"] in ("GET", "HEAD")


def _is_long(request: Request) -> bool:
    """Returns whether the body is too long to be read and discarded."""
    length = request.headers.get("content-length", "0")
    return "transfer-encoding" in request.headers or not length.isdigit() or int(length[:20]) > MAX_DRAINED


def _limit(rate_per_s: float, what: str) -> str:
    return f"this key may make {rate_per_s:g} {what if rate_per_s == 1 else f'{what}s'} a second"


async def too_many(request: Request, wait_s: float, detail: str) -> Response:
    headers = {"Retry-After": str(max(1, math.ceil(wait_s)))}
    return await problem_response(request, 429, "too-many-requests", "Too many requests", detail, headers)


async def _no_key(request: Request, detail: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"}
    return await problem_response(request, 401, "unauthorized", "An API key is required", detail, headers)


def install(app: FastAPI, services: Services) -> None:
    roles.check(app.routes)
    app.add_middleware(Guard, api=app, services=services)
