"""Whether a worker gets on: a window full of what nobody finishes looks healthy and idle from outside.

The loop notes what it does; a thread of its own says when nothing comes of it, since a loop that hangs cannot.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

log = logging.getLogger(__name__)

LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker knows of itself; moments by the monotonic clock, in seconds.

    `held` messages are not yet finished; `progressed_at` is when one last was, or when nothing was held.
    """

    turned_at: float
    held: int = 0
    progressed_at: float = 0.0
    redis_error: str | None = None  # what it waits for in Redis, and why
    redis_away_since: float = 0.0
    disconnected_since: float | None = None  # from the broker; None: connected
    why: str | None = None  # why it holds on purpose
    refusal: str | None = None  # what Redis says to writes that it refuses


def trouble(facts: Facts, now: float, limit_s: float) -> str | None:
    """Why nothing gets on, if that has been so for `limit_s` seconds; the nearest cause first. Pure."""

    def too_long(since: float) -> bool:
        return now - since > limit_s

    if facts.refusal is not None:  # at once: it does not pass by waiting, and idle workers would look well
        return f"Redis refuses writes: {facts.refusal}"
    if facts.redis_error is not None and too_long(facts.redis_away_since):
        return f"for {now - facts.redis_away_since:.0f} s it {facts.redis_error}"
    if facts.disconnected_since is not None and too_long(facts.disconnected_since):
        return f"for {now - facts.disconnected_since:.0f} s there is no connection to the broker"
    if facts.held and too_long(facts.progressed_at):
        cause = facts.redis_error or facts.why
        why = f": {cause}" if cause else ""
        return f"{facts.held} messages are held and none was finished for {now - facts.progressed_at:.0f} s{why}"
    if too_long(facts.turned_at):
        return f"its loop has not turned for {now - facts.turned_at:.0f} s"
    return None


class Watchdog:
    """Looks every second; says when nothing gets on, and when it does again."""

    def __init__(
        self, facts: Callable[[], Facts], limit_s: float, stop: Event, tell: Callable[[bool], None] = lambda _: None
    ) -> None:
        """`tell` hears each look's result: True while something is wrong (a metric)."""
        self._facts = facts
        self._limit_s = limit_s
        self._stop = stop
        self._tell = tell
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def trouble(self) -> str | None:
        """Why nothing gets on now; None while all is well."""
        return trouble(self._facts(), time.monotonic(), self._limit_s)

    def _watch(self) -> None:
        before = False
        while not self._stop.wait(LOOK_S):
            found = self.trouble()
            self._tell(found is not None)
            if found is not None and not before:
                log.error("nothing gets on: %s", found)
            elif found is None and before:
                log.info("it gets on again")
            before = found is not None
