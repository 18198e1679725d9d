"""Who acts, and what every act has to do besides the act itself: record it, and wake the workers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import redis

from operations.audit import Act
from zelador.buffer.keys import Keys

log = logging.getLogger(__name__)


class AuditLog(Protocol):
    """Where acts are recorded: the admin server's file, or the stream that brings them there."""

    def check(self) -> None:
        """Before a change. Raises Unavailable when nothing can be recorded now."""

    def add(
        self, who: str, what: str, target: str, before: Any = None, after: Any = None, address: str | None = None
    ) -> object:
        """Raises Unavailable, which says that the act was done and not recorded."""


def nobody_to_wake(_sequence: int) -> None:
    """Without a Redis: workers look at the registry's log by themselves."""


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` goes into the registry's history, with `via` into the audit log; `address` is the client's, if any.

    `wake` tells the workers that a selection was made; they take it up within a second even if it fails.
    """

    name: str
    audit: AuditLog
    address: str | None = None
    via: str = ""  # "command line", where it is not the API
    wake: Callable[[int], None] = nobody_to_wake

    @property
    def full_name(self) -> str:
        return f"{self.name} ({self.via})" if self.via else self.name

    def record(self, act: Act, target: object, before: Any = None, after: Any = None) -> None:
        """Raises Unavailable."""
        self.audit.add(self.full_name, act.value, str(target), before, after, self.address)


def waker(client: redis.Redis, prefix: str) -> Callable[[int], None]:
    """Publishes a selection's number to the workers."""

    def wake(sequence: int) -> None:
        try:
            client.publish(Keys(prefix).selected, str(sequence))
        except (redis.RedisError, OSError) as error:
            log.warning("the workers were not woken and will look by themselves: %s", error)

    return wake
