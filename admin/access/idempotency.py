"""Idempotency-Key on POSTs: a repeat with the same key returns the stored response and is not processed again.

Responses are stored in Redis with a lifetime. A request that never finished (the process died) blocks its key for a
while; then a repeat is processed. Its response shows what the first one had changed (a taken name, a running run).
A POST that changes nothing (classify) is always processed: that costs no more than looking up a response.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re

import redis
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin.access import roles
from admin.access.guard import too_many
from admin.access.identity import who
from admin.access.stored_answers import MAX_ANSWER, Full, StoredAnswer, StoredAnswers
from admin.document.problems import problem
from admin.services import Services
from operations.key_file import Key

log = logging.getLogger(__name__)

KEY = re.compile(r"[!-~]{1,200}")
MAX_BODY = MAX_ANSWER - 4_096  # the rest is for headers and what the encoding adds
SHOWN_ONCE = "/v1/keys"  # its response contains a key, which is never stored
STORED_HEADERS = (b"content-type", b"location", b"etag")
TOO_LARGE = "this request was processed before; its response was too large to be stored for a repeat"


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
            stored = await run_in_threadpool(self._answers().claim, name, digest, key.id)
        except Full as full:
            log.warning("an Idempotency-Key of key %s is refused: %s", key.id, full)
            await (await _refused(request, full))(scope, receive, send)
            return
        except (redis.RedisError, OSError) as error:
            log.error("an Idempotency-Key cannot be stored: %s", error)
            detail = "an Idempotency-Key cannot be stored now, so nothing was done; send the request again later"
            await problem(request, 503, "redis-unavailable", "Redis does not answer", detail)(scope, receive, send)
            return
        if stored is not None:
            await _answer_repeat(request, stored, digest)(scope, receive, send)
            return
        await self._process_first(name, digest, scope, messages, receive, send)

    async def _process_first(
        self, name: str, digest: str, scope: Scope, messages: list[Message], receive: Receive, send: Send
    ) -> None:
        held: list[Message] = []  # the response, which is sent after it was stored: a repeat may follow at once
        body = b""
        is_stored = False

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        async def store(answer: StoredAnswer) -> None:
            nonlocal is_stored
            is_stored = True
            await run_in_threadpool(self._answers().store, name, answer, scope["zelador.key"].id)

        async def watched(message: Message) -> None:
            nonlocal body
            if is_stored:
                await send(message)
                return
            held.append(message)
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                await store(_too_large(Request(scope), digest))
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                await store(_stored(digest, held[0], body, scope["path"]))
            else:
                return
            for each in held:
                await send(each)
            held.clear()

        try:
            await self._app(scope, replay, watched)
        finally:
            if not is_stored:  # the request failed without a response: a repeat is processed
                await store(StoredAnswer(digest, 500))

    def _answers(self) -> StoredAnswers:
        services = self._services
        return StoredAnswers(services.redis, services.prefix, services.settings.api.keep_answers_s)


async def _refused(request: Request, full: Full) -> ASGIApp:
    if full.retry_s is not None:
        return await too_many(request, full.retry_s, str(full))
    return problem(request, 503, "unavailable", "Temporarily unavailable", str(full), {"Retry-After": "60"})


def _stored(digest: str, start: Message, body: bytes, path: str) -> StoredAnswer:
    if path == SHOWN_ONCE and start["status"] < 300:
        body = json.dumps({**json.loads(body), "key": None}, ensure_ascii=False).encode()
    headers = [(key, value) for key, value in start.get("headers", []) if key.lower() in STORED_HEADERS]
    return StoredAnswer(digest, start["status"], headers, body)


def _too_large(request: Request, digest: str) -> StoredAnswer:
    answer = problem(request, 409, "conflict", "Conflict with the current state", TOO_LARGE)
    return StoredAnswer(digest, 409, [(b"content-type", b"application/problem+json")], bytes(answer.body))


async def _whole(request: Request, receive: Receive) -> tuple[list[Message], str]:
    """Reads the body, which the guard limits. Returns its messages, and a digest of what identifies the request."""
    digest = hashlib.sha256(f"{request.url.query}\0{request.headers.get('content-type', '')}\0".encode())
    digest.update(f"{request.headers.get('if-match', '')}\0".encode())
    messages: list[Message] = []
    while True:
        message = await receive()
        messages.append(message)
        digest.update(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            return messages, digest.hexdigest()


def _answer_repeat(request: Request, stored: StoredAnswer, digest: str) -> ASGIApp:
    if stored.request != digest:
        detail = "this Idempotency-Key was used for another request; use a new one"
        return problem(request, 422, "idempotency-key-reused", "The Idempotency-Key was used before", detail)
    if stored.status == 0:
        detail = "the first request with this Idempotency-Key is still being processed; wait for it"
        headers = {"Retry-After": "1"}
        return problem(request, 409, "idempotency-key-in-use", "The request is being processed", detail, headers)

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        length = (b"content-length", str(len(stored.body)).encode())
        headers = [*stored.headers, length, (b"idempotency-replayed", b"true")]
        await send({"type": "http.response.start", "status": stored.status, "headers": headers})
        await send({"type": "http.response.body", "body": stored.body})

    return answer


def install(app: FastAPI, services: Services) -> None:
    """Adds the middleware inside the guard, so that stored responses are only for those with access."""
    app.add_middleware(Idempotent, services=services)
