"""Sends alarms to a webhook: a device goes into alarm, becomes unknown, or recovers.

The queue is the stream of events in Redis, which is bounded. The position in it is stored there, so that a crash, or
another worker that takes over, sends what was not sent; an event may arrive twice, with the same id.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from http.client import HTTPException
from threading import Event
from typing import Any

import msgspec
import redis

from inference.whole_limit import WholeLimit
from zelador.alarms.activity import WEBHOOK_LOST
from zelador.alarms.state import WELL
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.clock import now_ms
from zelador.log_limit import LogLimit
from zelador.messages import iso
from zelador.no_redirect import NoRedirect
from zelador.retry import backoff
from zelador.settings import Settings
from zelador.side_thread import SideThread

log = logging.getLogger(__name__)

POLL_S = 0.5
READ = 100  # events in one read
RETRY_CAP_S = 60.0
REPEAT_S = 60.0
MAX_ANSWER = 4_096  # bytes that are read of the answer
NEEDS_SOMEBODY = ("alarm", "unknown")
AFTER_TROUBLE = (*NEEDS_SOMEBODY, "acknowledged", "shelved")  # what was sent may have ended meanwhile


class WebhookEvent(msgspec.Struct, frozen=True):
    """The body of the request, as JSON. docs/how-to/alarms.md describes the fields."""

    id: str
    at: str  # ISO 8601, UTC
    device_id: str | None  # None: all devices
    before: str
    state: str
    why: str | None = None
    label: str | None = None
    probability: float | None = None
    model: str | None = None
    reading_id: str | None = None


def webhook_event(name: str, fields: Mapping[bytes, bytes]) -> WebhookEvent | None:
    """The event to send; None for a change that nobody needs to know."""
    given = {key.decode(): value.decode("utf-8", "replace") for key, value in fields.items()}
    before, state = given.get("from", ""), given.get("to", "")
    is_back = state in WELL and before in AFTER_TROUBLE
    is_undo = (before, state) == ("acknowledged", "alarm")  # the receiver knows of that alarm
    if is_undo or (state not in NEEDS_SOMEBODY and not is_back):
        return None
    probability = given.get("probability")
    return WebhookEvent(
        name,
        iso(int(given.get("at", "0"))),
        given.get("device") or None,
        before,
        state,
        given.get("why"),
        given.get("label"),
        None if probability is None else float(probability),
        given.get("model"),
        given.get("reading_id"),
    )


def signature(secret: str, at: int, body: bytes) -> str:
    """The value of X-Zelador-Signature: HMAC-SHA256 over "<seconds since 1970>.<body>"."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Webhook:
    """Sends events on a separate thread, while `leads` says that this worker is the one to send them."""

    def __init__(self, settings: Settings, stop: Event, leads: Event) -> None:
        self._alarm = settings.alarm
        self._stop = stop
        self._leads = leads
        self._client = connect_redis(settings.redis)
        self._keys = Keys(settings.redis.prefix)
        self._limit = WholeLimit()
        self._opener = urllib.request.build_opener(NoRedirect, *self._limit.handlers)
        self._given_up_log = LogLimit(REPEAT_S)
        self._thread = SideThread(
            "webhook",
            stop,
            lambda: 0.0 if leads.is_set() and self._step() else POLL_S,
            trouble="the webhook did not accept an alarm, which will be sent again",
            retry_s=partial(backoff, first=POLL_S, cap=RETRY_CAP_S),
            expected=(OSError, HTTPException, redis.RedisError, ValueError),
        )

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(1.0)
        self._client.close()

    def _step(self) -> bool:
        """Sends the events that wait, up to READ. True if there may be more."""
        stored: Any = self._client.get(self._keys.webhook_at)
        if stored is None:  # the first start: what happened before needs no message
            newest: Any = self._client.xrevrange(self._keys.device_events, count=1)
            found = newest[0][0] if newest else b"0-0"
            self._client.set(self._keys.webhook_at, b"%b %d" % (found, self._discarded() + self._length()), nx=True)
            return False
        last, _, number = stored.partition(b" ")
        sent = int(number or 0)
        entries: Any = self._client.xrange(self._keys.device_events, min=f"({last.decode()}", count=READ)
        if len(entries) == READ and (lost := self._discarded() - sent) > 0:
            self._lose(lost)
            sent += lost
        for name, fields in entries:
            if self._stop.is_set() or not self._leads.is_set():
                return False
            event = webhook_event(name.decode(), fields)
            if event is not None:
                self._send(event, int(fields.get(b"at", b"0")))
            sent += 1
            self._client.set(self._keys.webhook_at, b"%b %d" % (name, sent))
        return len(entries) == READ

    def _length(self) -> int:
        return int(self._client.xlen(self._keys.device_events))

    def _discarded(self) -> int:
        """The number of changes that are no longer in the stream. Redis 6.2 does not know it: then 0."""
        try:
            stream: Any = self._client.xinfo_stream(self._keys.device_events)
        except redis.ResponseError:  # there is no stream yet
            return 0
        return max(0, int(stream.get("entries-added", 0)) - int(stream["length"]))

    def _lose(self, count: int) -> None:
        """Counts and logs changes that the stream discarded before they were sent."""
        self._client.hincrby(self._keys.ledger, WEBHOOK_LOST, count)
        log.error("the webhook did not take alarms for too long: the oldest %d changes of states were discarded", count)

    def _send(self, event: WebhookEvent, at: int) -> None:
        """Raises OSError, HTTPException if the event has to be sent again."""
        if now_ms() - at > self._alarm.webhook_keep_s * 1000:
            self._client.hincrby(self._keys.ledger, WEBHOOK_LOST, 1)
            if self._given_up_log.due():
                skipped = self._given_up_log.take_skipped()
                log.error("an alarm of %s was not sent for too long and is given up%s", event.device_id, skipped)
            return
        body = msgspec.json.encode(event)
        headers = {"Content-Type": "application/json", "User-Agent": "zelador", "X-Zelador-Event": event.id}
        if self._alarm.webhook_secret is not None:
            headers["X-Zelador-Signature"] = signature(self._alarm.webhook_secret, int(time.time()), body)
        request = urllib.request.Request(str(self._alarm.webhook_url), body, headers, method="POST")  # noqa: S310
        limit_s = self._alarm.webhook_timeout_s
        try:
            with self._limit.limited(limit_s), self._opener.open(request, timeout=limit_s) as answer:
                answer.read(MAX_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                raise OSError(f"it answered {error.code} {error.reason}") from None
