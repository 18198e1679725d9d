"""Streams the events of training runs, one stream per client, until the run ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from threading import Lock

import redis
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool

from operations.views.run_events import RunEvents
from zelador.errors import ZeladorError
from zelador.training_queue.event import RunEvent, encode

log = logging.getLogger(__name__)

POLL_S = 0.4
CHECK_S = 10.0  # how often a stream checks that its key is still valid, and sends a sign of life to proxies
RETRY_MS = 2_000  # after which a client connects again
MAX_CACHED = 8  # answers that are kept for clients that ask the same

Found = tuple[list[RunEvent], bool]


class RunStreams:
    """All streams of one server."""

    def __init__(self, events: RunEvents, max_streams: int) -> None:
        self._events = events
        self._max = max_streams
        self._open = 0
        self._closed = False
        self._lock = Lock()
        self._shown: dict[tuple[str, int], tuple[float, Found]] = {}

    @property
    def is_full(self) -> bool:
        return self._closed or self._open >= self._max

    def close(self) -> None:
        """Ends all streams within POLL_S; may be called from another thread."""
        self._closed = True

    def look(self, run: str, number: int) -> Found:
        """Returns the events after `number`, and whether they are the last. Clients that ask the same share a read.

        Raises NotFound, redis.RedisError, Unavailable.
        """
        with self._lock:
            at, found = self._shown.get((run, number), (0.0, ([], False)))
            if at and time.monotonic() - at < POLL_S:
                return found
        found = self._events.after(run, number)
        with self._lock:
            while len(self._shown) >= MAX_CACHED:
                del self._shown[next(iter(self._shown))]
            self._shown[run, number] = (time.monotonic(), found)
        return found

    async def stream(self, run: str, number: int, first: Found, is_valid: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Yields the events after `number`, beginning with `first`, as server-sent events."""
        self._open += 1
        events, is_last = first
        checked = time.monotonic()
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            while True:
                for event in events:
                    number = event.number
                    yield format_sse_event(data_str=encode(event).decode(), event=event.kind, id=str(number))
                if is_last or self._closed:
                    return
                await asyncio.sleep(POLL_S)
                if time.monotonic() - checked >= CHECK_S:
                    checked = time.monotonic()
                    if not await run_in_threadpool(is_valid):
                        return
                    yield KEEPALIVE_COMMENT
                try:
                    events, is_last = await run_in_threadpool(self.look, run, number)
                except (redis.RedisError, OSError, ZeladorError) as error:
                    log.warning("a stream of run %s ends, its client connects again: %s", run, error)
                    return
        finally:
            self._open -= 1
