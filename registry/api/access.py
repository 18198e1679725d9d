"""Who may: every path but health, readiness, metrics and the documents needs a key whose role the route takes."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api import roles
from registry.api.attempts import Attempts
from registry.api.key_file import Key, KeyFile
from registry.api.last_use import LastUse
from registry.api.problems import problem
from registry.api.rate import Rate
from zelador.errors import Corrupt, Unavailable
from zelador.settings import ApiSettings

log = logging.getLogger(__name__)

OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"})
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Around the whole app, so that no route can be forgotten: key, role, rate, size of the body, headers."""

    def __init__(self, app: ASGIApp, api: FastAPI, settings: ApiSettings) -> None:
        self._app = app
        self._api = api
        self._settings = settings
        self._keys = KeyFile(settings.keys_file)
        self._uses = LastUse(settings.keys_file)
        self._attempts = Attempts(settings.failure_delay_s)
        self._rate = Rate(settings.rate_per_s, settings.rate_burst)
        self._uploads = asyncio.Semaphore(settings.uploads_at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = message.get("headers", [])
                named = {name.lower() for name, _ in own}  # a page may have a policy of its own
                message["headers"] = [*own, *(header for header in HEADERS if header[0] not in named)]
            await send(message)

        request = Request(scope)
        try:
            refusal = await self._refusal(request)
            if refusal is not None:
                await refusal(scope, receive, with_headers)
                return
            route = roles.route_for(self._api.routes, scope)
            if route is not None and roles.is_large(route):
                async with self._uploads:
                    await self._go_on(request, self._settings.max_upload_bytes, receive, with_headers)
            else:
                await self._go_on(request, self._settings.max_body_bytes, receive, with_headers)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            if started:
                raise
            answer = problem(request, 500, "internal", "Something went wrong here", "the log has the details")
            await answer(scope, receive, with_headers)

    async def _go_on(self, request: Request, limit: int, receive: Receive, send: Send) -> None:
        """The whole body is here before anything is done: a request that broke off half way changes nothing."""
        body = _Body(receive, limit)
        if await body.read():
            await self._app(request.scope, body.replay, send)
            return
        detail = f"the body may have {limit} bytes at most"
        answer = problem(request, 413, "too-large", "The request is too large", detail, {"Connection": "close"})
        await answer(request.scope, receive, send)

    async def _refusal(self, request: Request) -> Response | None:
        if request.url.path in OPEN:
            return None
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            return _no_key(request, "send a key: Authorization: Bearer KEY (zelador keys new makes one)")
        try:
            key = self._keys.known(given.strip())
        except Corrupt as error:
            log.error("%s", error)
            return problem(
                request, 503, "unavailable", "Not available now", "the keys cannot be read; the log says why"
            )
        if key is None or key.state != "valid":
            return await self._wrong(request, "is not known here" if key is None else f"is {key.state}")
        if wait := self._rate.wait(key.id):
            return too_many(request, wait, f"this key may make {self._settings.rate_per_s:g} requests a second")
        if self._uses.note(key.id):
            await run_in_threadpool(self._uses.write, key.id)
        request.scope["zelador.key"] = key
        route = roles.route_for(self._api.routes, request.scope)
        role = None if route is None else roles.role_of(route)
        if role is not None and not key.may(role):
            detail = f"this needs a key of the role {role}; key {key.id} is of the role {key.role}"
            return problem(request, 403, "forbidden", "The key's role does not allow this", detail)
        if role not in (None, "viewer") and request.method != "GET":
            try:
                await run_in_threadpool(self._api.state.services.trail.check)
            except Unavailable as error:
                log.error("%s", error)
                return problem(request, 503, "unavailable", "Not available now", str(error))
        return None

    async def _wrong(self, request: Request, why: str) -> Response:
        delay = self._attempts.failed(address_of(request) or "")
        if delay and self._attempts.crowded:
            return too_many(request, self._settings.failure_delay_s, "too many keys that are none")
        if delay:
            self._attempts.held += 1
            try:
                await asyncio.sleep(delay)
            finally:
                self._attempts.held -= 1
        return _no_key(request, f"the key {why}")


class _Body:
    """The request's body, read up to a limit before the app sees it, also when no length was announced."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._messages: list[Message] = []

    async def read(self) -> bool:
        size = 0
        while True:
            message = await self._receive()
            self._messages.append(message)
            size += len(message.get("body", b""))
            if size > self._limit:
                return False
            if message["type"] != "http.request" or not message.get("more_body", False):
                return True

    async def replay(self) -> Message:
        return self._messages.pop(0) if self._messages else await self._receive()


def who(request: Request) -> str:
    """The name of the caller's key, for history and audit."""
    key: Key = request.scope["zelador.key"]
    return f"key {key.id}"


def address_of(request: Request) -> str | None:
    """Of the caller, or of the proxy in front of us."""
    return request.client.host if request.client else None


def audit(request: Request, what: str, target: object, before: Any = None, after: Any = None) -> None:
    """Keeps who did what. Raises Unavailable when it cannot be kept."""
    trail = request.app.state.services.trail
    trail.add(who(request), what, str(target), before, after, address_of(request))


def too_many(request: Request, wait_s: float, detail: str) -> Response:
    headers = {"Retry-After": str(max(1, math.ceil(wait_s)))}
    return problem(request, 429, "too-many-requests", "Too many requests", detail, headers)


def _no_key(request: Request, detail: str) -> Response:
    return problem(request, 401, "unauthorized", "A key is needed", detail, {"WWW-Authenticate": "Bearer"})


def install(app: FastAPI, settings: ApiSettings) -> None:
    roles.check(app.routes)
    app.add_middleware(Guard, api=app, settings=settings)
