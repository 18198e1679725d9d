"""Compresses the answers of the API with gzip, for clients that accept it. Pages and static files come compressed.

Only what a GET shows: an answer to a change may hold a secret, and the size of compressed text tells something of it.
"""

from __future__ import annotations

import zlib

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KINDS = ("application/json", "application/problem+json", "text/html", "text/csv", "text/plain")
MIN_SIZE = 200  # bytes; less would hardly become smaller
LONG = 65_536  # bytes that are compressed on a thread, so that other requests do not wait
LEVEL = 6
GZIP = 16 + zlib.MAX_WBITS


class Packed:
    """Middleware that compresses what is text, whole or in parts as it comes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and accepts_gzip(Request(scope)):
            await self._app(scope, receive, _Answer(send).send)
        else:
            await self._app(scope, receive, send)


class _Answer:
    """Holds the head of an answer until its first part shows whether it is worth compressing."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._head: Message | None = None
        self._packer: zlib._Compress | None = None  # if it is compressed

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_text(message):
            self._head = message
        elif message["type"] != "http.response.body":
            await self._send(message)
        else:
            await self._send_part(message.get("body", b""), more=bool(message.get("more_body")))

    async def _send_part(self, body: bytes, *, more: bool) -> None:
        head, self._head = self._head, None
        if head is not None and (more or len(body) >= MIN_SIZE):
            self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        if (packer := self._packer) is not None:
            packed = packer.compress(body) if len(body) <= LONG else await run_in_threadpool(packer.compress, body)
            body = packed if more else packed + packer.flush()
        if head is not None:
            headers = MutableHeaders(raw=head["headers"])
            headers.add_vary_header("Accept-Encoding")
            if self._packer is not None:
                headers["Content-Encoding"] = "gzip"
                del headers["Content-Length"]
                if not more:
                    headers["Content-Length"] = str(len(body))
            await self._send(head)
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


def accepts_gzip(request: Request) -> bool:
    return any(
        part.partition(";")[0].strip().lower() in ("gzip", "*") and "q=0" not in part.replace(" ", "").split(";")[1:]
        for part in request.headers.get("accept-encoding", "").split(",")
    )


def _is_text(message: Message) -> bool:
    headers = MutableHeaders(raw=message["headers"])
    kind = headers.get("content-type", "").partition(";")[0]
    return kind in KINDS and message["status"] != 206 and "content-encoding" not in headers


def install(app: FastAPI) -> None:
    app.add_middleware(Packed)
