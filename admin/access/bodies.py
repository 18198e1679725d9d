"""Request bodies: read completely before the request is processed, and limited in total bytes.

A slow sender occupies only the bytes sent so far: a slot for uploads is taken once the body is complete. When the
bodies of all clients together reach the limit, the one that has stalled longest is dropped.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Literal

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

PROGRESS = 65_536  # bytes that count as progress
STALLED_S = 2.0  # a body without progress for this time may be dropped for another

Outcome = Literal["whole", "too large", "crowded", "gone"]


class Bodies:
    """All bodies being received. Used from the event loop only."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._arriving: dict[Body, None] = {}

    @property
    def held(self) -> int:
        return self._held

    def _take(self, body: Body, size: int) -> bool:
        """Reserves `size` more bytes for `body`; False if there is no room."""
        while self._held + size > self._most:
            now = asyncio.get_running_loop().time()
            others = (each for each in self._arriving if each is not body and each.size)
            slowest = min(others, key=lambda each: each.moved_at, default=None)
            if slowest is None or now - slowest.moved_at < STALLED_S:
                return False
            slowest.give_up()
        self._held += size
        return True


class Body:
    """The body of one request. `close` it when the request is answered."""

    def __init__(self, bodies: Bodies, receive: Receive, limit: int) -> None:
        self._bodies = bodies
        self._receive = receive
        self._limit = limit
        self._data = bytearray()
        self._counted = 0  # bytes counted against the common limit
        self._replayed = False
        self._given_up = False
        self.size = 0
        self.moved_at = 0.0

    async def read(self) -> Outcome:
        loop = asyncio.get_running_loop()
        self.moved_at = loop.time()
        moved = 0
        self._bodies._arriving[self] = None
        try:
            while True:
                message = await self._receive()
                if message["type"] != "http.request":
                    return "gone"
                data: bytes = message.get("body", b"")
                if self.size + len(data) > self._limit:
                    return "too large"
                if self._given_up or not self._bodies._take(self, len(data)):
                    return "crowded"
                self._counted += len(data)
                self.size += len(data)
                self._data += data
                if self.size - moved >= PROGRESS:
                    moved, self.moved_at = self.size, loop.time()
                if not message.get("more_body", False):
                    return "whole"
        finally:
            self._bodies._arriving.pop(self, None)

    async def replay(self) -> Message:
        if self._replayed:
            return await self._receive()
        self._replayed = True
        data, self._data = bytes(self._data), bytearray()
        return {"type": "http.request", "body": data, "more_body": False}

    def give_up(self) -> None:
        """Drops the received bytes to make room for another body; the sender gets an error with the next bytes."""
        self._given_up = True
        self._bodies._arriving.pop(self, None)
        self.close()

    def close(self) -> None:
        self._bodies._held -= self._counted
        self._counted = 0
        self._data = bytearray()


@dataclass(slots=True)
class ReadForm:
    """The form of a request that is refused before its body is read. It is in the scope of the request, as NAME."""

    NAME: ClassVar[str] = "zelador.read-form"

    bodies: Bodies
    receive: Receive
    scope: Scope
    limit: int  # bytes
    is_page_shown: bool = True  # False: the client asks too often, so that its page is not made
    is_lost: bool = False  # a part of the body was read and discarded

    async def form(self, max_fields: int) -> FormData | None:
        """Returns the form; None if it is too large, or none."""
        body = Body(self.bodies, self.receive, self.limit)
        try:
            if await body.read() != "whole":
                return None
            return await Request(self.scope, body.replay).form(max_fields=max_fields)
        except HTTPException:
            return None
        finally:
            body.close()
