"""Sends the live parts of pages as server-sent events.

A topic is a page, a role and a language, and the device or the list that it shows. Each topic with subscribers is
rendered at most three times a second (once, if there are very many topics), however many subscribers it has. Only the
regions that changed are sent: in unnamed messages as `<hx-partial>` elements, which htmx swaps in; points of a chart as
JSON in named events. A new subscriber gets everything first.

Over HTTP/1.1 a browser opens at most six connections to a host, and a stream keeps one. So at most SESSION_STREAMS
windows of a session have a stream. The others get what changed as an answer that ends, and ask again after POLL_MS,
until there is room for them. A connection that is closed, for whatever reason, makes room.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool

from admin.console.holders import Holder, Holders, Queue
from operations.key_file import Role
from zelador.log_limit import LogLimit

log = logging.getLogger(__name__)

TICK_S, MAX_TICK_S = 0.35, 1.0
CALM_TOPICS = 20  # beyond which each is rendered less often
MAX_BEHIND = 40  # messages; a browser that is further behind is disconnected, and connects again
IDLE_S = 10.0  # without a message, until a comment keeps the connection open
ENDED = format_sse_event(event="ended", data_str="", retry=2_000)  # until the page asks whether somebody signed in
SESSION_STREAMS = 3
POLL_MS, RETRY_MS = 700, 500  # until a window without a stream asks again; until one whose stream ended does
MAX_POLL_MS = 2_500  # less than the time after which a page is not live (LATE_MS of live.js)
CALM_POLLS = 60  # polls a second, of all windows, beyond which each waits longer
POLLED_TOPICS = 64
LOG_S = 60.0  # between two log lines about parts that cannot be made
MAX_SHOWN = 8_192  # characters of what a browser says that it shows


@dataclass(frozen=True, slots=True)
class Topic:
    page: str
    role: Role
    language: str
    about: str = ""  # the id of the device, or what a list shows


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
        self.queues: set[Queue] = set()
        self.sent = Live({})
        self.task: asyncio.Task[None] | None = None


class Hub:
    """All streams of one server. Used only from the event loop, except for `close`."""

    def __init__(self, max_streams: int) -> None:
        self._max = max_streams
        self._feeds: dict[Topic, _Feed] = {}
        self._holders = Holders(lambda queue: _put_last(queue, ENDED))
        self._polled: OrderedDict[Topic, tuple[float, asyncio.Future[Live]]] = OrderedDict()  # and when it was asked
        self._polls: deque[float] = deque(maxlen=CALM_POLLS)  # times
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._log = LogLimit(LOG_S)

    @property
    def streams(self) -> int:
        return sum(len(feed.queues) for feed in self._feeds.values())

    @property
    def is_full(self) -> bool:
        return self._closed or self.streams >= self._max

    def has_room(self, session: str) -> bool:
        """Returns whether a window of this session can be live, by a stream or beside those that it has."""
        return not self._closed and (self._has_streams(session) or not self.is_full)

    async def subscribe(self, topic: Topic, look: Look, holder: Holder, shown: str = "") -> AsyncIterator[bytes]:
        """Yields the messages of a topic, until the client leaves, the session or key ends, or the server stops.

        If the session has its streams already, yields once. `shown` is the id of the last such answer that the browser
        got: what it says is shown is not sent again.
        """
        if holder.is_session and self._has_streams(holder.name):
            yield await self._poll(topic, look, shown)
            return
        self._loop = asyncio.get_running_loop()
        feed = self._feeds.setdefault(topic, _Feed(topic))
        queue: Queue = asyncio.Queue(MAX_BEHIND)
        feed.queues.add(queue)
        self._holders.add(holder, queue)
        try:
            if feed.task is None:
                feed.sent = await run_in_threadpool(look, topic)
                if feed.task is None:  # another subscriber may have started it meanwhile
                    feed.task = asyncio.create_task(self._run(feed, look), name=f"console-{topic.page}")
            begin = [_event("live", "", RETRY_MS)] if shown else []  # from now on, no id says what is shown
            yield b"".join(begin + _messages(feed.sent, _known(feed.sent, shown)))
            while (message := await queue.get()) is not None:
                yield message
        finally:
            feed.queues.discard(queue)
            self._holders.remove(holder, queue)
            if not feed.queues:
                self._end(feed)

    def _has_streams(self, session: str) -> bool:
        return self._holders.streams(session) >= SESSION_STREAMS

    async def _poll(self, topic: Topic, look: Look, shown: str) -> bytes:
        live = await self._current(topic, look)
        messages = _messages(live, _known(live, shown))
        return b"".join([*messages, _event("again", _marks(live), self._poll_ms())])

    async def _current(self, topic: Topic, look: Look) -> Live:
        """What a topic shows: from its feed, or as it was last made for a poll."""
        feed = self._feeds.get(topic)
        if feed is not None and feed.task is not None:
            return feed.sent
        now = time.monotonic()
        asked, found = self._polled.get(topic, (0.0, None))
        if found is None or (found.done() and now - asked >= TICK_S):
            found = asyncio.ensure_future(run_in_threadpool(look, topic))
            self._polled[topic] = (now, found)
            self._polled.move_to_end(topic)
            if len(self._polled) > POLLED_TOPICS:
                self._polled.popitem(last=False)
        return await asyncio.shield(found)

    def _poll_ms(self) -> int:
        """Returns when the window asks again: later if many do, so that together they cost the server little."""
        self._polls.append(time.monotonic())
        spent = self._polls[-1] - self._polls[0]
        if len(self._polls) < CALM_POLLS or spent >= 1.0:
            return POLL_MS
        return min(MAX_POLL_MS, round(POLL_MS / max(spent, 0.01)))

    def close(self) -> None:
        """Ends all streams; may be called from another thread."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        for feed in list(self._feeds.values()):
            for queue in feed.queues:
                _put_last(queue)
            self._end(feed)

    def _end(self, feed: _Feed) -> None:
        if feed.task is not None:
            feed.task.cancel()
            feed.task = None
        if self._feeds.get(feed.topic) is feed:
            del self._feeds[feed.topic]

    async def _run(self, feed: _Feed, look: Look) -> None:
        spoken = time.monotonic()
        while True:
            began = time.monotonic()
            message = b""
            try:
                live = await run_in_threadpool(look, feed.topic)
            except Exception:  # the pages show since when they are not live
                if self._log.due():
                    page, skipped = feed.topic.page, self._log.take_skipped()
                    log.exception("the live parts of %s cannot be made%s", page, skipped)
            else:
                message = b"".join(_messages(live, feed.sent))
                feed.sent = live
            if message or began - spoken >= IDLE_S:
                self._send(feed, message or KEEPALIVE_COMMENT)
                spoken = began
            await asyncio.sleep(max(0.05, tick_s(len(self._feeds)) - (time.monotonic() - began)))

    def _send(self, feed: _Feed, message: bytes) -> None:
        for queue in feed.queues:
            if queue.full():
                _put_last(queue)
            else:
                queue.put_nowait(message)


def tick_s(topics: int) -> float:
    """Returns how often each of so many topics is rendered. Pure."""
    return min(max(MAX_TICK_S, TICK_S), TICK_S * max(1.0, topics / CALM_TOPICS))


def _put_last(queue: Queue, *last: bytes) -> None:
    """Empties a queue, and puts the last messages and the end of the stream into it."""
    while not queue.empty():
        queue.get_nowait()
    for message in (*last, None):
        queue.put_nowait(message)


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


def _event(event: str, shown: str, retry_ms: int) -> bytes:
    """Returns the event that says what the browser shows from now on, and when it connects again after the end."""
    return format_sse_event(event=event, data_str="", id=shown, retry=retry_ms)


def _marks(live: Live) -> str:
    """Returns a checksum of each part, as an id that the browser sends with its next request (Last-Event-ID)."""
    return ";".join(f"{name}:{zlib.crc32(text.encode()):x}" for name, text in {**live.regions, **live.events}.items())


def _known(live: Live, shown: str) -> Live:
    """Returns the parts that the browser shows already, as far as it says so."""
    marks = set(shown[:MAX_SHOWN].split(";"))

    def known(parts: Mapping[str, str]) -> dict[str, str]:
        return {name: text for name, text in parts.items() if f"{name}:{zlib.crc32(text.encode()):x}" in marks}

    return Live(known(live.regions), known(live.events)) if shown else Live({})


def _partial(name: str, html: str) -> str:
    return f'<hx-partial hx-target="#{name}" hx-swap="innerHTML">{html}</hx-partial>'
