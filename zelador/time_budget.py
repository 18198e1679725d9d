"""The time that one request may spend waiting for servers, over all its calls.

A limit for each call is not enough: a page makes ten calls, and a server that answers each of them just in time would
keep it for ten times as long. Without a budget, each call has its own limit only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol


class Lockable(Protocol):
    """A lock of `threading`."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool: ...

    def release(self) -> None: ...


class Budget:
    """A request's time for waiting. Only waiting counts, so that a busy machine spends nothing."""

    def __init__(self, seconds: float) -> None:
        self._left_s = seconds
        self._waiting_since: float | None = None

    @property
    def left_s(self) -> float:
        waiting_s = 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since
        return max(0.0, self._left_s - waiting_s)

    @contextmanager
    def spending(self) -> Iterator[None]:
        if self._waiting_since is not None:  # a call within another one
            yield
            return
        self._waiting_since = time.monotonic()
        try:
            yield
        finally:
            self._left_s, self._waiting_since = self.left_s, None

    def lift(self) -> None:
        """Removes the limit, because the request has become a stream."""
        self._left_s = float("inf")


_present: ContextVar[Budget | None] = ContextVar("time_budget", default=None)


@contextmanager
def limited(seconds: float) -> Iterator[Budget]:
    """Gives the calls inside a budget. Threads and tasks that are started inside share it."""
    budget = Budget(seconds)
    token = _present.set(budget)
    try:
        yield budget
    finally:
        _present.reset(token)


def left_s(at_most: float) -> float:
    """Returns how long the present call may wait: `at_most`, or what is left of the budget."""
    budget = _present.get()
    return at_most if budget is None else min(at_most, budget.left_s)


@contextmanager
def held(lock: Lockable, at_most_s: float) -> Iterator[bool]:
    """Waits for a lock, which takes time from the budget. Yields whether it is held: else there was no time left."""
    with spending():
        is_held = lock.acquire(timeout=left_s(at_most_s))
    try:
        yield is_held
    finally:
        if is_held:
            lock.release()


def spending() -> AbstractContextManager[None]:
    """Takes the time inside from the budget, if there is one."""
    budget = _present.get()
    return nullcontext() if budget is None else budget.spending()
