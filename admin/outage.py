"""The admin server's client of Redis: gives up soon, and remembers that Redis does not answer.

A page reads several views. Only the first one waits for a Redis that is down; the others fail at once, until it is time
for the next try. A Redis that answers each call, but so slowly that a page's time is used up, counts as down too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from redis.connection import AbstractConnection

from zelador.buffer import connect_redis
from zelador.clock import now_ms
from zelador.messages import iso
from zelador.settings import RedisSettings
from zelador.time_budget import left_s, spending

WAIT_S = 1.5  # for one answer of Redis, and for all answers that a page needs: it must be shown within 2 s
MIN_WAIT_S = 0.001  # for the answer to a command that was sent
PROMPT_S = 0.15  # an answer that takes longer does not end an outage: a page needs about ten of them
FIRST_PAUSE_S = 0.25  # between two tries, at least
PAUSES = 2.0  # a pause lasts as many times as long as the try that failed


class Outage:
    """Whether Redis answers, for all connections of a client. Thread-safe.

    `since` is when the first call without an answer was made (ms since 1970 UTC); None while Redis answers.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, now: Callable[[], int] = now_ms) -> None:
        self.clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._until = 0.0
        self._trying = 0  # the thread that makes the present try
        self._why = ""
        self.since: int | None = None

    def check(self) -> None:
        """Raises redis.ConnectionError until it is time for the next try, and while another thread makes it."""
        if self.since is None:
            return
        with self._lock:
            if self.since is None or self._trying == threading.get_ident():
                return
            if self.clock() < self._until:
                raise redis.ConnectionError(f"no answer since {iso(self.since)}: {self._why}")
            self._trying, self._until = threading.get_ident(), self.clock() + WAIT_S

    def failed(self, began: float, error: Exception) -> None:
        """Notes a call that began at `began`, by the clock, and got no answer."""
        with self._lock:
            now = self.clock()
            if self.since is None:
                self.since = self._now() - round((now - began) * 1000)
            self._why, self._trying = str(error), 0
            self._until = now + max(FIRST_PAUSE_S, PAUSES * (now - began))

    def too_slow(self) -> None:
        """Notes that the answers took all of a page's time. Raises redis.TimeoutError."""
        error = redis.TimeoutError(f"the answers took more than {WAIT_S:g} s in all")
        self.failed(self.clock() - WAIT_S, error)
        raise error

    def answered(self, took_s: float = 0.0) -> None:
        """Notes an answer. A slow one ends a try, but not the outage."""
        if self.since is None:
            return
        with self._lock:
            if took_s <= PROMPT_S:
                self.since, self._until = None, 0.0
            else:
                self._until = self.clock() + max(FIRST_PAUSE_S, PAUSES * took_s)
            self._trying = 0


def watched_redis(settings: RedisSettings, outage: Outage) -> redis.Redis:
    """Returns a client whose connections note in `outage` whether Redis answers, and fail at once while it does not.

    Raises Unavailable if the URL cannot be used.
    """
    client = connect_redis(settings.model_copy(update={"timeout_s": min(WAIT_S, settings.timeout_s)}))
    client.connection_pool.connection_class = _watched(client.connection_pool.connection_class, outage)
    return client


def _watched(kind: type[AbstractConnection], outage: Outage) -> type[AbstractConnection]:
    """Returns the class of connections with the outage. The pool connects before each command, also a connected one."""

    class Watched(kind):  # type: ignore[valid-type, misc]  # the class depends on the URL: TCP, TLS or a socket file
        def connect(self) -> None:
            outage.check()
            if left_s(WAIT_S) <= 0.0:
                outage.too_slow()
            self.socket_connect_timeout = left_s(WAIT_S)
            _noted(outage, super().connect)

        def send_packed_command(self, *arguments: Any, **options: Any) -> None:
            _noted(outage, lambda: super(Watched, self).send_packed_command(*arguments, **options))

        def read_response(self, *arguments: Any, **options: Any) -> Any:
            limited = {"timeout": max(MIN_WAIT_S, left_s(WAIT_S)), **options}
            return _noted(outage, lambda: super(Watched, self).read_response(*arguments, **limited), is_answer=True)

    return Watched


def _noted(outage: Outage, call: Callable[[], Any], *, is_answer: bool = False) -> Any:
    began = outage.clock()
    try:
        with spending():
            found = call()
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        outage.failed(began, error)
        raise
    except redis.ResponseError:  # an answer too
        outage.answered(outage.clock() - began)
        raise
    if is_answer:
        outage.answered(outage.clock() - began)
    return found
