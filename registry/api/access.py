"""Who may: every path but health, readiness, metrics and the documents needs a key."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api.keys import Key, KeyFile
from registry.api.problems import problem
from zelador.errors import Corrupt

audit_log = logging.getLogger("zelador.audit")
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
    """Around the whole app, so that no route can be forgotten: the key, the size of the body, the headers."""

    def __init__(self, app: ASGIApp, keys: KeyFile, max_body_bytes: int) -> None:
        self._app = app
        self._keys = keys
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        request = Request(scope)
        refusal = self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        body = _Body(receive, self._limit)
        if not await body.read():
            answer = problem(
                request, 413, "too-large", "The request is too large", f"the body may have {self._limit} bytes at most"
            )
            await answer(scope, receive, with_headers)
            return
        await self._app(scope, body.replay, with_headers)

    def _refusal(self, request: Request) -> Any:
        path = request.url.path
        if path in OPEN:
            return None
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        challenge = {"WWW-Authenticate": "Bearer"}
        if scheme.lower() != "bearer" or not given:
            detail = "send a key: Authorization: Bearer KEY (zelador keys new makes one)"
            return problem(request, 401, "unauthorized", "A key is needed", detail, challenge)
        try:
            key = self._keys.known(given.strip())
        except Corrupt as error:
            log.error("%s", error)
            return problem(
                request, 503, "unavailable", "Not available now", "the keys cannot be read; the log says why"
            )
        if key is None:
            return problem(request, 401, "unauthorized", "A key is needed", "the key is not known here", challenge)
        request.scope["zelador.key"] = key
        return None


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


def audit(request: Request, what: str, **facts: object) -> None:
    """One line for every change: who did what."""
    details = " ".join(f"{name}={value}" for name, value in facts.items())
    audit_log.info("%s by %s %s", what, who(request), details)


def install(app: FastAPI, keys: KeyFile, max_body_bytes: int) -> None:
    app.add_middleware(Guard, keys=keys, max_body_bytes=max_body_bytes)
