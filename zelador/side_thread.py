"""A thread beside the main loop that repeats a step, and survives its errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

import redis

from zelador.errors import ZeladorError
from zelador.log_limit import LogLimit

REPEAT_S = 60.0  # between two log lines about the same trouble, by default

log = logging.getLogger(__name__)

Errors = tuple[type[Exception], ...]


class SideThread:
    """Repeats `step` on a daemon thread until `stop` is set. `step` returns the seconds until the next one.

    After an error, `retry_s` gives the seconds to wait, by the number of errors in a row. An error of `expected` is
    logged as `trouble`, at most once in `repeat_s`; any other error is logged with its traceback. The thread continues.
    """

    def __init__(
        self,
        name: str,
        stop: Event,
        step: Callable[[], float],
        *,
        trouble: str,
        retry_s: Callable[[int], float],
        delay_s: float = 0.0,
        repeat_s: float = REPEAT_S,
        expected: Errors = (redis.RedisError, OSError, ZeladorError),
        on_error: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
        rest: Callable[[float], object] | None = None,
    ) -> None:
        """`rest` waits between two steps; by default, for `stop`. `on_error` and `on_end` run on the thread.

        The first step begins after `delay_s`.
        """
        self._stop = stop
        self._step = step
        self._trouble = trouble
        self._retry_s = retry_s
        self._delay_s = delay_s
        self._expected = expected
        self._on_error, self._on_end = on_error, on_end
        self._rest = rest or stop.wait
        self._log_limit = LogLimit(repeat_s)
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, limit_s: float) -> bool:
        """Waits for the thread to end, at most `limit_s` seconds. Returns whether it has ended."""
        self._thread.join(timeout=limit_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        errors = 0
        self._stop.wait(self._delay_s)
        while not self._stop.is_set():
            try:
                seconds = self._step()
                errors = 0
            except Exception as error:  # the thread must not end: nobody would do its work
                errors += 1
                self._on_error()
                if not isinstance(error, self._expected):
                    log.exception("%s", self._trouble)
                elif not self._stop.is_set() and self._log_limit.due():
                    log.warning("%s: %s%s", self._trouble, error, self._log_limit.take_skipped())
                seconds = self._retry_s(errors)
            self._rest(seconds)
        self._on_end()
