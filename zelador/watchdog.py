"""Detects a stalled worker. A full window in which nothing completes looks idle and healthy from outside.

The loop records its progress; a separate thread reports a stall, since a hung loop cannot.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

log = logging.getLogger(__name__)

POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Facts:
    """The progress of a worker. Times are seconds of the monotonic clock.

    `held` is the number of incomplete messages; `progressed_at` is when one last completed, or when none was held.
    """

    turned_at: float
    held: int = 0
    progressed_at: float = 0.0
    redis_error: str | None = None  # the Redis call that it is waiting for, and why
    redis_away_since: float = 0.0
    disconnected_since: float | None = None  # from the broker; None if connected
    why: str | None = None  # why it pauses on purpose
    refusal: str | None = None  # the error with which Redis refuses writes


def trouble(facts: Facts, now: float, limit_s: float) -> str | None:
    """The reason why no progress was made for `limit_s` seconds (the most direct one); None otherwise. Pure."""

    def too_long(since: float) -> bool:
        return now - since > limit_s

    if facts.refusal is not None:  # at once: waiting does not help, and an idle worker would look healthy
        return f"Redis refuses writes: {facts.refusal}"
    if facts.redis_error is not None and too_long(facts.redis_away_since):
        return f"for {now - facts.redis_away_since:.0f} s it {facts.redis_error}"
    if facts.disconnected_since is not None and too_long(facts.disconnected_since):
        return f"there has been no connection to the broker for {now - facts.disconnected_since:.0f} s"
    if facts.held and too_long(facts.progressed_at):
        cause = facts.redis_error or facts.why
        why = f": {cause}" if cause else ""
        return f"{facts.held} messages are held and none has completed for {now - facts.progressed_at:.0f} s{why}"
    if too_long(facts.turned_at):
        return f"its loop has been blocked for {now - facts.turned_at:.0f} s"
    return None


class Watchdog:
    """Checks every second; logs when the worker stalls, and when it makes progress again."""

    def __init__(
        self, facts: Callable[[], Facts], limit_s: float, stop: Event, tell: Callable[[bool], None] = lambda _: None
    ) -> None:
        """`tell` is called with the result of each check: True while stalled (a metric)."""
        self._facts = facts
        self._limit_s = limit_s
        self._stop = stop
        self._tell = tell
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def trouble(self) -> str | None:
        """The reason why the worker is stalled; None if it is not."""
        return trouble(self._facts(), time.monotonic(), self._limit_s)

    def _watch(self) -> None:
        before = False
        while not self._stop.wait(POLL_S):
            found = self.trouble()
            self._tell(found is not None)
            if found is not None and not before:
                log.error("stalled: %s", found)
            elif found is None and before:
                log.info("making progress again")
            before = found is not None
