"""Who holds the streams of the console, and the end of their streams when a session or a key ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

log = logging.getLogger(__name__)

LOOK_S = 0.7  # how often it looks whether this process knows that a holder ended
CHECK_S = 5.0  # how often it asks Redis, where another process may have ended a session

Queue = asyncio.Queue[bytes | None]


@dataclass(frozen=True, slots=True)
class Holder:
    """A session of a browser (`name` is its token), or the key of a program (its id)."""

    name: str
    is_session: bool
    has_ended: Callable[[], bool]  # whether this process knows that it ended; fast, on the event loop
    is_valid: Callable[[], bool]  # may ask Redis


@dataclass(frozen=True, slots=True)
class _Held:
    holder: Holder
    queues: set[Queue] = field(default_factory=set)


class Holders:
    """The queues of all streams by holder. Each holder is looked at once, however many streams it has.

    Used only from the event loop. `end` ends the stream of a queue.
    """

    def __init__(self, end: Callable[[Queue], None]) -> None:
        self._end = end
        self._held: dict[tuple[bool, str], _Held] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def streams(self, name: str) -> int:
        """Returns how many streams a session has."""
        held = self._held.get((True, name))
        return len(held.queues) if held is not None else 0

    def add(self, holder: Holder, queue: Queue) -> None:
        self._held.setdefault((holder.is_session, holder.name), _Held(holder)).queues.add(queue)
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._watch(LOOK_S, _has_ended), name="console-sessions-look"),
                asyncio.create_task(self._watch(CHECK_S, _is_invalid), name="console-sessions-check"),
            ]

    def remove(self, holder: Holder, queue: Queue) -> None:
        key = (holder.is_session, holder.name)
        self._held[key].queues.discard(queue)
        if not self._held[key].queues:
            del self._held[key]
        if not self._held:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def _watch(self, period_s: float, is_over: Callable[[Holder], Awaitable[bool]]) -> None:
        while True:
            await asyncio.sleep(period_s)
            for held in list(self._held.values()):
                if await _or_over(is_over, held.holder):
                    for queue in held.queues:
                        self._end(queue)


async def _or_over(is_over: Callable[[Holder], Awaitable[bool]], holder: Holder) -> bool:
    """Returns whether a holder ended; True if that fails, because the browser then connects and signs in again."""
    try:
        return await is_over(holder)
    except Exception:
        log.exception("whether a session of the console is still valid cannot be found out")
        return True


async def _has_ended(holder: Holder) -> bool:
    return holder.has_ended()


async def _is_invalid(holder: Holder) -> bool:
    return not await run_in_threadpool(holder.is_valid)
