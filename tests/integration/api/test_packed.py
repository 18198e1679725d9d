"""Answers are compressed for who accepts it, whole or in parts, and read the same."""

from __future__ import annotations

import asyncio
import gzip
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from admin.packed import LONG, MIN_SIZE, Packed
from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_api import serving
from tests.small_models import select_one
from zelador.settings import Settings

PARTS = (b"a" * 10, b"b" * (LONG + 1), b"", b"c")


def asked(parts: tuple[bytes, ...], kind: str = "application/json", accepts: str = "gzip", **more: Any) -> list[Any]:
    """Returns the messages of an answer in these parts."""
    sent: list[Any] = []
    head = [(b"content-type", kind.encode()), (b"content-length", b"%d" % sum(map(len, parts)))]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": more.get("status", 200), "headers": head})
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    scope = {"type": "http", "method": more.get("method", "GET"), "headers": [(b"accept-encoding", accepts.encode())]}
    thread = threading.Thread(target=lambda: asyncio.run(Packed(app)(scope, receive, send)))
    thread.start()  # Playwright's browser keeps an event loop running on the main one
    thread.join(60)
    return sent


def body_of(sent: list[Any]) -> bytes:
    return b"".join(message["body"] for message in sent[1:])


@pytest.mark.parametrize("parts", [PARTS, (b"x" * MIN_SIZE,), (b"y" * (LONG + 1),)])
def test_an_answer_is_compressed_whole_or_in_parts(parts: tuple[bytes, ...]) -> None:
    sent = asked(parts)
    headers = dict(sent[0]["headers"])
    assert headers[b"content-encoding"] == b"gzip"
    assert headers[b"vary"] == b"Accept-Encoding"
    assert gzip.decompress(body_of(sent)) == b"".join(parts)
    length = headers.get(b"content-length")
    assert length == (None if len(parts) > 1 else b"%d" % len(body_of(sent)))
    assert [message["more_body"] for message in sent[1:]] == [True] * (len(parts) - 1) + [False]


@pytest.mark.parametrize(
    ("parts", "more"),
    [
        ((b"x" * (MIN_SIZE - 1),), {}),
        ((b"x" * 9_999,), {"accepts": "gzip;q=0, br"}),
        ((b"x" * 9_999,), {"kind": "application/zip"}),
        ((b"data: 1\n\n", b"data: 2\n\n"), {"kind": "text/event-stream"}),
        ((b"x" * 9_999,), {"status": 206}),
        ((b"x" * 9_999,), {"method": "POST"}),
    ],
)
def test_an_answer_stays_as_it_is(parts: tuple[bytes, ...], more: dict[str, Any]) -> None:
    sent = asked(parts, **more)
    headers = dict(sent[0]["headers"])
    assert b"content-encoding" not in headers
    assert headers[b"content-length"] == b"%d" % sum(map(len, parts))
    assert body_of(sent) == b"".join(parts)


def test_the_server_sends_the_same_to_all(api_settings: Settings, eventually: Callable[..., None]) -> None:
    select_one(api_settings.registry.url)
    with serving(api_settings) as client:
        eventually(lambda: client.get("/v1/ledger").json()["today"] is not None, "the first mark of the day")
        for path in ("/v1/models", "/v1/ledger", "/openapi.json", "/docs", "/metrics", "/v1/models/none" + "x" * 200):
            packed, plain = (client.get(path, headers={"Accept-Encoding": coding}) for coding in ("gzip", "identity"))
            assert packed.headers.get("content-encoding") == "gzip", path
            assert "content-encoding" not in plain.headers
            if path != "/metrics":  # it counts requests
                assert packed.content == plain.content
            head = client.head(path, headers={"Accept-Encoding": "gzip"})
            assert (head.status_code, head.content) == (packed.status_code, b"")
            assert head.headers["content-encoding"] == "gzip"
        tag = client.get("/docs").headers["etag"]
        assert client.get("/docs", headers={"If-None-Match": tag}).status_code == 304
        made = client.post("/v1/keys", json={"role": "viewer", "note": os.urandom(60).hex()})
        assert "content-encoding" not in made.headers, "it holds a key"
