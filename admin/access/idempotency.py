"""Idempotency-Key on POSTs: the same key with the same request is answered as before, and not done again.

Answers are kept in Redis with a lifetime. One that was never finished (the process died) blocks its key for a while,
then the request is done anew: what it had done by then shows in the answer (a name that is taken, a run that goes on).
A POST that changes nothing (classify) is simply done: to ask again costs no more than to look the answer up.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from typing import Any

import redis
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin.access import roles
from admin.access.guard import too_many
from admin.access.identity import who
from admin.access.stored_answers import MAX_ANSWER, Full, Kept, StoredAnswers
from admin.document.problems import problem
from admin.services import Services
from operations.key_file import Key

log = logging.getLogger(__name__)

KEY = re.compile(r"[!-~]{1,200}")
SHOWN_ONCE = "/v1/keys"  # its answer has a key, which is stored nowhere
KEPT_HEADERS = (b"content-type", b"location", b"etag")
TOO_LARGE = "this was done before; its answer was too large to be kept for a repeat"


class Idempotent:
    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or "zelador.key" not in scope:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        given = request.headers.get("idempotency-key")
        found: roles.Found | None = scope.get(roles.FOUND)
        if given is None or (found is not None and roles.role_of(found.route) == "viewer"):
            await self._app(scope, receive, send)
            return
        if not KEY.fullmatch(given):
            detail = "Idempotency-Key: 1 to 200 printable ASCII characters without spaces"
            await problem(request, 422, "invalid-input", "Invalid input", detail)(scope, receive, send)
            return
        messages, digest = await _whole(request, receive)
        name = hashlib.sha256(f"{who(request)}\0{request.url.path}\0{given}".encode()).hexdigest()
        key: Key = scope["zelador.key"]
        try:
            kept = await run_in_threadpool(self._answers().claim, name, digest, key.id)
        except Full as full:
            log.warning("an Idempotency-Key of key %s is refused: %s", key.id, full)
            await _refused(request, full)(scope, receive, send)
            return
        except (redis.RedisError, OSError) as error:
            log.error("an Idempotency-Key cannot be kept: %s", error)
            detail = "an Idempotency-Key cannot be kept now, so nothing was done; send the request again later"
            await problem(request, 503, "redis-unavailable", "Redis does not answer", detail)(scope, receive, send)
            return
        if kept is not None:
            await _again(request, kept, digest)(scope, receive, send)
            return
        await self._first(name, digest, scope, messages, receive, send)

    async def _first(
        self, name: str, digest: str, scope: Scope, messages: list[Message], receive: Receive, send: Send
    ) -> None:
        answer: dict[str, Any] = {"status": 500, "headers": [], "body": b""}

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.update(status=message["status"], headers=message.get("headers", []))
            elif len(answer["body"]) <= MAX_ANSWER:
                answer["body"] += message.get("body", b"")
            await send(message)

        try:
            await self._app(scope, replay, watched)
        finally:
            body = answer["body"]
            if scope["path"] == SHOWN_ONCE and answer["status"] < 300:
                body = json.dumps({**json.loads(body), "key": None}, ensure_ascii=False).encode()
            headers = [(key, value) for key, value in answer["headers"] if key.lower() in KEPT_HEADERS]
            kept = Kept(digest, answer["status"], headers, body)
            if len(body) > MAX_ANSWER - 4_096:
                kept = _too_large(Request(scope), digest)
            owner: Key = scope["zelador.key"]
            await run_in_threadpool(self._answers().keep, name, kept, owner.id)

    def _answers(self) -> StoredAnswers:
        services = self._services
        return StoredAnswers(services.redis, services.prefix, services.settings.api.keep_answers_s)


def _refused(request: Request, full: Full) -> ASGIApp:
    if full.retry_s is not None:
        return too_many(request, full.retry_s, str(full))
    return problem(request, 503, "unavailable", "Not available now", str(full), {"Retry-After": "60"})


def _too_large(request: Request, digest: str) -> Kept:
    answer = problem(request, 409, "conflict", "Not possible now", TOO_LARGE)
    return Kept(digest, 409, [(b"content-type", b"application/problem+json")], bytes(answer.body))


async def _whole(request: Request, receive: Receive) -> tuple[list[Message], str]:
    """The body's messages (the guard has bounded them) and a digest of all that makes the request what it is."""
    digest = hashlib.sha256(f"{request.url.query}\0{request.headers.get('content-type', '')}\0".encode())
    digest.update(f"{request.headers.get('if-match', '')}\0".encode())
    messages: list[Message] = []
    while True:
        message = await receive()
        messages.append(message)
        digest.update(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            return messages, digest.hexdigest()


def _again(request: Request, kept: Kept, digest: str) -> ASGIApp:
    if kept.request != digest:
        detail = "this Idempotency-Key was used for another request; take a new one"
        return problem(request, 422, "idempotency-key-reused", "The Idempotency-Key was used before", detail)
    if kept.status == 0:
        detail = "the first request with this Idempotency-Key is not yet answered; wait for it"
        headers = {"Retry-After": "1"}
        return problem(request, 409, "idempotency-key-in-use", "The request is being done", detail, headers)

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        length = (b"content-length", str(len(kept.body)).encode())
        headers = [*kept.headers, length, (b"idempotency-replayed", b"true")]
        await send({"type": "http.response.start", "status": kept.status, "headers": headers})
        await send({"type": "http.response.body", "body": kept.body})

    return answer


def install(app: FastAPI, services: Services) -> None:
    """Inside the guard: nobody is answered whom it would refuse."""
    app.add_middleware(Idempotent, services=services)
