"""Sends the live parts of pages as server-sent events, with one stream per tab.

A topic is a page, a role and a language. Each topic with subscribers is rendered at most three times a second,
however many subscribers it has. Only the regions that changed are sent: in unnamed messages as `<hx-partial>` elements,
which htmx swaps in; points of a chart as JSON in named events. A new subscriber gets everything first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool

from operations.key_file import Role

log = logging.getLogger(__name__)

TICK_S = 0.35
MAX_BEHIND = 40  # messages; a browser that is further behind is disconnected, and connects again
CHECK_S = 10.0  # how often a stream checks that its session is still valid
ENDED = format_sse_event(event="ended", data_str="")


@dataclass(frozen=True, slots=True)
class Topic:
    page: str
    role: Role
    language: str


@dataclass(frozen=True, slots=True)
class Live:
    """What a topic shows now: id of an element to inner HTML, and name of an event to JSON."""

    regions: Mapping[str, str]
    events: Mapping[str, str] = field(default_factory=dict)


Look = Callable[[Topic], Live]


class _Feed:
    """A topic: its subscribers, and what was sent last."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.queues: set[asyncio.Queue[bytes | None]] = set()
        self.sent = Live({})
        self.task: asyncio.Task[None] | None = None


class Hub:
    """All streams of one server. Used only from the event loop, except for `close`."""

    def __init__(self, max_streams: int) -> None:
        self._max = max_streams
        self._feeds: dict[Topic, _Feed] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def streams(self) -> int:
        return sum(len(feed.queues) for feed in self._feeds.values())

    @property
    def is_full(self) -> bool:
        return self._closed or self.streams >= self._max

    async def subscribe(self, topic: Topic, look: Look, is_valid: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Yields the messages of a topic, until the client leaves, the session ends or the server stops."""
        self._loop = asyncio.get_running_loop()
        feed = self._feeds.setdefault(topic, _Feed(topic))
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_BEHIND)
        feed.queues.add(queue)
        try:
            if feed.task is None:
                feed.sent = await run_in_threadpool(look, topic)
                if feed.task is None:  # another subscriber may have started it meanwhile
                    feed.task = asyncio.create_task(self._run(feed, look), name=f"console-{topic.page}")
            yield b"".join(_messages(feed.sent, Live({})))
            checked = time.monotonic()
            while True:
                try:
                    async with asyncio.timeout(CHECK_S):  # wait_for would start a task for each message
                        message = await queue.get()
                except TimeoutError:
                    message = KEEPALIVE_COMMENT
                if message is None:
                    return
                if time.monotonic() - checked >= CHECK_S:
                    checked = time.monotonic()
                    if not await run_in_threadpool(is_valid):
                        yield ENDED
                        return
                yield message
        finally:
            feed.queues.discard(queue)
            if not feed.queues:
                self._end(feed)

    def close(self) -> None:
        """Ends all streams; may be called from another thread."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        for feed in list(self._feeds.values()):
            for queue in feed.queues:
                _put(queue, None)
            self._end(feed)

    def _end(self, feed: _Feed) -> None:
        if feed.task is not None:
            feed.task.cancel()
            feed.task = None
        if self._feeds.get(feed.topic) is feed:
            del self._feeds[feed.topic]

    async def _run(self, feed: _Feed, look: Look) -> None:
        while True:
            began = time.monotonic()
            try:
                live = await run_in_threadpool(look, feed.topic)
            except Exception:  # the pages show since when they are not live
                log.exception("the live parts of %s cannot be made", feed.topic.page)
            else:
                messages = _messages(live, feed.sent)
                feed.sent = live
                if messages:
                    self._send(feed, b"".join(messages))
            await asyncio.sleep(max(0.05, TICK_S - (time.monotonic() - began)))

    def _send(self, feed: _Feed, message: bytes) -> None:
        for queue in feed.queues:
            if queue.full():
                _put(queue, None)
            else:
                queue.put_nowait(message)


def _put(queue: asyncio.Queue[Any], last: None) -> None:
    """Empties a queue, and puts the end of the stream into it."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(last)


def _messages(live: Live, sent: Live) -> list[bytes]:
    """Returns the messages that turn `sent` into `live`: all regions in one, and each event in a separate one."""
    changed = {name: html for name, html in live.regions.items() if sent.regions.get(name) != html}
    found = []
    feed = changed.pop("feed", None)  # in a separate message, which a paused page drops
    if changed:
        found.append(format_sse_event(data_str="".join(_partial(name, html) for name, html in changed.items())))
    if feed is not None:
        found.append(format_sse_event(data_str=_partial("feed", feed)))
    for name, data in live.events.items():
        if sent.events.get(name) != data:
            found.append(format_sse_event(event=name, data_str=data))
    return found


def _partial(name: str, html: str) -> str:
    return f'<hx-partial hx-target="#{name}" hx-swap="innerHTML">{html}</hx-partial>'
